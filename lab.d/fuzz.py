# SPDX-License-Identifier: MIT
"""The fuzz targets under libFuzzer, with ASan: built by clang in build/fuzz, each with a corpus that is kept.

A corpus is one archive, tests/fuzz/corpus/NAME.tar.xz: its files are unpacked before a run; `./lab fuzz NAME --keep` puts what
a run found worth keeping back, merged to the smallest set that covers the same code. An input that breaks the target is left in
build/fuzz/found and named in the message; the target's program, given that file, breaks again.
"""
import os
import shutil
import subprocess
import tarfile

import paths
import sh

BUILD = paths.BUILD / "fuzz"
FOUND = BUILD / "found"
CORPUS = paths.TREE / "tests/fuzz/corpus"
TARGETS = {                           # name: (folder, largest input, inputs of about a minute)
    "xenstore-codec": ("xenstore", 4096, 18_000_000), "xenstore-requests": ("xenstore", 4096, 800_000),
    "xenstore-journal": ("xenstore", 4096, 2_000_000), "hypervisor-elf": ("hypervisor", 4096, 25_000_000),
    "hypervisor-write-decode": ("hypervisor", 300, 15_000_000), "hypervisor-memory-op": ("hypervisor", 600, 150_000),
    "hypervisor-events": ("hypervisor", 600, 100_000), "hypervisor-grants": ("hypervisor", 600, 100_000),
}


def program(name):
    return BUILD / "tests/fuzz" / TARGETS[name][0] / f"fuzz-{name}"


def build():
    with paths.only_one("fuzz"):
        if not (BUILD / "build.ninja").exists():
            # GCC's warnings are the project's; clang's are other ones.
            sh.run(["meson", "setup", BUILD, paths.TREE, "-Db_lundef=false", "-Dwerror=false",
                    "-Dc_args=-fsanitize=fuzzer-no-link,address"], "fuzz-setup", env={**os.environ, "CC": "clang-14"})
        sh.run(["ninja", "-C", BUILD, *(program(name).relative_to(BUILD) for name in TARGETS)], "fuzz-build")


def _unpack(name):
    folder = BUILD / "corpus" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = CORPUS / f"{name}.tar.xz"
    if archive.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(folder)
    return folder


def _pack(name, folder):
    small = BUILD / "corpus" / f"{name}.merged"
    shutil.rmtree(small, ignore_errors=True)
    small.mkdir()
    sh.run([program(name), "-merge=1", "-detect_leaks=0", f"-max_len={TARGETS[name][1]}", small, folder], f"fuzz-merge-{name}")
    CORPUS.mkdir(exist_ok=True)
    with tarfile.open(CORPUS / f"{name}.tar.xz", "w:xz") as tar:
        for path in sorted(small.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            with open(path, "rb") as content:
                tar.addfile(entry, content)


def run(name, seconds=None, keep=False):
    """None, or what a person wants to know of the input that broke the target.

    Without `seconds` it is the test: a fixed seed and number of inputs, so that what a change broke is told from what chance found."""
    build()
    _, largest, inputs = TARGETS[name]
    folder, log = _unpack(name), paths.LOGS / f"fuzz-{name}.log"
    FOUND.mkdir(exist_ok=True)
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    length = [f"-max_total_time={seconds}"] if seconds else ["-seed=1", f"-runs={inputs}", "-max_total_time=300"]
    # Leaks are looked for in the same targets' runs without libFuzzer (meson test): here that would be after every input.
    command = [program(name), *length, f"-max_len={largest}", "-detect_leaks=0", "-timeout=60",
               f"-artifact_prefix={FOUND}/{name}-", folder]
    with open(log, "wb") as out:
        status = subprocess.run(command, stdout=out, stderr=out, check=False).returncode
    if status:
        return f"fuzz-{name} ended with status {status}; the input is in {FOUND}\n{sh.tail(log)}"
    if keep:
        _pack(name, folder)
    return None
