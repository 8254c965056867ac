# SPDX-License-Identifier: MIT
"""What a person sees while work is done.

`step("title")` opens one long step; `.at(done, total)` moves its bar. On a terminal the step is one line that is
redrawn, with a bar when the total is known and the seconds so far always; elsewhere it is one plain line when the step ends,
so that a log stays readable. Invariant: only one step is open at a time in a process.
"""
import sys
import threading
import time

WIDTH = 24


class Step:
    def __init__(self, title):
        self.title, self.done, self.total, self.note = title, 0, 0, ""
        self.tty = sys.stderr.isatty()
        self.start = time.monotonic()
        self.over = threading.Event()
        self.ticker = None

    def __enter__(self):
        if self.tty:
            self.ticker = threading.Thread(target=self._tick, daemon=True)
            self.ticker.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        if self.ticker:
            self.ticker.join()
        seconds = time.monotonic() - self.start
        word = "failed" if kind else (self.note or "done")
        lead = "\r\033[K" if self.tty else ""
        print(f"{lead}  {self.title:<44} {word} ({seconds:.1f} s)", file=sys.stderr, flush=True)

    def at(self, done, total):
        self.done, self.total = done, total

    def _tick(self):
        while not self.over.wait(0.1):
            bar = ""
            if self.total:
                full = WIDTH * min(self.done, self.total) // self.total
                bar = "[" + "#" * full + "." * (WIDTH - full) + "] "
            seconds = time.monotonic() - self.start
            print(f"\r\033[K  {self.title:<44} {bar}{seconds:.0f} s", end="", file=sys.stderr, flush=True)


def step(title):
    return Step(title)


def say(text):
    print(text, file=sys.stderr, flush=True)
