# SPDX-License-Identifier: MIT
"""What ./lab test holds us to: tests/guests/bench/ceilings.json, figures that may be lowered and are never raised.

Both checks are fast: instruction counts repeat to the last one, so a single run of a guest says it all.
"""
import json

import paths
from bench import lines, measure

FILE = paths.TREE / "tests/guests/bench/ceilings.json"


def _ceilings():
    return json.loads(FILE.read_text())


def operations():
    """None, or which of rows 1 to 12 cost more than they may."""
    may = {(int(row), name): most for row, names in _ceilings()["rows"].items() for name, most in names.items()}
    got = measure.bench_guest("ours") | measure.two_domains("ours")
    wrong = [f"row {row} {name}: {got[row, name]} instructions, and its ceiling is {most}"
             for (row, name), most in sorted(may.items()) if (row, name) in got and got[row, name] > most]
    wrong += [f"row {row} {name}: no guest prints it" for row, name in sorted(may.keys() - got.keys())]
    wrong += [f"row {row} {name}: has no ceiling in {FILE.name}" for row, name in sorted(got.keys() - may.keys())]
    return "\n".join(wrong) or None


def trusted_code():
    """None, or by how much the hypervisor is too long."""
    count, most = lines.trusted(), _ceilings()["trusted_lines"]
    return None if count <= most else f"hypervisor/ has {count} lines, and its ceiling is {most}"
