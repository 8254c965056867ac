# SPDX-License-Identifier: MIT
"""Where the workshop keeps things. Everything it makes is under build/, which git ignores."""
import fcntl
from contextlib import contextmanager
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
LAB = TREE / "lab.d"
BUILD = TREE / "build"
IMAGES = BUILD / "images"
LOGS = BUILD / "logs"
STAGE = BUILD / "stage"               # our programs as `meson install` lays them out
HYPERVISOR = BUILD / "hypervisor" / "mullion.elf"
FIGURES = BUILD / "figures.json"


@contextmanager
def only_one(name):
    """One process of the workshop at a time does what is inside; the others wait."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
