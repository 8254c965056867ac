# SPDX-License-Identifier: MIT
"""./lab test: runs what tests/system/plan.py lists, two machines at a time, and says what passed.

A test is a name and a function that returns None or what was wrong. A *group* is one machine that answers many tests: its
script in dom0 prints `@pass NAME SECONDS` or `@fail NAME SECONDS`, with the failing test's output before it, and `@end` last; a
group that does not reach `@end` is itself a failed test, so a machine that dies cannot pass.
"""
import importlib.util
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import paths
import sh


class Report:
    """Counts and prints results as they come, whole lines only."""

    def __init__(self):
        self.passed, self.failed, self.names, self.lock = 0, 0, [], threading.Lock()

    def add(self, name, seconds, wrong=None):
        with self.lock:
            self.passed += wrong is None
            self.failed += wrong is not None
            print(f"{'pass' if wrong is None else 'FAIL'} {seconds:7.1f} s  {name}", flush=True)
            if wrong is not None:
                self.names.append(name)
                print("\n".join("    " + line for line in wrong.splitlines()[-60:]), flush=True)


class Group:
    """Lines of a group's script turned into results."""

    def __init__(self, name, report):
        self.name, self.report, self.said, self.count, self.ended = name, report, [], 0, False

    def line(self, text):
        word, _, rest = text.partition(" ")
        if word in ("@pass", "@fail"):
            test, _, seconds = rest.rpartition(" ")
            self.report.add(f"{self.name}: {test}", float(seconds), "\n".join(self.said) if word == "@fail" else None)
            self.said, self.count = [], self.count + 1
        elif word == "@end":
            self.ended = True
        else:
            self.said.append(text)

    def verdict(self, result):
        if self.ended and self.count and result.status == 0:
            return None
        return f"ended early, after {self.count} tests\n{result.blame()}"


def _plan():
    spec = importlib.util.spec_from_file_location("plan", paths.TREE / "tests/system/plan.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _one(test, report):
    start = time.monotonic()
    try:
        wrong = test.run(report)
    except sh.LabError as error:
        wrong = str(error)
    except Exception as error:  # a broken test is a failed test, not the end of the others
        wrong = f"the test itself broke: {type(error).__name__}: {error}"
    if test.counts or wrong is not None:
        report.add(test.name, time.monotonic() - start, wrong)


def run(*, fast=False, only=(), peer=False, at_once=2):
    report, start = Report(), time.monotonic()
    tests = _plan().tests(fast=fast, peer=peer)
    if only:
        tests = [test for test in tests if any(word in test.name for word in only)]
    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(_one, test, report) for test in tests]:
            done.result()
    for name in report.names:
        print(f"failed: {name}")
    print(f"({time.monotonic() - start:.0f} s in all; logs in {paths.LOGS})")
    print(f"{report.passed} passed, {report.failed} failed", flush=True)
    return 1 if report.failed or not report.passed else 0
