#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot the hypervisor on machines that are small, large, without firmware tables or with wrong ones, or given a bad kernel, and judge the console.

    tests/guests/machines.py --hypervisor build/hypervisor/mullion.elf [--prefix CMD] [NAME...]

On every machine either all of the hello guest's tests pass, or the hypervisor refuses with the words named here; it never stops by panic().
"""
import argparse
import os
import random
import sys
import tempfile
import time

import run

# name → QEMU's words (GARBAGE: a file of 300 random bytes), the module (None: none, "hello", or bytes), what the console must say
MACHINES = {
    "512 MiB": (["-m", "512"], "hello", ["1 CPUs online"]),
    "16 GiB": (["-m", "16384"], "hello", ["Memory: 1638"]),
    "8 CPUs": (["-m", "512", "-smp", "8", "-machine", "q35", "-cpu", "max"], "hello", ["8 CPUs online"]),
    "old CPU": (["-m", "512", "-cpu", "qemu64"], "hello", []),
    "CPU without NX": (["-m", "512", "-cpu", "qemu64,-nx"], None, ["processor with NX"]),
    "no ACPI tables": (["-m", "512", "-machine", "pc,acpi=off"], "hello", ["ACPI: no tables found", "by PIT"]),
    "random MADT": (["-m", "512", "-acpitable", "sig=APIC,data=GARBAGE"], "hello", []),
    "random FADT": (["-m", "512", "-smp", "2", "-acpitable", "sig=FACP,data=GARBAGE"], "hello", []),
    "no module": (["-m", "512"], None, ["the boot loader gave no module", "The machine is halted"]),
    "short module": (["-m", "512"], b"no kernel", ["shorter than an ELF header", "Give dom0's kernel", "The machine is halted"]),
    "random module": (["-m", "512"], bytes(4096), ["not an ELF file", "Give dom0's kernel", "The machine is halted"]),
    "bzImage": (["-m", "512"], bytes(0x202) + b"HdrS" + bytes(4096), ["bzImage", "unpack-kernel", "The machine is halted"]),
    "cut ELF": (["-m", "512"], "cut", ["No control domain can be started", "The machine is halted"]),
    "64 MiB": (["-m", "64"], "hello", ["dom0_mem=256M is more than there is"]),
}


def boot(args, name, folder):
    words, module, wanted = MACHINES[name]
    garbage = os.path.join(folder, "garbage")
    with open(garbage, "wb") as f:
        f.write(random.Random(name).randbytes(300))
    command = args.prefix.split() + ["qemu-system-x86_64", "-accel", "tcg", "-display", "none", "-serial", "stdio", "-no-reboot",
                                     "-kernel", args.hypervisor, "-append", "console=com1 dom0_mem=256M"]
    command += [word.replace("GARBAGE", garbage) for word in words]
    hello = os.path.join(args.build, "tests/guests/hello.elf")
    if module == "cut":
        with open(hello, "rb") as f:
            module = f.read(20000)
    if isinstance(module, bytes):
        path = os.path.join(folder, "module")
        with open(path, "wb") as f:
            f.write(module)
        command += ["-initrd", path]
    elif module:
        command += ["-initrd", f"{hello} end=reboot"]
    output, timed_out = run.run(command, 60, done=None if module == "hello" else b"The machine is halted")
    missing = [text for text in wanted if text not in output]
    if missing:
        return f"the console does not say {missing[0]!r}", output
    if "The hypervisor stops" in output:
        return "the hypervisor panicked", output
    return (run.judge(output, timed_out)[0] if module == "hello" else None), output


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--hypervisor", required=True)
    p.add_argument("--build", default="build")
    p.add_argument("--prefix", default="", help="words to put before each QEMU command")
    p.add_argument("names", nargs="*")
    args = p.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in args.names or MACHINES:
            begun = time.monotonic()
            wrong, output = boot(args, name, folder)
            if wrong:
                sys.stdout.write(output)
            print(f"{'FAIL' if wrong else 'PASS'} machine {name}: {wrong or 'as it should'} ({time.monotonic() - begun:.1f} s)", flush=True)
            bad += bool(wrong)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
