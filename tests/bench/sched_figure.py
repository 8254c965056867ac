#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw docs/figures/scheduler.svg from a run of the sched guests.

    python3 tests/guests/run.py --hypervisor … -v sched sched-2 | python3 tests/bench/sched_figure.py > docs/figures/scheduler.svg

Reads `fig NAME GOT WANTED UNIT` lines: one bar each, a tick where it should end (or, for latency, at most).
"""
import re
import sys
from html import escape

LEFT, WIDTH, ROW, TOP = 330, 420, 19, 62
LINE = re.compile(r"^fig (\S+) (\d+) (\d+) (\S+)\s*$")


def read(lines):
    """[(CPUs, name, got, wanted, unit)]"""
    cpus, found = 0, []
    for name, got, wanted, unit in (m.groups() for m in map(LINE.match, lines) if m):
        if name == "cpus":
            cpus = int(got)
        else:
            found.append((cpus, name, int(got), int(wanted), unit))
    return found


def text(x, y, words, more=""):
    return f'<text x="{x}" y="{y}" {more}>{escape(words)}</text>'


def bar(y, figure):
    cpus, name, got, wanted, unit = figure
    full = 2000  # two CPUs, or 2 ms
    label = f"{got / 10:.1f} % of a CPU, promised {wanted / 10:.1f}" if unit == "milli-cpu" else f"{got} us, at most {wanted}"
    tick = LEFT + WIDTH * wanted / full
    colour = "#2a7f62" if unit == "milli-cpu" else "#2f6f9f"
    return [text(LEFT - 8, y + 13, f"{name.replace('-', ' ')}, {cpus} CPU{'s' if cpus > 1 else ''}", 'text-anchor="end"'),
            f'<rect x="{LEFT}" y="{y + 3}" width="{max(WIDTH * got / full, 1):.1f}" height="{ROW - 7}" fill="{colour}"/>',
            f'<line x1="{tick:.1f}" y1="{y}" x2="{tick:.1f}" y2="{y + ROW - 1}" stroke="#111" stroke-width="2"/>',
            text(LEFT + WIDTH + 12, y + 13, label)]


def main():
    figures = read(sys.stdin)
    if not figures:
        sys.exit("no fig lines: run the guests with -v")
    height = TOP + ROW * len(figures) + 16
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 240}" height="{height}" font-family="sans-serif" '
           'font-size="12">', '<rect width="100%" height="100%" fill="#fff"/>',
           text(14, 22, "The scheduler: what was promised (tick) and what was measured (bar)", 'font-size="16" font-weight="bold"'),
           text(14, 42, "tests/guests/sched in QEMU, -icount shift=0: time is counted in executed instructions, so each run gives the same", 'fill="#555"')]
    for number, figure in enumerate(figures):
        out += bar(TOP + ROW * number, figure)
    print("\n".join(out + ["</svg>"]))


if __name__ == "__main__":
    main()
