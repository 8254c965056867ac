#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot PV test guests as dom0 of a hypervisor in QEMU and judge what they print.

    run.py --hypervisor ELF [--build DIR] [--cpu MODEL] [--icount] [NAME | NAME/TEST]...

A guest has passed when its last line is `N passed, 0 failed` with N > 0, as many PASS lines were
printed as it claims, and no line began with FAIL. The console is shown for guests that did not
(or always, with -v). The exit status is 0 when all passed. `--prefix` is put before each QEMU
command (a semaphore, for instance). table.json beside this file says what machine a guest wants;
`"nmi": N` there: NMIs rain on it, at least N of them.
"""
import argparse
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# QEMU's translator gives up, and ends, when another vCPU changes the code that it is reading (hostile_emulate): that says nothing of
# the hypervisor, so the guest is run again.
QEMU_DIED, QEMU_CHANCES = "tcg fatal error", 10
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$")


def load_table():
    with open(os.path.join(HERE, "table.json"), encoding="utf-8") as f:
        table = json.load(f)
    return {g["name"]: {**table["defaults"], **g} for g in table["guests"]}


def qemu_command(args, guest, test):
    elf = os.path.join(args.build, "tests", "guests", guest.get("elf", guest["name"]) + ".elf")
    if not os.path.exists(elf):
        sys.exit(f"{elf}: not built; run ninja -C {args.build}")
    words = " ".join(filter(None, [args.args or guest["args"], "end=reboot", f"only={test}" if test else ""]))
    append = (f"console=com1 com1=115200,8n1 dom0_mem={guest['dom0_memory']}M,"
              f"max:{guest['dom0_memory'] + 128}M "
              f"dom0_max_vcpus={guest['vcpus']} {args.append}")
    command = args.prefix.split() + [
        "qemu-system-x86_64", "-accel", "tcg", "-cpu", ",".join(filter(None, [args.cpu, guest.get("cpu")])), "-m", str(guest["memory"]),
        "-smp", str(guest["cpus"]), "-display", "none", "-serial", "stdio", "-no-reboot",
        "-kernel", args.hypervisor, "-append", append.strip(), "-initrd", f"{elf} {words}"]
    if args.icount or (guest.get("icount") and not args.no_icount):
        command += ["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01,clock=vm"]
    return command


class NmiStorm:
    """NMIs for every CPU, one after the other as fast as QEMU's monitor takes them, until QEMU ends. They start when all CPUs are
    there: before, no hypervisor could take one."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="nmi-")
        self.path, self.sent = os.path.join(self.folder.name, "monitor"), 0
        self.thread = threading.Thread(target=self._send, daemon=True)

    def options(self):
        return ["-monitor", f"unix:{self.path},server=on,wait=off"]

    def watch(self, output):
        if not self.thread.ident and b"CPUs online" in output:
            self.thread.start()

    def _send(self):
        with socket.socket(socket.AF_UNIX) as link:
            try:
                link.connect(self.path)
                said = b""
                while chunk := link.recv(4096):
                    said = (said + chunk)[-64:]
                    if said.endswith(b"(qemu) "):
                        link.sendall(b"nmi\n")
                        self.sent, said = self.sent + 1, b""
            except OSError:
                pass  # QEMU has ended

    def stop(self):
        if self.thread.ident:
            self.thread.join()
        self.folder.cleanup()


def run(command, timeout, done=None, watch=None):
    """All output until QEMU ends, until it says `done`, until two seconds after the summary line, or `timeout` seconds
    after the first output (a prefix may wait for its turn before that)."""
    output, deadline = b"", time.monotonic() + 900
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as qemu:
        seen = False
        while True:
            ready, _, _ = select.select([qemu.stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(qemu.stdout.fileno(), 65536) if ready else b""
            if chunk and not output:
                deadline = time.monotonic() + timeout
            output += chunk
            if watch:
                watch(output)
            if not chunk or done and done in output:
                break
            if not seen and re.search(rb"^\d+ passed, \d+ failed", output, re.M):
                seen, deadline = True, time.monotonic() + 2
        timed_out = qemu.poll() is None and not seen and not ready
        qemu.kill()
    return output.decode("latin-1").replace("\r", ""), timed_out


def judge(output, timed_out):
    """(reason or None, PASS lines)"""
    lines = [line.strip() for line in output.split("\n")]
    passes = [line for line in lines if line.startswith("PASS ")]
    fails = [line for line in lines if line.startswith("FAIL ")]
    summary = [m for m in map(SUMMARY.match, lines) if m]
    if not summary:
        return ("timed out before the summary line" if timed_out else
                "ended without the summary line (crashed?)"), passes
    passed, failed = map(int, summary[-1].groups())
    if failed or fails:
        return f"{failed or len(fails)} failed", passes
    if not passed or passed != len(passes):
        return f"summary says {passed} passed, {len(passes)} PASS lines were printed", passes
    return None, passes


def attempt(args, guest, test):
    """(output, reason or None, PASS lines) of one run."""
    storm = NmiStorm() if guest.get("nmi") else None
    command = qemu_command(args, guest, test) + (storm.options() if storm else [])
    output, timed_out = run(command, guest["timeout"], watch=storm.watch if storm else None)
    reason, passes = judge(output, timed_out)
    if storm:
        storm.stop()
        if storm.sent < guest["nmi"]:
            reason = reason or f"there were {storm.sent} NMIs only"
    return output, reason, passes


def main():
    p = argparse.ArgumentParser(description="Boot PV test guests in QEMU and judge them.")
    p.add_argument("--hypervisor", required=True, help="multiboot ELF of the hypervisor")
    p.add_argument("--build", default="build", help="the meson build folder (default: build)")
    p.add_argument("--cpu", default="max", help="QEMU's CPU model (the peer needs max,-smap)")
    p.add_argument("--append", default="", help="more hypervisor options")
    p.add_argument("--args", default="", help="the guest's own words, instead of table.json's")
    p.add_argument("--prefix", default="", help="words to put before each QEMU command")
    p.add_argument("--icount", action="store_true", help="count instructions: RDTSC = instructions")
    p.add_argument("--no-icount", action="store_true", help="not even the guests that want it")
    p.add_argument("-v", "--verbose", action="store_true", help="show every console")
    p.add_argument("-l", "--list", action="store_true", help="list the guests")
    p.add_argument("names", nargs="*", metavar="NAME[/TEST]")
    args = p.parse_args()
    table = load_table()
    if args.list:
        print("\n".join(table))
        return 0
    wanted = args.names or [n for n, g in table.items() if not g.get("manual")]
    bad = 0
    for name in wanted:
        name, _, test = name.partition("/")
        if name not in table:
            sys.exit(f"{name}: no such guest; there are: {', '.join(table)}")
        start = time.monotonic()
        for _ in range(QEMU_CHANCES):
            output, reason, passes = attempt(args, table[name], test)
            if QEMU_DIED not in output:
                break
        if reason or args.verbose:
            sys.stdout.write(output if args.verbose or not passes else "".join(
                line + "\n" for line in output.split("\n") if not line.startswith("PASS ")))
        elif name == "bench":
            print("\n".join(line for line in output.split("\n") if line.startswith("row ")))
        print(f"{'FAIL' if reason else 'PASS'} guest {name}: {reason or f'{len(passes)} tests'}"
              f" ({time.monotonic() - start:.1f} s)", flush=True)
        bad += bool(reason)
    print(f"{len(wanted) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
