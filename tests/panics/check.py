#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/panics.md lists every place where the hypervisor may stop the machine: file, function, text, and why no guest reaches it.

    check.py TREE     fails, and prints the rows that are missing or stale, when list and code disagree

A place is a call of panic(), __builtin_trap(), __builtin_unreachable() or assert() in C, or an undefined instruction (ud2) in C or
assembly. It is named by file, function and text, not by line: code may move freely, but a new way to stop needs its reason.
"""
import collections
import os
import re
import sys

STOP = re.compile(r'\b(panic|__builtin_trap|__builtin_unreachable|assert|BUG|BUG_ON)\s*\(\s*((?:"(?:[^"\\]|\\.)*"\s*)*)')
UD2 = re.compile(r"\bud2\b")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
# a function begins with a name and parameters at the left margin (C), or with a label (assembly)
FUNCTION = re.compile(r"^(?![\s#}/])(?:[\w*][\w\s*]*?)?\b(\w+)\s*\([^;{}]*\)[\w\s()]*\{", re.M)
LABEL = re.compile(r"^([A-Za-z_]\w*):", re.M)
DECLARATION = re.compile(r"^(?:void|static|extern|#define)\b", re.M)
SHORTEST_REASON = 30


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def last_name(pattern, text, end):
    name = "?"
    for m in pattern.finditer(text, 0, end):
        name = m.group(1)
    return name


def stops_of(path, name):
    with open(path, encoding="utf-8") as f:
        text = COMMENT.sub(blank, f.read())
    names = LABEL if path.endswith(".S") else FUNCTION
    for m in STOP.finditer(text):
        line = text[text.rfind("\n", 0, m.start()) + 1:m.start()]
        if DECLARATION.match(line):
            continue
        words = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', m.group(2))) or m.group(1)
        yield name, last_name(names, text, m.start()), words.removesuffix("\\n")
    for m in UD2.finditer(text):
        yield name, last_name(names, text, m.start()), "ud2"


def stops_in_code(tree):
    found = collections.Counter()
    for folder, _, files in os.walk(os.path.join(tree, "hypervisor")):
        for name in sorted(files):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, os.path.join(tree, "hypervisor"))
            if name.endswith((".c", ".h", ".S")) and not relative.startswith("arch/fake/"):
                found.update(stops_of(path, relative))
    return found


def stops_in_list(path):
    listed, complaints = collections.Counter(), []
    with open(path, encoding="utf-8") as f:
        for line in f:
            cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if len(cells) != 4 or not cells[0].startswith("`"):
                continue
            key = tuple(c.strip("`") for c in cells[:3])
            listed[key] += 1
            if len(cells[3]) < SHORTEST_REASON:
                complaints.append(f"no reason is given for {key[0]}: {key[1]}: {key[2]}")
    return listed, complaints


def row(key):
    return "| " + " | ".join(f"`{part}`" for part in key) + " | REASON |"


def main():
    tree = sys.argv[1]
    code = stops_in_code(tree)
    listed, complaints = stops_in_list(os.path.join(tree, "docs", "panics.md"))
    complaints += [f"not in docs/panics.md:\n  {row(k)}" for k in (code - listed).elements()]
    complaints += [f"in docs/panics.md, but not in the code:\n  {row(k)}" for k in (listed - code).elements()]
    for line in complaints:
        print(line)
    print(f"{sum(code.values())} places can stop the machine; {len(complaints)} disagreements with docs/panics.md")
    return 1 if complaints or not code else 0


if __name__ == "__main__":
    sys.exit(main())
