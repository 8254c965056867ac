# SPDX-License-Identifier: MIT
"""Mullion's workshop, the part behind ./lab: reads the command and calls the module that does it."""
import argparse
import sys
from pathlib import Path

import images
import job
import machine
import paths
import sh
from progress import say, step


def machine_options(parser):
    add = parser.add_argument
    add("--smp", type=int, default=1, help="CPUs")
    add("--mem", default="2G", help="memory")
    add("--cpu", default="max", help="QEMU's CPU model: max, qemu64 …")
    add("--machine", default="pc", choices=["pc", "q35"])
    add("--bus", default="virtio", choices=["virtio", "sata"], help="of dom0's disks and NIC")
    add("--accel", default="tcg", choices=["tcg", "kvm"])
    add("--peer", action="store_true", help="Debian's Xen 4.17 as the hypervisor")
    add("--hv", help="another hypervisor file")
    add("--hv-append", default="", help="more arguments for the hypervisor")
    add("--append", default="", help="more arguments for the dom0 kernel")
    add("--icount", action="store_true", help="count instructions: one TSC tick each")


def make_machine(options, **more):
    names = ("smp", "mem", "cpu", "machine", "bus", "accel", "peer", "hv", "hv_append", "append", "icount")
    return machine.Machine(**{name: getattr(options, name) for name in names}, **more)


def do_images(_):
    with step("images") as at:
        made = images.all_images(at)
    for name, path in made.items():
        say(f"    {name:<8} {path}")


def do_script(options):
    with paths.only_one("images"):
        made = images.all_images()
    which = make_machine(options, disks=[made["root"], made["guests"]])
    overlays = [images.peer_store()] if options.peer_store else []
    overlays += [Path(folder) for folder in options.overlay]
    result = job.run(which, options.script, overlays=overlays, timeout=options.timeout,
                     console=options.log)
    sys.stdout.write(result.output)
    if result.status is None:
        raise sh.LabError(result.blame())
    return result.status


def parser():
    top = argparse.ArgumentParser(prog="./lab", description="Mullion's workshop.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("images", help="make the images").set_defaults(run=do_images)
    script = commands.add_parser("script", help="run a shell script in dom0 and exit with its status")
    machine_options(script)
    script.add_argument("--overlay", action="append", default=[], help="folder copied over dom0's root first")
    script.add_argument("--peer-store", action="store_true", help="Debian's xenstored, where ours is not there")
    script.add_argument("--timeout", type=int, default=300)
    script.add_argument("--log", default="script", help="name of the console's log")
    script.add_argument("script")
    script.set_defaults(run=do_script)
    return top


def main():
    options = parser().parse_args()
    try:
        return options.run(options) or 0
    except sh.LabError as error:
        say(f"lab: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


sys.exit(main())
