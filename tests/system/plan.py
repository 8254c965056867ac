# SPDX-License-Identifier: MIT
"""What ./lab test runs, in order: unit tests, test guests on both hypervisors, whole machines.

Each line of "Shown by" in the first issue is one test or one group here; see dom0/*.sh for the groups' tests.
"""
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Callable

import demo
import fuzz
import images
import iso
import job
import machine
import mutants
import paths
import sh
import suite
from bench import ceilings

HERE = paths.TREE / "tests/system"

# Each pair of (CPU model, CPUs, board with its bus, memory) is in one of these rows.
MATRIX = [
    dict(cpu="max", smp=1, machine="pc", bus="virtio", mem="2G"),
    dict(cpu="max", smp=2, machine="q35", bus="sata", mem="6G"),
    dict(cpu="qemu64", smp=1, machine="q35", bus="sata", mem="6G"),
    dict(cpu="qemu64", smp=2, machine="pc", bus="virtio", mem="6G"),
    dict(cpu="qemu64", smp=2, machine="q35", bus="sata", mem="2G"),
]
# A CPU's thread in QEMU 7.2 that the host held up while another one moved a PCI window can write to its APIC through a table that is gone,
# and QEMU dies (SIGSEGV; twice in a day, with eight threads on two CPUs). So all are in one thread, which is faster there, too.
EIGHT = dict(smp=8, hv_append="dom0_max_vcpus=8", accel="tcg,thread=single")
SMEP, SMAP = 1 << 20, 1 << 21


@dataclass
class Test:
    name: str
    run: Callable                     # of the report; None or what was wrong
    counts: bool = True               # False: its parts are counted, itself only when it breaks


def _machine(peer, xl=False, **choices):
    with paths.only_one("images"):
        made = images.all_images(xl=xl)
    which = machine.Machine(peer=peer, **choices)
    which.disks = [made["root"], made["guests"]]
    return which


def _overlays(peer):
    return [images.peer_store()] if peer and not (paths.STAGE / "usr/sbin/mullion-xenstored").exists() else []


