# SPDX-License-Identifier: MIT
"""Debian packages as material for images: fetched with the machine's own apt configuration, unpacked, never installed.

apt resolves dependencies as if nothing were installed (an empty status file), so the result does not depend on this machine.
"""
import shutil
import subprocess

import paths
import sh
import stamp

CACHE = paths.BUILD / "debs"


def _apt(*args):
    CACHE.joinpath("partial").mkdir(parents=True, exist_ok=True)
    sh.run(["apt-get", "-y", "-q", "-o", "Dir::State::status=/dev/null", "-o", f"Dir::Cache::archives={CACHE}",
            "-o", "APT::Install-Recommends=false", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", *args],
           "apt")


def _names(packages):
    """File names of these packages and all they need, newest versions."""
    text = sh.output(["apt-get", "-qq", "-o", "Dir::State::status=/dev/null", "-o", "APT::Install-Recommends=false",
                      "-o", f"Dir::Cache::archives={CACHE}/none", "-o", "Debug::NoLocking=1", "--print-uris", "-y",
                      "install", *packages])
    return [line.split()[1] for line in text.splitlines() if line.startswith("'")]


def _unpack(deb, into):
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as archive:
        sh.run(["tar", "-x", "--keep-directory-symlink", "-C", into], "unpack", stdin=archive.stdout)
    if archive.returncode:
        raise sh.LabError(f"{deb} cannot be read; delete it and try again")


def merged_usr(root):
    """The links of a merged /usr, as Debian has them, before any package is unpacked."""
    for name in ("bin", "sbin", "lib", "lib64"):
        root.joinpath("usr", name).mkdir(parents=True, exist_ok=True)
        root.joinpath(name).symlink_to(f"usr/{name}")


def tree(into, packages, step=None):
    """Make folder `into` from `packages` and all they depend on. Reused while the list is the same."""
    if stamp.fresh(into, packages):
        return into
    shutil.rmtree(into, ignore_errors=True)
    _apt("--download-only", "install", *packages)
    merged_usr(into)
    names = _names(packages)
    for count, name in enumerate(names):
        _unpack(CACHE / name, into)
        if step:
            step.at(count + 1, len(names))
    sh.run(["ldconfig", "-r", into], "unpack")
    stamp.keep(into, packages)
    return into


def one(into, package):
    """Unpack one package alone, without what it depends on; a meta package is followed to the package it stands for."""
    if stamp.fresh(into, package):
        return into
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    real = package
    if package.startswith("linux-image-"):
        needs = sh.output(["apt-cache", "depends", "--no-recommends", "--no-suggests", package]).splitlines()
        real = next(line.split()[-1] for line in needs if "Depends: linux-image-" in line)
    CACHE.mkdir(parents=True, exist_ok=True)
    sh.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", real], "apt", cwd=CACHE)
    newest = max(CACHE.glob(f"{real}_*.deb"), key=lambda deb: deb.stat().st_mtime)
    _unpack(newest, into)
    stamp.keep(into, package)
    return into
