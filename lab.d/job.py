# SPDX-License-Identifier: MIT
"""Running a script in dom0 without a person: boot, run, get its output and exit status back, power off.

The script and a developer's overlay travel in an archive joined to the initramfs; output and status come back on two
virtio-serial ports that QEMU writes to files, so they are exact and apart from the console, which is kept as a log. A machine
that does not finish in time is killed and the end of its console is told. The clock starts when QEMU does.
"""
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cpio
import images
import machine
import paths
import sh


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


def _archive(into, script, overlays):
    """The initramfs of this run: the usual one, then one that holds the script and the overlays."""
    job = into / "job"
    job.mkdir()
    shutil.copyfile(script, job / "script")
    trees = [(folder, "overlay") for folder in overlays] + [(job, "overlay/run-job")]
    cpio.write(into / "more.cpio", trees)
    joined = into / "initrd"
    with open(joined, "wb") as out:
        for part in (images.dom0_initrd(), into / "more.cpio"):
            out.write(Path(part).read_bytes())
    return joined


def _stop(child):
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def _started(pidfile, child):
    """QEMU writes its pid file when it starts; before that a wrapper may be waiting for its turn."""
    while child.poll() is None and not pidfile.exists():
        time.sleep(0.1)


def run(which, script, *, overlays=(), timeout=300, console="console", on_console=None):
    """Boot `which` (a Machine), run `script` (a file) as root in its dom0; a Result, never an exception for a bad run."""
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    log = paths.LOGS / f"{console}.log"
    with tempfile.TemporaryDirectory(prefix="lab-") as temporary:
        folder = Path(temporary)
        which.append = f"{machine.DOM0_ARGS} mullion.run=/run-job/script {which.append}".strip()
        output, status, pidfile = folder / "output", folder / "status", folder / "pid"
        args = which.argv(_archive(folder, script, overlays))
        args += ["-serial", f"file:{log}", "-monitor", "none", "-pidfile", str(pidfile),
                 "-device", "virtio-serial-pci",
                 "-chardev", f"file,id=output,path={output}", "-chardev", f"file,id=status,path={status}",
                 "-device", "virtserialport,chardev=output,name=mullion.output",
                 "-device", "virtserialport,chardev=status,name=mullion.status"]
        log.write_bytes(b"")
        with open(folder / "qemu", "wb") as errors:
            child = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                     start_new_session=True)
        start, why = time.monotonic(), ""
        try:
            _started(pidfile, child)
            start = time.monotonic()
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            why = f"the machine was not done after {timeout} s and was stopped"
        finally:
            _stop(child)
        seconds = time.monotonic() - start
        said = status.read_text().strip() if status.exists() else ""
        text = output.read_text(errors="replace") if output.exists() else ""
        if not said and not why:
            complaint = (folder / "qemu").read_text(errors="replace").strip()
            why = f"the machine stopped before the script ended (QEMU's status {child.returncode}) {complaint}".strip()
        return Result(int(said) if said and not why else None, text, log, seconds, why)
