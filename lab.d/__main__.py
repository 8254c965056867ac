# SPDX-License-Identifier: MIT
"""Mullion's workshop, the part behind ./lab: reads the command and calls the module that does it."""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import build
import console
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
from bench import command as bench, profile
from progress import say, step

MACHINE = {                           # option: what argparse is told about it
    "smp": dict(type=int, default=1, help="CPUs"),
    "mem": dict(default="2G", help="memory"),
    "cpu": dict(default="", help="QEMU's CPU model (max; with --peer qemu64)"),
    "machine": dict(default="pc", choices=["pc", "q35"], help="the board"),
    "bus": dict(default="virtio", choices=["virtio", "sata"], help="of dom0's disks and NIC (sata: AHCI and e1000e)"),
    "accel": dict(default="tcg", choices=["tcg", "tcg,thread=single", "kvm"], help="how QEMU runs the CPUs"),
    "uefi": dict(action="store_true", help="boot by UEFI firmware, through an ISO"),
    "iso": dict(nargs="?", const="", metavar="FILE", help="boot an ISO: this file, or one made of the other options"),
    "hv": dict(metavar="PATH", help="another hypervisor file"),
    "peer": dict(action="store_true", help="Debian's Xen 4.17 as the hypervisor"),
    "hv-append": dict(default="", metavar="ARGS", help="more arguments for the hypervisor"),
    "kernel": dict(metavar="K", help="another dom0 kernel: an ELF, or a bzImage"),
    "append": dict(default="", metavar="ARGS", help="more arguments for the dom0 kernel"),
    "initrd": dict(metavar="I", help="another initial RAM disk for dom0"),
    "disk": dict(action="append", metavar="FILE", help="dom0's disks, instead of ours"),
    "xl": dict(action="store_true", help="dom0's root has Debian's xl and libvirt, too"),
    "keep": dict(action="store_true", help="keep what dom0 and guests write in the disk images"),
    "no-net": dict(action="store_true", help="no NIC"),
    "icount": dict(action="store_true", help="count instructions: one TSC tick each, every run alike"),
}


def machine_options(parser):
    for name, how in MACHINE.items():
        parser.add_argument(f"--{name}", **how)


def make_machine(options):
    """The Machine that these options ask for, with its images made."""
    same = ("smp", "mem", "cpu", "machine", "bus", "accel", "uefi", "hv", "peer", "hv_append", "append", "initrd", "keep",
            "icount")
    which = machine.Machine(**{name: getattr(options, name) for name in same}, net=not options.no_net)
    with paths.only_one("images"), step("images") as at:
        made = images.all_images(at, xl=options.xl)
        if options.kernel:
            which.kernel = str(images.elf_kernel(Path(options.kernel)))
    if options.iso is not None or options.uefi:
        which.iso = options.iso or str(make_iso(which))
    which.disks = options.disk or ([] if which.iso else [made["root"], made["guests"]])
    return which


def make_iso(which):
    with paths.only_one("images"), step("ISO"):
        return iso.make(paths.BUILD / ("peer.iso" if which.peer else "mullion.iso"), which)


def do_build(_):
    build.build()


def do_images(_):
    build.build()
    with paths.only_one("images"), step("images") as at:
        made = images.all_images(at)
    for name, path in made.items():
        say(f"    {name:<8} {path}")


def do_iso(options):
    build.build()
    say(f"    {make_iso(make_machine(options))}")


def do_run(options):
    if not options.peer and not options.hv:
        build.build()
    which = make_machine(options)
    with tempfile.TemporaryDirectory(prefix="lab-") as folder, \
            job.Running(which, Path(folder), "run", interactive=True) as vm:
        say("  Ctrl-\\ stops the machine")
        console.interact(vm)


def do_script(options):
    which = make_machine(options)
    overlays = ([images.peer_store()] if options.peer_store else []) + [Path(o) for o in options.overlay]
    files = {Path(path).name: Path(path) for path in options.file}
    result = job.run(which, Path(options.script), files=files, overlays=overlays, timeout=options.timeout, name=options.log)
    sys.stdout.write(result.output)
    if result.status is None:
        raise sh.LabError(result.blame())
    return result.status


def do_demo(options):
    build.build()
    return demo.demo(make_machine(options), check_only=options.check)


def do_guest(options):
    build.build()
    hypervisor = machine.Machine(peer=options.peer, hv=options.hv).hypervisor()
    cpu = ["--cpu", "max,-smap"] if options.peer else []
    wrapper = os.environ.get("LAB_QEMU", "").split()[:-1]
    return subprocess.run([sys.executable, "-B", paths.TREE / "tests/guests/run.py", "--hypervisor", hypervisor,
                           "--build", paths.BUILD, "--prefix", " ".join(wrapper), *cpu, *options.names]).returncode


