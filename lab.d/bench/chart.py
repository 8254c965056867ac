# SPDX-License-Identifier: MIT
"""The figures as a bar chart: one bar a figure, its length the ratio to the peer on a logarithmic scale, its goal a tick. SVG, no library."""
import math
from html import escape

from bench import rows

LEFT, WIDTH, BAR, TOP, LOW, HIGH = 330, 560, 20, 74, 0.02, 4.0
STEPS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4]
COLOURS = {"good": "#2a7f62", "short": "#c98a1b", "over": "#b3372f"}


def _x(value):
    part = math.log(min(max(value, LOW), HIGH) / LOW) / math.log(HIGH / LOW)
    return round(LEFT + WIDTH * part, 1)


def _text(x, y, words, more=""):
    return f'<text x="{x}" y="{y}" {more}>{escape(words)}</text>'


def _scale(height):
    out = []
    for value in STEPS:
        strong = 'stroke="#222" stroke-width="1.5"' if value == 1 else 'stroke="#ddd"'
        out += [f'<line x1="{_x(value)}" y1="{TOP - 6}" x2="{_x(value)}" y2="{height - 34}" {strong}/>',
                _text(_x(value), TOP - 12, "as the peer" if value == 1 else f"{value:g}", 'text-anchor="middle" fill="#555"')]
    return out


def _bar(y, figure):
    row, value = rows.BY_NUMBER[figure["row"]], rows.ratio(figure)
    kind = "over" if value > 1 else "good" if rows.met(figure) else "short"
    goal = _x(rows.goal(figure))
    return [_text(LEFT - 8, y + 13, f"{row.number}  {figure['name']}", 'text-anchor="end"'),
            f'<rect x="{LEFT}" y="{y + 3}" width="{max(_x(value) - LEFT, 1):.1f}" height="{BAR - 7}" fill="{COLOURS[kind]}"/>',
            f'<line x1="{goal}" y1="{y}" x2="{goal}" y2="{y + BAR - 1}" stroke="#111" stroke-width="2.5"/>',
            _text(max(_x(value), goal) + 6, y + 13, f"{value:.2f}", 'paint-order="stroke" stroke="#fff" stroke-width="4"')]


def svg(document):
    """The chart of a bench.json; rows that have no ratio are left out."""
    shown = [f for f in document["figures"] if rows.ratio(f) is not None and not rows.BY_NUMBER[f["row"]].absolute]
    height = TOP + BAR * len(shown) + 44
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 70}" height="{height}" '
           'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="#fff"/>',
           _text(14, 22, "Mullion beside Debian's Xen 4.17: executed instructions, not time", 'font-size="16" font-weight="bold"'),
           _text(14, 40, f"ratio ours / peer on a logarithmic scale, less is better; commit {document['commit'][:12]}, "
                         f"{document['qemu'].split('(')[0].strip()}, -cpu {document['cpu']}", 'fill="#555"')]
    out += _scale(height)
    for number, figure in enumerate(shown):
        out += _bar(TOP + BAR * number, figure)
    x = 14
    for kind, words in (("good", "goal met"), ("short", "short of the goal"), ("over", "more than the peer")):
        out += [f'<rect x="{x}" y="{height - 22}" width="12" height="12" fill="{COLOURS[kind]}"/>', _text(x + 17, height - 12, words)]
        x += 150
    out += [f'<line x1="{x}" y1="{height - 24}" x2="{x}" y2="{height - 8}" stroke="#111" stroke-width="2.5"/>',
            _text(x + 8, height - 12, "the goal; row 14: what a hypervisor adds to the bare machine; row 23: bytes")]
    return "\n".join(out + ["</svg>", ""])
