#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our xenstore daemon beside Debian's C xenstored and oxenstored, on this host's socket: docs/figures/store.json and store.svg.

usage: store_bench.py BUILD [OUTPUT-FOLDER]     (needs Debian's daemons, see tests/unit/xenstore/peers.py)
Requests a second depend on the machine and on what else runs on it; the daemon's own processor time for one does so much less, and
the figure shows that.
"""
import json
import os
import subprocess
import sys
from html import escape

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/xenstore"))
import peers  # pylint: disable=wrong-import-position

BUILD = os.path.abspath(sys.argv[1])
OUT = sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/figures")
CLIENTS, SECONDS, DOMAINS = (1, 16, 256), 3, 1000
COLOURS = {"ours": "#2a7f62", "c": "#b5651d", "ocaml": "#2f6f9f"}
NAMES = {"ours": "mullion-xenstored", "c": "C xenstored 4.17", "ocaml": "oxenstored 4.17"}


def bench(host, *args):
    done = subprocess.run([f"{BUILD}/tests/unit/xenstore/store-bench", host.path, str(host.pid()), *map(str, args)], capture_output=True,
                          text=True, timeout=600, check=False)
    if done.returncode:
        raise SystemExit(f"{host.kind}: {args}: {done.stderr}{host.messages()[-500:]}")
    return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]


def measure(kind, program):
    found = {}
    host = peers.Host(kind, program, f"{BUILD}/tests/unit/xenstore/no-hypervisor.so")
    try:
        for mode in ("read", "write", "txn"):
            for n in CLIENTS:
                rate, cpu = bench(host, mode, n, SECONDS)[0]
                found[f"{mode} {n}"] = {"per_second": rate, "cpu_us": cpu}
        count, repeated, seconds = bench(host, "siblings", 64, 1000 if kind == "ours" else 20)[0]
        found["siblings 64"] = {"transactions": count, "repeated": repeated, "seconds": seconds}
    finally:
        host.end()
    host = peers.Host(kind, program, f"{BUILD}/tests/unit/xenstore/no-hypervisor.so")
    try:
        found["domains"] = [dict(zip(("domains", "us", "cpu_us", "kib"), line)) for line in bench(host, "domains", DOMAINS, 0)]
    finally:
        host.end()
    return found


def text(x, y, words, more=""):
    return f'<text x="{x}" y="{y}" {more}>{escape(words)}</text>'


def bars(results, top):
    out, y = [text(14, top, "Processor time of the daemon for one, microseconds", 'font-weight="bold"')], top + 8
    most = max(v["cpu_us"] for r in results.values() for k, v in r.items() if "cpu_us" in v)
    for mode, label in (("read", "read"), ("write", "write"), ("txn", "transaction: read, write")):
        for n in CLIENTS:
            for kind, result in results.items():
                got = result[f"{mode} {n}"]
                width = 420 * got["cpu_us"] / most
                if kind == "ours":
                    out.append(text(252, y + 11, f"{label}, {n} client{'s' if n > 1 else ''}", 'text-anchor="end"'))
                out += [f'<rect x="260" y="{y + 2}" width="{width:.1f}" height="9" fill="{COLOURS[kind]}"/>',
                        text(266 + width, y + 11, f"{got['cpu_us']:.1f}  ({got['per_second']:,.0f}/s)", 'font-size="10"')]
                y += 12
            y += 5
    return out, y


def curve(results, top, key, title, scale, unit):
    x0, x1, height = 260, 680, 110
    most = max(p[key] for r in results.values() for p in r["domains"][1:]) * 1.05
    out = [text(14, top, title, 'font-weight="bold"'), f'<path d="M{x0} {top + 10}V{top + height}H{x1}" fill="none" stroke="#555"/>',
           text(x0 - 8, top + 20, f"{most / scale:.1f} {unit}", 'text-anchor="end"'), text(x0 - 8, top + height, "0", 'text-anchor="end"'),
           text(x1, top + height + 14, f"{DOMAINS} domains", 'text-anchor="end"')]
    for kind, result in results.items():
        points = " ".join(f"{x0 + (x1 - x0) * p['domains'] / DOMAINS:.1f},{top + height - (height - 10) * p[key] / most:.1f}"
                          for p in result["domains"][1:])
        out.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[kind]}" stroke-width="2"/>')
        out.append(text(x1 + 8, top + height - (height - 10) * result["domains"][-1][key] / most + 4,
                        f"{result['domains'][-1][key] / scale:.1f} {unit}", f'font-size="10" fill="{COLOURS[kind]}"'))
    return out, top + height + 36


def draw(results):
    body, y = bars(results, 66)
    part, y = curve(results, y + 22, "cpu_us", "One create of a domain: 120 nodes in a transaction, 6 watches; processor time", 1000, "ms")
    body += part
    part, y = curve(results, y, "kib", "Memory", 1024, "MiB")
    body += part
    legend = []
    for number, kind in enumerate(results):
        legend += [f'<rect x="{14 + 190 * number}" y="34" width="11" height="11" fill="{COLOURS[kind]}"/>', text(30 + 190 * number, 44, NAMES[kind])]
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="830" height="{y}" font-family="sans-serif" font-size="12">',
                      '<rect width="100%" height="100%" fill="#fff"/>',
                      text(14, 22, "The store, beside Debian's two, on one host's socket", 'font-size="16" font-weight="bold"'), *legend, *body, "</svg>\n"])


def main():
    folder = peers.debian(BUILD)
    if not folder:
        raise SystemExit("xen-utils-4.17 is not here: `./lab test unit` fetches it")
    programs = {"ours": f"{BUILD}/xenstore/daemon/mullion-xenstored", "c": f"{folder}/xenstored", "ocaml": f"{folder}/oxenstored"}
    results = {kind: measure(kind, program) for kind, program in programs.items()}
    with open(f"{OUT}/store.json", "w", encoding="utf-8") as file:
        json.dump({"what": "requests a second and the daemon's processor time, natively on the socket; tests/bench/store_bench.py", **results}, file, indent=1)
        file.write("\n")
    with open(f"{OUT}/store.svg", "w", encoding="utf-8") as file:
        file.write(draw(results))
    for kind, result in results.items():
        print(NAMES[kind], *(f"{k}: {v['per_second']:.0f}/s {v['cpu_us']:.1f} us;" for k, v in result.items() if "cpu_us" in v), result["siblings 64"],
              result["domains"][1], result["domains"][-1])


if __name__ == "__main__":
    main()
