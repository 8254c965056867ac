# SPDX-License-Identifier: MIT
"""Mutants: old holes of Xen's, put back into a copy of the tree one at a time, and the test that must notice.

tests/mutants/NAME.toml says which advisory, what the change re-introduces, the edits (file, its old text, which must be there exactly
once, the new text), and `caught_by`: a test program that meson knows and the test in it ("mm_page_type: forbidden bits"), or a test
guest and a test of its own ("guest traps: iret"). `./lab mutants` makes each edit in build/mutants/tree, builds only what that test
needs, runs it, and takes the edit back. A mutant is caught when the named test fails; one that another test finds first is not, for
then the record is wrong.
"""
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass

import paths
import sh

HERE = paths.TREE / "tests/mutants"
TABLE = paths.TREE / "docs/mutants.md"
ROOT = paths.BUILD / "mutants"
TREE, BUILD = ROOT / "tree", ROOT / "build"
UNIT_TIMEOUT = 60
CHANCES = 20


@dataclass
class Mutant:
    name: str
    advisory: str
    what: str
    caught_by: str
    edit: list

    @property
    def machine(self):
        return self.caught_by.startswith("guest ")

    @property
    def program(self):
        return self.caught_by.partition(": ")[0]

    @property
    def test(self):
        return self.caught_by.partition(": ")[2]


def load(names=()):
    every = {path.stem: Mutant(path.stem, **tomllib.loads(path.read_text())) for path in sorted(HERE.glob("*.toml"))}
    for name in names:
        if name not in every:
            raise sh.LabError(f"{name}: there is no such mutant; there are {', '.join(every)}")
    return [every[name] for name in names or every]


def row(mutant):
    """The mutant's line in the table of docs/mutants.md."""
    where = ", ".join(dict.fromkeys(f"`{edit['file']}`" for edit in mutant.edit))
    return f"| {mutant.name} | {mutant.advisory} | {mutant.what} | {where} | {mutant.caught_by} |"


def misfits(mutants):
    """What is wrong with the records: an edit that does not fit the tree exactly once, a mutant that the table lacks; as lines of text."""
    wrong, table = [], TABLE.read_text().splitlines()
    for mutant in mutants:
        if row(mutant) not in table:
            wrong.append(f"docs/mutants.md lacks: {row(mutant)}")
        for edit in mutant.edit:
            text = (paths.TREE / edit["file"]).read_text() if (paths.TREE / edit["file"]).exists() else ""
            if text.count(edit["old"]) != 1 or edit["old"] == edit["new"]:
                wrong.append(f"tests/mutants/{mutant.name}.toml: its old text is {text.count(edit['old'])} times in {edit['file']}")
    return wrong


def _files(top):
    for folder, below, names in os.walk(top):
        below[:] = [name for name in below if name != "__pycache__" and (folder != str(top) or name not in ("build", ".git"))]
        yield from (os.path.relpath(os.path.join(folder, name), top) for name in names)


def _put(path, content):
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _sync():
    """Make TREE a copy of the tree; files that are the same keep their times, so that ninja leaves them alone."""
    wanted = set(_files(paths.TREE))
    for name in wanted:
        _put(TREE / name, (paths.TREE / name).read_bytes())
        (TREE / name).chmod((paths.TREE / name).stat().st_mode)
    for name in set(_files(TREE)) - wanted:
        (TREE / name).unlink()


def _tests():
    """Test programs by meson's name for them: (command, environment)."""
    tests = json.loads((BUILD / "meson-info/intro-tests.json").read_text())
    return {test["name"]: (test["cmd"], test["env"]) for test in tests}


def _prepare():
    _sync()
    if not (BUILD / "build.ninja").exists():
        sh.run(["meson", "setup", BUILD, TREE, "-Dwerror=false"], "mutants-setup")
    sh.run(["ninja", "-C", BUILD, "build.ninja"], "mutants-setup")