def _log_name(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def unit(report):
    """Every test program that meson knows, each a test of ours. One that says it was skipped failed: nothing may be missing here."""
    path = paths.BUILD / "meson-logs/testlog.json"
    path.unlink(missing_ok=True)
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    with open(paths.LOGS / "unit.log", "wb") as log:
        subprocess.run(["meson", "test", "-C", paths.BUILD, "--no-rebuild", "-t", "10"], stdout=log, stderr=log, check=False)
    if not path.exists():
        return f"meson test ran nothing:\n{sh.tail(paths.LOGS / 'unit.log')}"
    for line in path.read_text().splitlines():
        test = json.loads(line)
        wrong = None if test["result"] == "OK" else f"{test['result']}\n{test['stdout']}\n{test.get('stderr', '')}"
        report.add(f"unit: {test['name']}", test["duration"], wrong)
    return None


MODELS = {"memory and page types": ["mm/test_mm_model"], "grants": ["model/hvcore-model", "grants"], "events": ["model/hvcore-model", "events"]}


def model(room, seed, steps):
    """The core beside a model that foretells each step (tests/unit/hypervisor/model, mm/reference.h), longer than in a unit test."""
    def run(_):
        program, *words = MODELS[room]
        done = subprocess.run([paths.BUILD / "tests/unit/hypervisor" / program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, env={**os.environ, "MODEL_STEPS": str(steps), "MODEL_SEED": str(seed)})
        return None if done.returncode == 0 else done.stdout
    return Test(f"model: {room}, {steps} random steps, seed {seed}", run)


def fuzzing(name):
    return Test(f"fuzz: {name}", lambda _: fuzz.run(name))


def mutation():
    """Old holes, put back one at a time into a copy of the tree: each is noticed by the unit test that is named for it."""
    def run(_):
        said = []
        return "\n".join(said) if mutants.run(mutants.chosen(machines=False), report=said.append) else None
    return Test("mutants: those that unit tests catch", run)


def guest(name, peer):
    """A test guest. On the peer it shows that the test is right, and Xen in TCG now and then fails by itself: so there a failure
    must show three times; on Mullion once is enough."""
    def run(_):
        for _ in range(3 if peer else 1):
            wrong = once()
            if wrong is None:
                break
        return wrong

    def once():
        wrapper = os.environ.get("LAB_QEMU", "").split()[:-1]
        which = machine.Machine(peer=peer)
        command = [sys.executable, "-B", paths.TREE / "tests/guests/run.py", "--hypervisor", which.hypervisor(),
                   "--build", paths.BUILD, "--prefix", " ".join(wrapper), *(["--cpu", "max,-smap"] if peer else []), name]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return None if done.returncode == 0 else done.stdout
    return Test(f"guest: {name} on {'Debian’s Xen' if peer else 'Mullion'}", run)


def machines():
    def run(_):
        wrapper = os.environ.get("LAB_QEMU", "").split()[:-1]
        command = [sys.executable, "-B", paths.TREE / "tests/guests/machines.py", "--hypervisor", machine.Machine(peer=False).hypervisor(),
                   "--build", paths.BUILD, "--prefix", " ".join(wrapper)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return None if done.returncode == 0 else done.stdout
    return Test("machines: small, large, without tables or with wrong ones, bad kernels", run)


def demonstration(peer, on_cd=False, first=False, **choices):
    words = machine.Machine(peer=peer, **choices).words() + (" iso" if on_cd else "")

    def run(_):
        which = _machine(peer, **choices)
        if on_cd:
            with paths.only_one("images"):
                which.iso = str(iso.make(paths.BUILD / ("peer.iso" if peer else "mullion.iso"), which))
            which.disks = []
        for _ in range(3):            # QEMU 7.2 itself may die: see EIGHT
            wrong, figures = demo.check(which, name=_log_name(f"demo {words}"), quiet=True, timeout=420,
                                        overlays=_overlays(peer))
            if not wrong or "QEMU's status -11" not in wrong:
                break
        if not wrong and first:
            demo.keep_figures(which, figures)
        return wrong
    return Test(f"demo: {words}", run)


def protection(peer):
    """SMEP and SMAP are on where the CPU has them: read from the CPU itself, at moments spread over a boot."""
    def run(_):
        which, seen = _machine(peer), []

        def look(vm, show):
            def line(text, next_line=show.line):
                next_line(text)
                if text.startswith("@step"):
                    seen.append(vm.monitor("info registers"))
            vm.output.on_line = line
        wrong, _ = demo.check(which, name="smep-smap", quiet=True, timeout=300, overlays=_overlays(peer), watch=look)
        if wrong:
            return wrong
        for registers in seen:
            cr4 = int(re.search(r"CR4=([0-9a-f]+)", registers)[1], 16)
            if not cr4 & SMEP or not cr4 & SMAP:
                return f"CR4 is {cr4:#x}: SMEP {bool(cr4 & SMEP)}, SMAP {bool(cr4 & SMAP)}"
        return None if len(seen) >= 3 else f"CR4 was read {len(seen)} times only"
    return Test("SMEP and SMAP on", run)


def group(name, peer, timeout=1200, **choices):
    """One machine, one script in dom0 (dom0/NAME.sh), many tests. With `xl` dom0's root has Debian's xl and libvirt."""
    where = f"{name}{' on Debian’s Xen' if peer else ''}"

    def run(report):
        lines = suite.Group(where, report)
        files = {"lib.sh": HERE / "dom0/lib.sh", "web.json": demo.DOCUMENT, "index.html": demo.PAGE}
        result = job.run(_machine(peer, **choices), HERE / f"dom0/{name}.sh", files=files, timeout=timeout,
                         overlays=_overlays(peer), name=_log_name(f"group {where}"), on_line=lines.line)
        return lines.verdict(result)
    return Test(where, run, counts=False)


def tests(*, fast, peer):
    table = json.loads((paths.TREE / "tests/guests/table.json").read_text())
    guests = [entry for entry in table["guests"] if not entry.get("manual")]
    images.all_images()
    images.peer_hypervisor()
    images.peer_tools()
    plan = [Test("unit", unit, counts=False)]
    plan += [guest(entry["name"], on_peer) for entry in guests for on_peer in ((True,) if peer else (False, True))
             if not (on_peer and entry.get("only_mullion"))]
    if not peer:
        plan += [Test("ceilings: what operations may cost", lambda _: ceilings.operations()),
                 Test("ceilings: lines of trusted code", lambda _: ceilings.trusted_code()), machines(),
                 Test("mutants: every edit fits the tree", lambda _: "\n".join(mutants.misfits(mutants.load())) or None)]
    plan += [demonstration(peer, first=True, **MATRIX[0])]
    if fast:
        return plan
    if not peer:
        plan += [mutation()]
        plan += [model(room, seed, 1_250_000) for room, seed in (("memory and page types", 1), ("memory and page types", 2),
                                                                 ("grants", 1), ("events", 1))]
        plan += [fuzzing(name) for name in fuzz.TARGETS]
    plan += [group("two_guests", peer, smp=2), group("data", peer, smp=2), group("bad_input", peer), group("crash", peer),
             group("store", peer)]
    if not peer:
        plan += [group("smp", peer, smp=2, hv_append="dom0_max_vcpus=4"),
                 demonstration(peer, **EIGHT)]
    plan += [group("xl", peer, smp=2, xl=True), group("virsh", peer, smp=2, xl=True)]
    plan += [demonstration(peer, **row) for row in MATRIX[1:]]
    plan += [demonstration(peer, on_cd=True), demonstration(peer, on_cd=True, uefi=True, machine="q35")]
    if not peer:
        plan += [protection(peer)]
    return plan
