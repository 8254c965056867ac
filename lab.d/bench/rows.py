# SPDX-License-Identifier: MIT
"""The rows of the performance table, and the one rule by which each of their figures is judged.

A row has one or more figures. A figure holds what was measured on each side: "ours", "peer", and what the row shows beside them: for
row 14 "bare" (the same kernel without a hypervisor), for row 17 "oxenstored" (the peer's other daemon), "floor" (a daemon that
does nothing) and "own library" (libmullionstore in libxenstore's place). Rows 13, 18 to 22 and 24 have no instrument yet: they get
a line here and one in measure.py.
"""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    number: int
    name: str
    unit: str
    goal: float                       # of the ratio; of the figure itself when `absolute`
    how: str
    absolute: bool = False
    gap: bool = False                 # the ratio is (ours - bare) / (peer - bare)
    beside: str = ""                  # what else is shown: a side of its figures
    goals: dict = field(default_factory=dict, hash=False)        # of figures that have their own


GUEST = "the bench guest as dom0; one TSC tick is one instruction"
LINUX = "tests/bench/lmb.c as init in dom0, on both and on the bare machine"
STORE = "tests/bench/store_ops.c as init in dom0, with Debian's libxenstore; C xenstored and oxenstored on the peer"
COUNT = "each executed instruction counted by address (tests/bench/count.c), exact"

ROWS = [
    Row(1, "null hypercall", "instructions", 0.30, GUEST),
    Row(2, "multicall, each entry", "instructions", 0.25, GUEST),
    Row(3, "system call bounce", "instructions", 0.25, GUEST),
    Row(4, "exception bounce", "instructions", 0.30, GUEST),
    Row(5, "PTE update in a batch, each", "instructions", 0.15, GUEST),
    Row(6, "one PTE", "instructions", 0.25, GUEST),
    Row(7, "pin and unpin an L1", "instructions", 0.15, GUEST),
    Row(8, "page-table switch", "instructions", 0.35, GUEST),
    Row(9, "event to oneself", "instructions", 0.35, GUEST),
    Row(10, "event to another domain and its answer", "instructions", 0.40, "the guest pingpong as dom0 and a child of its own, each blocked in turn"),
    Row(11, "grant map and unmap", "instructions", 0.25, GUEST),
    Row(12, "grant copy", "instructions", 0.25, GUEST),
    Row(14, "Linux in dom0 against the bare machine", "instructions", 1 / 3, LINUX, gap=True, beside="bare"),
    Row(15, "dom0 boot, spent in the hypervisor", "instructions", 0.35, COUNT + ", from the kernel's first to init's first"),
    Row(16, "hypervisor boot", "instructions", 0.10, COUNT + ", from the loader's jump to the kernel's first"),
    Row(17, "xenstore in dom0, a request of a client", "instructions", 0.35, STORE, beside="oxenstored",
        goals={"read-modify-write transaction": 0.25, "read-modify-write transaction with 300 guests": 0.25}),
    Row(23, "hypervisor memory for each domain", "bytes", 0.25,
        "the density guest as dom0: free memory lost to paused one-vCPU domains, less what they own"),
    Row(25, "trusted code", "lines", 16000, "neither blank nor comment; the peer's x86 tree, not all of it built", absolute=True),
]
BY_NUMBER = {row.number: row for row in ROWS}


def parse(text):
    """"1-9,16" as a set of numbers; every number must be a row that there is."""
    wanted = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise ValueError(f"'{part}' is not a row or a range of rows")
        span = range(int(first), int(last or first) + 1)
        if not any(number in BY_NUMBER for number in span):
            raise ValueError(f"there is no row {part}; there are {', '.join(map(str, BY_NUMBER))}")
        wanted.update(number for number in span if number in BY_NUMBER)
    return wanted


def ratio(figure):
    """Ours over the peer's, None where one is missing."""
    ours, peer, bare = figure.get("ours"), figure.get("peer"), figure.get("bare")
    if not BY_NUMBER[figure["row"]].gap:
        return ours / peer if ours is not None and peer else None
    if None in (ours, peer, bare) or peer <= bare:
        return None
    return (ours - bare) / (peer - bare)


def goal(figure):
    row = BY_NUMBER[figure["row"]]
    return row.goals.get(figure["name"], row.goal)


def met(figure):
    """Whether the goal is met; None when it cannot be said."""
    value = figure.get("ours") if BY_NUMBER[figure["row"]].absolute else ratio(figure)
    return value <= goal(figure) if value is not None else None
