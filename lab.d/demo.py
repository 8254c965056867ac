# SPDX-License-Identifier: MIT
"""./lab demo: the whole machine doing its main job, for a person or, with check, for a test.

The work inside dom0 is demo.sh; here its lines become progress, the page's bytes are compared, and the figures are kept.
"""
import base64
import dataclasses
import json
import tempfile
from pathlib import Path

import console
import job
import paths
import sh
from progress import say, step

DOCUMENT = paths.TREE / "docs/examples/web.json"
PAGE = paths.LAB / "guest/index.html"
SCRIPT = paths.LAB / "demo.sh"


class Show:
    """Reads the script's lines as they come."""

    def __init__(self, quiet=False):
        self.quiet, self.page, self.figures, self.text = quiet, None, {}, []
        self.vm, self.step = None, None

    def begin(self, title):
        self.end()
        if not self.quiet:
            self.step = step(title).__enter__()

    def end(self, failed=False):
        if self.step:
            self.step.__exit__(failed or None)
            self.step = None

    def line(self, text):
        match = job.STEP.match(text)
        if not match:
            self.text.append(text)
        elif match[1] == "step":
            self.begin(match[2])
        elif match[1] == "page":
            self.page = base64.b64decode(match[2])
        elif match[1] == "figure":
            name, value = match[2].split()
            self._figure(name, float(value) if "." in value else int(value))

    def _figure(self, name, value):
        # dom0's clock starts with dom0; QEMU's start is known here, so one moment known in both relates them.
        if name == "uptime_s":
            self.offset = self.vm.seconds() - value
            self.figures["dom0_first_process_s"] = round(self.first + self.offset, 2)
        elif name == "dom0_first_process_uptime_s":
            self.first = value
        elif name == "page_uptime_s":
            self.figures["page_s"] = round(value + self.offset, 2)
        elif name.startswith("rss_kib_"):
            self.figures[name] = max(value, self.figures.get(name, 0))
        else:
            self.figures[name] = value


def judge(show, result):
    """None when the demonstration was right, else what was wrong."""
    if result.status != 0:
        return result.blame()
    if show.page != PAGE.read_bytes():
        got = "nothing" if show.page is None else f"{len(show.page)} bytes"
        return f"the guest's page is wrong: expected {PAGE.stat().st_size} bytes of {PAGE}, got {got}\n{result.blame()}"
    return None


def check(which, *, name="demo", timeout=600, quiet=False, overlays=(), watch=None):
    """The demonstration without a person: (what was wrong or None, figures)."""
    show = Show(quiet)

    def on_start(vm):
        show.vm = vm
        if watch:
            watch(vm, show)
    show.begin("boot hypervisor and dom0")
    result = job.run(which, SCRIPT, files={"web.json": DOCUMENT}, overlays=overlays, timeout=timeout, name=name,
                     on_line=show.line, watch=on_start)
    wrong = judge(show, result)
    show.end(failed=bool(wrong))
    if not quiet:
        print("\n".join(show.text))
    return wrong, show.figures


def keep_figures(which, figures):
    line = {"machine": which.words(), **figures}
    paths.FIGURES.write_text(json.dumps(line, indent=1) + "\n")
    say("  figures: " + ", ".join(f"{name} {value}" for name, value in figures.items()))


def demo(which, *, check_only):
    if check_only:
        wrong, figures = check(which)
        if wrong:
            raise sh.LabError(f"the demonstration failed: {wrong}")
        keep_figures(which, figures)
        return 0
    return _for_a_person(which)


def _for_a_person(which):
    show = Show()
    with tempfile.TemporaryDirectory(prefix="lab-") as temporary:
        folder = Path(temporary)
        disks = [*which.disks, job.disk(folder, SCRIPT, files={"web.json": DOCUMENT}, shell=True)]
        show.vm = vm = job.Running(dataclasses.replace(which, disks=disks), folder, "demo", on_line=show.line, interactive=True)
        show.begin("boot hypervisor and dom0")
        with vm:
            status = vm.status.wait_line()
            show.end(failed=status != "0")
            print("\n".join(show.text), flush=True)
            if status is None:
                raise sh.LabError(vm.finish(1).blame())
            say("\n  This is dom0's shell: `mullion list`, `mullion console web`, `poweroff -f`. Ctrl-\\ stops the machine.\n")
            console.interact(vm)
    return 0 if status == "0" else 1