def do_test(options):
    build.build()
    return suite.run(fast=options.fast, only=options.only, peer=options.peer, at_once=options.at_once)


def do_bench(options):
    build.build()
    return bench.bench(options)


def do_fuzz(options):
    names = options.names or list(fuzz.TARGETS)
    for name in names:
        if name not in fuzz.TARGETS:
            raise sh.LabError(f"{name}: there is no such target; there are {', '.join(fuzz.TARGETS)}")
        with step(f"fuzz {name}"):
            wrong = fuzz.run(name, options.seconds, options.keep)
        if wrong:
            raise sh.LabError(wrong)


def do_mutants(options):
    wanted = mutants.chosen(options.names, machines=not options.unit)
    if any(mutant.machine for mutant in wanted):
        build.build()                 # the test guests
    return 1 if mutants.run(wanted) else 0


def do_profile(options):
    build.build()
    return profile.profile(options)


def parser():
    top = argparse.ArgumentParser(prog="./lab", description="Mullion's workshop: build, boot, show and test the whole machine.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, run, about, with_machine=True):
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(run=run)
        if with_machine:
            machine_options(sub)
        return sub

    command("build", do_build, "build everything", False)
    command("images", do_images, "make the images of dom0 and guests", False)
    command("iso", do_iso, "make the ISO, build/mullion.iso, that boots the same machine")
    command("run", do_run, "boot a machine and be at its console")
    sub = command("demo", do_demo, "boot, start a guest from its JSON document, fetch its page, give a shell")
    sub.add_argument("--check", action="store_true", help="no shell: exit 0 only if the page's bytes were right")
    sub = command("test", do_test, "run all tests", False)
    sub.add_argument("--fast", action="store_true", help="unit tests, test guests and one whole machine only")
    sub.add_argument("--peer", action="store_true", help="the whole-machine tests on Debian's Xen, to judge the tests")
    sub.add_argument("--at-once", type=int, default=2, metavar="N", help="machines at the same time (2)")
    sub.add_argument("only", nargs="*", metavar="NAME", help="only tests whose name contains one of these")
    sub = command("guest", do_guest, "boot PV test guests (tests/guests/NAME) as dom0 and judge them", False)
    sub.add_argument("--peer", action="store_true", help="on Debian's Xen 4.17")
    sub.add_argument("--hv", metavar="PATH", help="on another hypervisor file")
    sub.add_argument("names", nargs="*", metavar="NAME")
    sub = command("bench", do_bench, "measure ourselves beside Debian's Xen 4.17 (docs/performance.md)", False)
    sub.add_argument("--rows", metavar="1-9,16", help="these rows only")
    sub.add_argument("-o", "--output", choices=["text", "json"], default="text")
    sub.add_argument("--against", metavar="FILE", help="an earlier bench.json: name what got more than 2 %% worse")
    sub.add_argument("--host-time", action="store_true", help="rows 1 to 12 as time on this host, too")
    sub.add_argument("--keep", action="store_true", help="keep the figures and the chart in docs/figures")
    sub = command("profile", do_profile, "count where the instructions of a boot and of starting a guest go", False)
    sub.add_argument("--top", type=int, default=15, metavar="N", help="functions shown for each phase (15)")
    sub.add_argument("--cpu", default="", help="QEMU's CPU model (qemu64)")
    sub = command("script", do_script, "run a shell script in dom0 and exit with its status")
    sub.add_argument("--overlay", action="append", default=[], metavar="DIR", help="copied over dom0's root first")
    sub.add_argument("--file", action="append", default=[], help="a file that the script finds in /mnt")
    sub.add_argument("--peer-store", action="store_true", help="Debian's xenstored, where ours is not there")
    sub.add_argument("--timeout", type=int, default=300, metavar="S")
    sub.add_argument("--log", default="script", metavar="NAME", help="name of the console's log")
    sub.add_argument("script")
    sub = command("fuzz", do_fuzz, "run the fuzz targets under libFuzzer", False)
    sub.add_argument("--seconds", type=int, default=60, metavar="S", help="for each target (60)")
    sub.add_argument("--keep", action="store_true", help="put what was found worth keeping into tests/fuzz/corpus")
    sub.add_argument("names", nargs="*", metavar="NAME")
    sub = command("mutants", do_mutants, "put old holes back, one at a time, and see that a test notices (docs/mutants.md)", False)
    sub.add_argument("--unit", action="store_true", help="only those that unit tests catch")
    sub.add_argument("names", nargs="*", metavar="NAME")
    commands.add_parser("help", help="this text").set_defaults(run=lambda _: top.print_help())
    return top


def main():
    options = parser().parse_args()
    try:
        return options.run(options) or 0
    except sh.LabError as error:
        say(f"lab: {error}")
        return 1
    except KeyboardInterrupt:
        say("lab: stopped")
        return 130


sys.exit(main())