def failed_tests(output):
    """The CUnit tests that failed, by name: those that say so, and one that was under way when the program ended."""
    said = re.split(r"^ *Test: (.*?) \.\.\.", output, flags=re.M)
    return [name for name, rest in zip(said[1::2], said[2::2]) if "passed" not in rest.split("\n\n")[0]]


def _run(command, timeout, **how):
    """(did it fail, what it printed)"""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              check=False, **how)
        return done.returncode != 0, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return True, (late.stdout or b"").decode(errors="replace")


def _run_unit(mutant):
    tests = _tests()
    if mutant.program not in tests:
        raise sh.LabError(f"{mutant.name}: meson knows no test {mutant.program}")
    command, env = tests[mutant.program]
    sh.run(["ninja", "-C", BUILD, os.path.relpath(command[0], BUILD)], "mutants-build")
    # Two threads meet by chance: here they get more chances than in a unit test.
    for seed in range(1, 1 + (CHANCES if mutant.program.startswith("threads") else 1)):
        failed, output = _run(command, UNIT_TIMEOUT, env={**os.environ, **env, "THREADS_STEPS": "300000", "THREADS_SEED": str(seed)})
        if failed:
            break
    return failed, failed_tests(output), output


def _run_guest(mutant):
    sh.run(["ninja", "-C", BUILD, "hypervisor/mullion.elf"], "mutants-build")
    guest = mutant.program.removeprefix("guest ")
    wrapper = os.environ.get("LAB_QEMU", "").split()[:-1]
    command = [sys.executable, "-B", paths.TREE / "tests/guests/run.py", "-v", "--hypervisor", BUILD / "hypervisor/mullion.elf",
               "--build", paths.BUILD, "--prefix", " ".join(wrapper), f"{guest}/{mutant.test}" if mutant.test else guest]
    _, output = _run(command, None)
    failed = bool(re.search("^FAIL guest", output, flags=re.M))
    if "(mullion)" not in output or not failed and not re.search("^PASS guest", output, flags=re.M):
        raise sh.LabError(f"{mutant.name}: {guest} did not run:\n{output}")
    return failed, [mutant.test] if failed else [], output


def run_one(mutant):
    """(None or what went wrong, seconds)"""
    start = time.monotonic()
    for edit in mutant.edit:
        path = TREE / edit["file"]
        path.write_text(path.read_text().replace(edit["old"], edit["new"]))
    try:
        failed, tests, output = (_run_guest if mutant.machine else _run_unit)(mutant)
    finally:
        for edit in mutant.edit:
            _put(TREE / edit["file"], (paths.TREE / edit["file"]).read_bytes())
    (paths.LOGS / "mutants").mkdir(parents=True, exist_ok=True)
    (paths.LOGS / "mutants" / f"{mutant.name}.log").write_text(output)
    wrong = None
    if not failed:
        wrong = f"survived: {mutant.caught_by} passed"
    elif mutant.test and mutant.test not in tests:
        wrong = f"{mutant.caught_by} did not fail, but {', '.join(tests) or 'the program'} did"
    return wrong, time.monotonic() - start


def chosen(names=(), machines=True):
    """These mutants, or all; machines: those that take a test guest, too."""
    return [mutant for mutant in load(names) if machines or not mutant.machine]


def _say(text):
    print(text, flush=True)


def run(mutants, report=_say):
    """Try them. The number that was not caught."""
    wrong = misfits(mutants)
    if wrong:
        raise sh.LabError("\n".join(wrong))
    missed = 0
    with paths.only_one("mutants"):
        _prepare()
        for mutant in mutants:
            error, seconds = run_one(mutant)
            missed += error is not None
            report(f"{'caught  ' if error is None else 'SURVIVED'} {seconds:5.1f} s  {mutant.name:<10} {error or mutant.caught_by}")
    report(f"{len(mutants) - missed} of {len(mutants)} caught")
    return missed
