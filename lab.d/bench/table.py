# SPDX-License-Identifier: MIT
"""The figures of a run as text for a person, as JSON for a program, and against an earlier file."""
import datetime
import json
import subprocess

import paths
import sh
from bench import rows
from bench.measure import CPU

WORSE = 1.02                          # of an earlier figure: more is named
CAPTION = "executed instructions, not time: less work, seen by a machine that counts neither caches nor TLBs"


def _words(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=paths.TREE, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def document(figures):
    """What bench.json holds: the figures with their ratios, and what they were measured on."""
    qemu = _words(["qemu-system-x86_64", "--version"]).splitlines()
    return {
        "what": CAPTION,
        "commit": _words(["git", "rev-parse", "HEAD"]),
        "changed": bool(_words(["git", "status", "--porcelain", "--", "hypervisor", "tests/guests", "tests/bench", "frontend-drivers/rt"])),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "peer": "Debian's Xen 4.17", "cpu": CPU, "qemu": qemu[0] if qemu else "",
        "figures": [{**figure, "unit": row.unit, "goal": rows.goal(figure), "ratio": rows.ratio(figure), "goal_met": rows.met(figure)}
                    for figure in figures for row in [rows.BY_NUMBER[figure["row"]]]],
    }


def mark(figure):
    """What is to be said about a figure, in a word."""
    value = rows.ratio(figure)
    if value is not None and value > 1:
        return "MORE than the peer"
    words = {True: [], False: ["misses its goal"], None: ["cannot be said"]}[rows.met(figure)]
    words += [f"{side} {figure[side]:,}" for side in ("floor", "own library") if side in figure]
    return ", ".join(words)


def _number(value):
    return "" if value is None else f"{value:,}"


def text(figures):
    lines = [f"{'row':>3}  {'':<43} {'ours':>13} {'peer':>13} {'beside':>9} {'ratio':>6}  {'goal':>6}"]
    shown = None
    for figure in figures:
        row, value = rows.BY_NUMBER[figure["row"]], rows.ratio(figure)
        if row is not shown:
            lines.append(f"{row.number:>3}  {row.name}, {row.unit}" + (f"; beside: {row.beside}" if row.beside else "")
                         + (" (ratio of what each adds to that)" if row.gap else ""))
            shown = row
        goal = f"{row.goal:,.0f}" if row.absolute else f"{rows.goal(figure):.2f}"
        lines.append(f"{'':5}  {figure['name']:<41} {_number(figure.get('ours')):>13} {_number(figure.get('peer')):>13} "
                     f"{_number(figure.get(row.beside)):>9} {'' if value is None else format(value, '.2f'):>6}  {goal:>6}  "
                     f"{mark(figure)}".rstrip())
    values = [rows.ratio(figure) for figure in figures if not rows.BY_NUMBER[figure["row"]].absolute]
    over = sum(1 for value in values if value is not None and value > 1)
    missed = sum(1 for figure in figures if rows.met(figure) is False)
    lines += ["", f"{len(figures)} figures: {over} over the peer, {missed} short of their goals. {CAPTION[0].upper()}{CAPTION[1:]}."]
    return "\n".join(lines)


def host_text(figures):
    """The second table: time on this host. QEMU's translator decides much of it, so it is never the headline."""
    lines = ["", f"{'host TSC ticks, median, without -icount':<48} {'ours':>13} {'peer':>13} {'':>9} {'ratio':>6}"]
    for figure in (figure for figure in figures if "host" in figure):
        ours, peer = figure["host"]["ours"], figure["host"]["peer"]
        lines.append(f"{figure['row']:>3}  {figure['name']:<43} {ours:>13,} {peer:>13,} {'':>9} {ours / max(peer, 1):>6.2f}")
    return "\n".join(lines)


def worse(figures, path):
    """One line for each of our figures that is worse than in an earlier bench.json."""
    try:
        before = {(f["row"], f["name"]): f.get("ours") for f in json.loads(path.read_text())["figures"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise sh.LabError(f"{path} is not a bench.json: {error}") from None
    lines = []
    for figure in figures:
        ours, was = figure.get("ours"), before.get((figure["row"], figure["name"]))
        if ours is not None and was and ours > was * WORSE:
            lines.append(f"row {figure['row']} {figure['name']}: {was:,} before, {ours:,} now, {(ours / was - 1) * 100:.1f} % worse")
    return lines
