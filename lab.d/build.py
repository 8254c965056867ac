# SPDX-License-Identifier: MIT
"""Building with meson and ninja, and laying our programs out for dom0's image."""
import json
import re
import shutil

import paths
import sh
from progress import step

COUNT = re.compile(r"^\[(\d+)/(\d+)\]")


def _configured_prefix():
    options = paths.BUILD / "meson-info/intro-buildoptions.json"
    if not options.exists():
        return None
    return next(o["value"] for o in json.loads(options.read_text()) if o["name"] == "prefix")


def configure():
    prefix = _configured_prefix()
    if prefix is None:
        sh.run(["meson", "setup", paths.BUILD, paths.TREE, "--prefix=/usr"], "meson")
    elif prefix != "/usr":
        sh.run(["meson", "configure", paths.BUILD, "--prefix=/usr"], "meson")


def build():
    """Configure once, build what changed, and install into build/stage."""
    with step("configure") as at:
        if _configured_prefix() == "/usr":
            at.note = "as before"
        configure()
    with step("build") as at:
        def moved(line):
            if match := COUNT.match(line):
                at.at(int(match[1]), int(match[2]))
            elif line.startswith("ninja: no work"):
                at.note = "nothing to do"
        sh.run(["ninja", "-C", paths.BUILD], "ninja", on_line=moved)
        shutil.rmtree(paths.STAGE, ignore_errors=True)
        sh.run(["meson", "install", "-C", paths.BUILD, "--no-rebuild", "--destdir", paths.STAGE], "install")
        paths.STAGE.mkdir(exist_ok=True)
