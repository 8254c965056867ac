# SPDX-License-Identifier: MIT
"""The instruments: how a row's figures are got from a machine.

All run with -icount shift=0 on one CPU of one model, and one kernel, initramfs and memory for both hypervisors: two runs of one binary
give the same figures to the last instruction. An instrument takes a side ("ours", "peer", or another that its row has beside them)
and gives {(row, name): figure}.
"""
import os
import re
import shutil
import signal
import stat
import statistics
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import cpio
import images
import kernels
import machine
import paths
import sh
from bench import lines, rows

CPU = "qemu64"
PLUGIN = paths.BUILD / "tests/bench/libcount.so"
LINE = re.compile(r"^row (\d+) ([^:]+): (\d+)\r?$", re.MULTILINE)
SPACES = ("firmware", "boot", "hypervisor", "kernel", "user")
PEER_LINES = 274_000                  # counted once in its source; the tree is not at hand here
HOST_RUNS = 5
TIMEOUT = 900                         # with the time that LAB_QEMU may make it wait


def figures_in(text, name=lambda words: words):
    return {(int(m[1]), name(m[2])): int(m[3]) for m in LINE.finditer(text)}


# Machines.
def entry(path):
    """Where a boot loader enters this ELF file."""
    head = Path(path).read_bytes()[:32]
    return struct.unpack_from("<Q" if head[4] == 2 else "<I", head, 24)[0]


def counting(hypervisor, out, *more):
    """QEMU's arguments for the counting plugin."""
    return ["-plugin", ",".join([str(PLUGIN), f"out={out}", f"entry={entry(hypervisor):#x}", *more])]


def marks(path):
    """{name: {space: instructions executed until then}} of the plugin's file; a name that came again counts the last time."""
    found = {}
    for line in path.read_text().splitlines():
        if line.startswith("mark "):
            _, name, *totals = line.split()
            found[name] = dict(zip(SPACES, map(int, totals)))
    return found


def console_of(which, log):
    """Run a machine to its own end; what its serial port said."""
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    path = paths.LOGS / f"{log}.log"
    with open(path, "wb") as out, subprocess.Popen(which.argv() + ["-serial", "stdio"], stdin=subprocess.DEVNULL, stdout=out,
                                                   stderr=out, start_new_session=True) as child:
        try:
            child.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise sh.LabError(f"the machine was not done after {TIMEOUT} s; its console, {path}, ends:\n{sh.tail(path)}") from None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    return path.read_text(errors="replace")


# Test guests.
def run_guest(name, side, *, icount=True, cpu=CPU):
    wrapper = os.environ.get("LAB_QEMU", "").split()[:-1]
    command = [sys.executable, "-B", paths.TREE / "tests/guests/run.py", "--build", paths.BUILD, "--cpu", cpu, "-v",
               "--hypervisor", machine.Machine(peer=side == "peer").hypervisor(), "--prefix", " ".join(wrapper),
               *([] if icount else ["--no-icount"]), name]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise sh.LabError(f"the guest {name} failed on {side}:\n{done.stdout[-3000:]}")
    return done.stdout


def bench_guest(side):
    return figures_in(run_guest("bench", side))


def two_domains(side):
    return figures_in(run_guest("pingpong", side)) | figures_in(run_guest("pingpong-2", side))


def density_guest(side):
    return figures_in(run_guest("density", side))


# Linux.
def lmb_initrd(folder):
    """An initramfs that is tests/bench/lmb.c and a console."""
    root = Path(folder) / "root"
    (root / "dev").mkdir(parents=True)
    shutil.copyfile(paths.BUILD / "tests/bench/lmb", root / "init")
    (root / "init").chmod(0o755)
    cpio.write(Path(folder) / "initrd", [(root, "")], [("dev/console", stat.S_IFCHR | 0o600, 5, 1)])
    return Path(folder) / "initrd"


