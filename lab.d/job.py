# SPDX-License-Identifier: MIT
"""A machine that runs, and a job in its dom0.

A job is a small ext4 disk labelled mullion-job: `run`, a script that dom0's init runs as root; `overlay/`, copied over dom0's root
before its init starts; `shell`, present when a shell follows the script instead of power-off; and whatever files the
script wants. Its output and exit status come back on two virtio ports, exact and apart from the console. The same disk
serves a machine that boots from disks and one that boots from the ISO.

`Running` is one QEMU: `with Running(machine, folder) as vm`. It never outlives the `with`. A deadline starts when QEMU does.
"""
import dataclasses
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import paths
import sh

STEP = re.compile(r"^@(\w+) (.*)$")


@dataclass
class Result:
    status: int | None                # None: the machine never said
    output: str
    console: Path
    seconds: float
    why: str = ""                     # why there is no status

    def blame(self):
        """What to tell a person when this was not a success."""
        said = "\n".join("    " + line for line in self.output.splitlines()[-25:])
        head = self.why or f"the script in dom0 ended with status {self.status}"
        return f"{head}\n  it printed, last:\n{said}\n  console ({self.console}), last:\n{sh.tail(self.console)}"


def disk(into, script, *, files=None, overlays=(), shell=False):
    """Make the job disk `into`/job.img: `files` is {name: path or text}."""
    folder = into / "job"
    (folder / "overlay").mkdir(parents=True)
    shutil.copyfile(script, folder / "run")
    for name, content in (files or {}).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        else:
            target.write_text(content)
    for overlay in overlays:
        sh.run(["cp", "-a", f"{overlay}/.", folder / "overlay"], "job")
    if shell:
        (folder / "shell").touch()
    size = int(sh.output(["du", "-sm", folder]).split()[0]) + 8
    sh.run(["mke2fs", "-q", "-t", "ext4", "-L", "mullion-job", "-d", folder, "-E", "root_owner=0:0", "-O", "^has_journal",
            "-m", "0", into / "job.img", f"{size}M"], "mke2fs")
    return into / "job.img"


class Port:
    """One byte stream from the machine, read as it comes; `on_line` sees each whole line."""

    def __init__(self, on_line=None):
        self.ours, self.theirs = socket.socketpair()
        self.data, self.over, self.on_line, self._rest = b"", False, on_line, b""
        self.moved = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)

    def start(self):
        self.theirs.close()
        self.reader.start()

    def _read(self):
        while chunk := self._chunk():
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines if self.on_line else ():
                self.on_line(line.decode(errors="replace"))
            with self.moved:
                self.data += chunk
                self.moved.notify_all()
        with self.moved:
            self.over = True
            self.moved.notify_all()

    def _chunk(self):
        try:
            return self.ours.recv(65536)
        except OSError:
            return b""

    def wait_line(self):
        """The first whole line; None when the machine stops before it says one."""
        with self.moved:
            self.moved.wait_for(lambda: self.over or b"\n" in self.data)
            return self.data.split(b"\n")[0].decode() if b"\n" in self.data else None

    def text(self):
        """All of it, once the machine has stopped."""
        with self.moved:
            self.moved.wait_for(lambda: self.over, 5)
            return self.data.decode(errors="replace")


class Running:
    """QEMU with a console, the two job ports and a monitor."""

    def __init__(self, machine, folder, name, *, on_line=None, interactive=False):
        self.machine, self.folder, self.log = machine, folder, paths.LOGS / f"{name}.log"
        self.output, self.status = Port(on_line), Port()
        self.console = socket.socketpair() if interactive else None
        self.child, self.start = None, 0.0

    def _argv(self):
        ports = [("output", self.output), ("status", self.status)]
        args = ["-device", "virtio-serial-pci"]
        for name, port in ports:
            args += ["-chardev", f"socket,id={name},fd={port.theirs.fileno()}",
                     "-device", f"virtserialport,chardev={name},name=mullion.{name}"]
        if self.console:
            args += ["-chardev", f"socket,id=console,fd={self.console[1].fileno()},logfile={self.log}"]
        else:
            args += ["-chardev", f"file,id=console,path={self.log}"]
        return self.machine.argv() + args + ["-serial", "chardev:console", "-pidfile", str(self.folder / "pid"),
                                             "-monitor", f"unix:{self.folder / 'monitor'},server=on,wait=off"]

    def __enter__(self):
        paths.LOGS.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        keep = [self.output.theirs.fileno(), self.status.theirs.fileno()]
        keep += [self.console[1].fileno()] if self.console else []
        argv = self._argv()
        (self.folder / "command").write_text(shlex.join(argv))
        with open(self.folder / "qemu", "wb") as errors:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                          pass_fds=keep, start_new_session=True)
        for port in (self.output, self.status):
            port.start()
        if self.console:
            self.console[1].close()
        # QEMU writes its pid file when it starts; a wrapper in LAB_QEMU may make it wait for its turn first.
        while self.child.poll() is None and not (self.folder / "pid").exists():
            time.sleep(0.05)
        self.start = time.monotonic()
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()

    def seconds(self):
        return time.monotonic() - self.start

    def monitor(self, command):
        """What QEMU's monitor answers."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(str(self.folder / "monitor"))
            text = b""
            for prompt in (1, 2):
                while text.count(b"(qemu) ") < prompt:
                    text += link.recv(65536)
                if prompt == 1:
                    link.sendall(command.encode() + b"\n")
            return text.decode(errors="replace")

    def finish(self, timeout):
        """Wait for the machine to power off; a Result, never an exception for a bad run."""
        why = ""
        try:
            self.child.wait(max(1, timeout - self.seconds()))
        except subprocess.TimeoutExpired:
            why = f"the machine was not done after {timeout} s and was stopped"
            self.__exit__()
        seconds = self.seconds()
        said, text = self.status.text().strip(), self.output.text()
        if not said and not why:
            complaint = (self.folder / "qemu").read_text(errors="replace").strip()
            why = f"the machine stopped before the script ended (QEMU's status {self.child.returncode}) {complaint}"
        return Result(int(said) if said and not why else None, text, self.log, seconds, why.strip())


def run(machine, script, *, files=None, overlays=(), timeout=300, name="console", on_line=None, watch=None):
    """Boot `machine`, run `script` in its dom0. `watch(vm)` may hold on to the running machine."""
    with tempfile.TemporaryDirectory(prefix="lab-") as temporary:
        folder = Path(temporary)
        disks = [*machine.disks, disk(folder, script, files=files, overlays=overlays)]
        vm = Running(dataclasses.replace(machine, disks=disks), folder, name, on_line=on_line)
        if watch:
            watch(vm)
        with vm:
            return vm.finish(timeout)