def linux(side):
    """Rows 14 to 16, all from one boot."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        which = machine.Machine(peer=side == "peer", bare=side == "bare", cpu=CPU, net=False, icount=True,
                                initrd=str(lmb_initrd(folder)))
        counts = Path(folder) / "counts"
        if side != "bare":
            which.extra = counting(which.hypervisor(), counts)
        said = console_of(which, f"bench-linux-{side}")
        if "end of row 14" not in said or "\nFAIL" in said:
            raise sh.LabError(f"tests/bench/lmb.c did not end well on {side}; its console ends:\n{said[-2000:]}")
        found = figures_in(said)
        if side == "bare":
            return found
        seen = marks(counts)
    start, kernel, user = (seen[name] for name in ("entry", "kernel", "user"))
    found[15, "dom0 boot, in the hypervisor"] = user["hypervisor"] - kernel["hypervisor"]
    found[16, "hypervisor boot"] = sum(kernel.values()) - sum(start.values())
    return found


LIBRARIES = "usr/lib/x86_64-linux-gnu"
STORE_MODULES = ["xen-evtchn", "xen-gntdev", "xen-privcmd", "xenfs"]
STORE_DAEMONS = {                     # side: the daemon's command line, for store_ops.c
    "ours": "/usr/sbin/mullion-xenstored",
    "own library": "preload=/usr/lib/libmullionstore.so.4 /usr/sbin/mullion-xenstored",
    "floor": "floor",
    "peer": "/usr/lib/xen-4.17/bin/xenstored -N",
    "oxenstored": "/usr/lib/xen-4.17/bin/oxenstored --no-fork --config-file /etc/oxenstored.conf",
}


def libraries(programs, libs):
    """Names of the libraries in folder `libs` that these ELF files need, and those need in turn."""
    found, left = set(), list(programs)
    while left:
        text = sh.output(["objdump", "-p", left.pop()])
        fresh = set(re.findall(r"NEEDED +(\S+)", text)) - found
        found |= fresh
        left += [libs / name for name in fresh]
    return found


def store_initrd(folder):
    """An initramfs that is tests/bench/store_ops.c, the three daemons, and what they need: the same for every side."""
    root, tools, debian = Path(folder) / "root", images.peer_tools(), images.peer_libraries()
    programs = {"init": paths.BUILD / "tests/bench/store-ops", "usr/sbin/mullion-xenstored": paths.BUILD / "xenstore/daemon/mullion-xenstored",
                "usr/lib/libmullionstore.so.4": paths.BUILD / "xenstore/client/libmullionstore.so.4",
                **{f"usr/lib/xen-4.17/bin/{name}": tools / "usr/lib/xen-4.17/bin" / name for name in ("xenstored", "oxenstored")}}
    files = programs | {f"{LIBRARIES}/{name}": debian / LIBRARIES / name for name in libraries(programs.values(), debian / LIBRARIES)}
    files |= {f"modules/{number:02}-{module.name}": module
              for number, module in enumerate(kernels.needed(kernels.DOM0, STORE_MODULES).values())}
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, root / name)
        (root / name).chmod(0o755)
    for name in ("dev", "etc", "proc", "run", "tmp", "var/lib/xenstored", "var/log/xen"):
        (root / name).mkdir(parents=True)
    (root / "etc/oxenstored.conf").write_text("persistent = false\nxenstored-kva = /proc/xen/xsd_kva\nxenstored-port = /proc/xen/xsd_port\n")
    for name, target in {"lib": "usr/lib", "lib64": f"{LIBRARIES}", "var/run": "/run"}.items():
        (root / name).symlink_to(target)
    cpio.write(Path(folder) / "initrd", [(root, "")], [("dev/console", stat.S_IFCHR | 0o600, 5, 1)])
    return Path(folder) / "initrd"


def store(side):
    """Row 17: one boot for each daemon."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        which = machine.Machine(peer=side in ("peer", "oxenstored"), cpu=CPU, net=False, icount=True, initrd=str(store_initrd(folder)),
                                append=f"-- {STORE_DAEMONS[side]}")
        said = console_of(which, f"bench-store-{side}")
    if "end of row 17" not in said or "\nFAIL" in said:
        raise sh.LabError(f"tests/bench/store_ops.c did not end well with {side}; its console ends:\n{said[-2000:]}")
    return figures_in(said)


def code(side):
    return {(25, "lines"): lines.trusted() if side == "ours" else PEER_LINES}


@dataclass(frozen=True)
class Instrument:
    run: Callable
    rows: frozenset
    sides: tuple = ("ours", "peer")


INSTRUMENTS = [
    Instrument(linux, frozenset({14, 15, 16}), ("ours", "peer", "bare")),
    Instrument(bench_guest, frozenset(range(1, 13)) - {10}),
    Instrument(two_domains, frozenset({10})),
    Instrument(store, frozenset({17}), ("ours", "own library", "peer", "oxenstored", "floor")),
    Instrument(density_guest, frozenset({23})),
    Instrument(code, frozenset({25})),
]


def measure(wanted, at):
    """The figures of these rows, [{row, name, ours, peer, bare}] in the order of the table; `at` is the open step."""
    jobs = [(how, side) for how in INSTRUMENTS if how.rows & wanted for side in how.sides
            if side != "bare" or any(rows.BY_NUMBER[number].gap for number in how.rows & wanted)]
    found, done = {}, 0
    with ThreadPoolExecutor(2) as pool:
        for (how, side), got in zip(jobs, [pool.submit(how.run, side) for how, side in jobs]):
            for (row, name), value in got.result().items():
                if row in wanted:
                    found.setdefault((row, name), {})[side] = value
            done += 1
            at.at(done, len(jobs))
    order = sorted(found, key=lambda key: key[0])
    return [{"row": row, "name": name, **found[row, name]} for row, name in order]


def host_time(figures, at):
    """Adds {"host": {side: ticks}} to the figures of the bench guest: the host's TSC ticks that an operation took without -icount, the
    median of several runs, each one the least of the guest's rounds. Ours and the peer's take turns, so that both see the same host."""
    taken = {}
    for run in range(HOST_RUNS):
        for side in ("ours", "peer"):
            for key, ticks in figures_in(run_guest("bench", side, icount=False)).items():
                taken.setdefault(key, {}).setdefault(side, []).append(ticks)
        at.at(run + 1, HOST_RUNS)
    for figure in figures:
        if sides := taken.get((figure["row"], figure["name"])):
            figure["host"] = {side: int(statistics.median(ticks)) for side, ticks in sides.items()}
