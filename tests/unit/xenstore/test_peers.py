#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same requests to our daemon and to Debian's C xenstored: answers and events, by name; over the socket and from a domain. Then
domains on rings of ours, while it is killed.

usage: test_peers.py DAEMON PRELOAD BUILD
Every difference is in DIFFERENCES with its reason (docs/xenstore.md has them, too); one that is not there, or is no more, is a
failure. Where Debian's package is not at hand this is skipped, and says so; `./lab test` fetches it first, and a skipped test fails there.
"""
import os
import subprocess
import sys

import daemon as d
import peers

PROGRAM, PRELOAD, BUILD = (os.path.abspath(path) for path in sys.argv[1:4])
SKIPPED = 77                          # what meson takes as "not run"
LONG, WIDE = "x" * 2048, "y" * 3100

# who, request, strings; "=" ends a payload without NUL; a first word "t1"… names the transaction. dom0 and dom0b are sockets.
SCRIPT = [
    ("dom0", "WRITE", "/a/b", "value="), ("dom0", "READ", "/a/b"), ("dom0", "READ", "/a"), ("dom0", "READ", "/nothing"), ("dom0", "READ", "/nothing/below"),
    ("dom0", "WRITE", "/empty", "="), ("dom0", "READ", "/empty"), ("dom0", "MKDIR", "/dir"), ("dom0", "MKDIR", "/dir"), ("dom0", "MKDIR", "/a/b"),
    ("dom0", "READ", "/a/b"), ("dom0", "DIRECTORY", "/a"), ("dom0", "DIRECTORY", "/"), ("dom0", "DIRECTORY", "/nothing"), ("dom0", "GET_PERMS", "/a/b"),
    ("dom0", "RM", "/nothing"), ("dom0", "RM", "/nothing/below"), ("dom0", "RM", "/"), ("dom0", "RM", "/dir"), ("dom0", "DIRECTORY", "/dir"),
    # names and shapes
    ("dom0", "READ", ""), ("dom0", "READ", "//"), ("dom0", "READ", "/a/"), ("dom0", "READ", "/a//b"), ("dom0", "READ", "/a b"), ("dom0", "READ", "/a=b"),
    ("dom0", "READ", "/" + "x" * 3072), ("dom0", "READ", "/" + "x" * 3071), ("dom0", "READ", "@releaseDomain"), ("dom0", "WRITE", "@x", "v="), ("dom0", "READ="),
    ("dom0", "READ", "/a/b="), ("dom0", "READ", "/a/b", "more"), ("dom0", "WRITE", "/a/c="), ("dom0", "WRITE", "/nul", "a\0b="), ("dom0", "READ", "/nul"),
    ("dom0", "MKDIR", "/a/m", "more"), ("dom0", "READ", "tool"), ("dom0", "READ", "relative"),
    # permissions
    ("dom0", "SET_PERMS", "/a/b", "n1", "r2"), ("dom0", "GET_PERMS", "/a/b"), ("dom0", "SET_PERMS", "/a/b", "x1"), ("dom0", "SET_PERMS", "/a/b"),
    ("dom0", "SET_PERMS", "/a/b", ""), ("dom0", "SET_PERMS", "/a/b", "b0", "w1", "n2"), ("dom0", "GET_PERMS", "/a/b"), ("dom0", "SET_PERMS", "/a/b", "n99"),
    ("dom0", "SET_PERMS", "/a/b", "n0", "r99"), ("dom0", "GET_PERMS", "/a/b"), ("dom0", "SET_PERMS", "/nothing", "n0"), ("dom0", "SET_PERMS", "/a/b", "r70000"),
    ("dom0", "SET_PERMS", "/a/b", "n1x"), ("dom0", "SET_PERMS", "/a/b", "n 1"), ("dom0", "SET_PERMS", "@releaseDomain", "n0", "r1"),
    ("dom0", "SET_PERMS", "@nonsense", "n0"), ("dom0", "GET_PERMS", "@releaseDomain"), ("dom0", "GET_PERMS", "/nothing"),
    # a domain: its home, and what it may not
    ("dom0", "MKDIR", "/local/domain/1"), ("dom0", "SET_PERMS", "/local/domain/1", "n1"), ("dom0", "WRITE", "/private", "p="),
    ("dom0", "WRITE", "/shared", "s="), ("dom0", "SET_PERMS", "/shared", "r0"), ("dom1", "READ", "/private"), ("dom1", "READ", "/private/below"),
    ("dom1", "READ", "/shared"), ("dom1", "READ", "/shared/below"), ("dom1", "WRITE", "/shared", "no="), ("dom1", "WRITE", "/mine", "no="),
    ("dom1", "WRITE", "data/x", "1="), ("dom1", "READ", "data/x"), ("dom1", "READ", "/local/domain/1/data/x"), ("dom1", "GET_PERMS", "data"), ("dom1", "DIRECTORY", "."),
    ("dom1", "DIRECTORY", "data"), ("dom1", "MKDIR", "data/y"), ("dom1", "RM", "data/y"), ("dom1", "RM", "/private"), ("dom1", "RM", "/nothing"),
    ("dom1", "SET_PERMS", "data", "n1", "r2"), ("dom1", "SET_PERMS", "data", "n2"), ("dom1", "SET_PERMS", "/shared", "n1"),
    ("dom1", "SET_PERMS", "data", "n1", "r2", "r2", "r2", "r2", "r2"), ("dom1", "SET_PERMS", "data", "n1", "r2", "r2", "r2", "r2"),
    ("dom1", "GET_DOMAIN_PATH", "1"), ("dom1", "GET_DOMAIN_PATH", "7"), ("dom1", "IS_DOMAIN_INTRODUCED", "1"), ("dom1", "INTRODUCE", "2", "2", "2"),
    ("dom1", "RELEASE", "1"), ("dom1", "RESUME", "1"), ("dom1", "SET_TARGET", "1", "0"), ("dom1", "CONTROL", "check"), ("dom1", "READ", "/local/domain/"),
    ("dom1", "WATCH", "@releaseDomain", "t"), ("dom1", "UNWATCH", "@releaseDomain", "t"), ("dom1", "WRITE", "data/long", LONG + "="), ("dom1", "WRITE", "data/long", "x" * 1900 + "="),
    ("dom1", "READ", LONG), ("dom1", "READ", LONG + "z"), ("dom0", "WRITE", "/wide", WIDE + "="), ("dom0", "READ", "/wide"),
    # domains, seen from dom0
    ("dom0", "GET_DOMAIN_PATH", "0"), ("dom0", "GET_DOMAIN_PATH", "65535"), ("dom0", "GET_DOMAIN_PATH", "nonsense"), ("dom0", "IS_DOMAIN_INTRODUCED", "0"),
    ("dom0", "IS_DOMAIN_INTRODUCED", "1"), ("dom0", "IS_DOMAIN_INTRODUCED", "2"), ("dom0", "IS_DOMAIN_INTRODUCED", "x"), ("dom0", "INTRODUCE", "99", "1", "1"),
    ("dom0", "INTRODUCE", "2", "2"), ("dom0", "INTRODUCE", "2", "2", "0"), ("dom0", "RELEASE", "99"), ("dom0", "RELEASE", "0"), ("dom0", "RESUME", "99"), ("dom0", "RESUME", "1"),
    ("dom0", "SET_TARGET", "1", "99"), ("dom0", "SET_TARGET", "99", "1"), ("dom0", "SET_TARGET", "1", "2"),
    # watches
    ("dom0", "WATCH", "/w", "token"), ("dom0", "WATCH", "/w", "token"), ("dom0", "WATCH", "/w", "other"), ("dom0", "WATCH", "/w"), ("dom0", "WATCH", "/w//", "t"),
    ("dom0", "WATCH", "@introduceDomain", "i"), ("dom0", "WATCH", "@nonsense", "n"), ("dom0", "UNWATCH", "/w", "never"), ("dom0", "UNWATCH", "/w", "other"),
    ("dom1", "WATCH", "data", "mine"), ("dom1", "WATCH", "/local/domain/1/data", "whole"), ("dom0", "WRITE", "/local/domain/1/data/new", "1="),
    ("dom0", "WRITE", "/w/x", "1="), ("dom0", "RM", "/w/x"), ("dom0", "RM", "/w"), ("dom0", "MKDIR", "/w"), ("dom0", "SET_PERMS", "/w", "n0", "r1"),
    ("dom0", "WATCH", "/w/deep/er", "deep"), ("dom0", "WRITE", "/w/deep/er", "1="), ("dom0", "RM", "/w"), ("dom1", "WATCH", "/private", "spy"), ("dom0", "WRITE", "/private", "2="),
    ("dom0", "RESET_WATCHES", ""), ("dom0", "WRITE", "/w/after", "1="), ("dom1", "RESET_WATCHES", ""),
    # transactions
    ("dom0", "TRANSACTION_START", "", "t1"), ("dom0", "t1 WRITE", "/t/x", "1="), ("dom0", "READ", "/t/x"), ("dom0", "t1 READ", "/t/x"), ("dom0b", "t1 READ", "/t/x"),
    ("dom0", "t1 TRANSACTION_START", ""), ("dom0", "t1 TRANSACTION_END", "X"), ("dom0", "t1 TRANSACTION_END", "T"), ("dom0", "READ", "/t/x"), ("dom0", "TRANSACTION_END", "T"),
    ("dom0", "TRANSACTION_START", "", "t2"), ("dom0", "t2 READ", "/t/x"), ("dom0b", "WRITE", "/t/x", "2="), ("dom0", "t2 WRITE", "/t/y", "1="), ("dom0", "t2 TRANSACTION_END", "T"),
    ("dom0", "READ", "/t/y"), ("dom0", "TRANSACTION_START", "", "t3"), ("dom0", "t3 WRITE", "/t/mine", "1="), ("dom0b", "WRITE", "/t/yours", "1="), ("dom0", "t3 TRANSACTION_END", "T"),
    ("dom0", "TRANSACTION_START", "", "t4"), ("dom0", "t4 RM", "/t"), ("dom0", "t4 TRANSACTION_END", "F"), ("dom0", "READ", "/t/x"),
    ("dom0", "TRANSACTION_START", "", "t5"), ("dom0", "t5 READ", "/t/x"), ("dom0b", "WRITE", "/t/x", "3="), ("dom0", "t5 TRANSACTION_END", "T"),
    ("dom1", "TRANSACTION_START", "", "t6"), ("dom1", "t6 WRITE", "data/t", "1="), ("dom1", "t6 TRANSACTION_END", "T"), ("dom1", "READ", "data/t"),
    ("dom0", "t99 READ", "/t/x"), ("dom0", "t99 TRANSACTION_END", "T"),
    # lists in parts, the unknown
    ("dom0", "DIRECTORY_PART", "/a", "0"), ("dom0", "DIRECTORY_PART", "/a", "1"), ("dom0", "DIRECTORY_PART", "/a"), ("dom0", "DIRECTORY_PART", "/nothing", "0"),
    ("dom0", "20", "x"), ("dom0", "99", "x"), ("dom0", "WATCH_EVENT", "x"), ("dom0", "ERROR", "x"), ("dom0", "CONTROL", "print", "hello"), ("dom0", "CONTROL", "nonsense"),
    ("dom0", "CONTROL", "log"), ("dom0", "CONTROL", "quota", "set", "nonsense", "1"), ("dom0", "CONTROL", "quota", "set", "nodes", "1000"), ("dom0", "CONTROL", "check"),
    ("dom0", "CONTROL", "live-update", "-a"), ("dom0", "CONTROL", "live-update", "-f", "/nonexistent"), ("dom0", "CONTROL", "live-update", "-s"),
    # the end of a domain
    ("dom0", "WATCH", "@releaseDomain", "r"), ("dom0", "RELEASE", "1"), ("dom0", "IS_DOMAIN_INTRODUCED", "1"), ("dom0", "DIRECTORY", "/local/domain"),
]


def run(kind, program):
    host, ids, answers = peers.Host(kind, program, PRELOAD), {"t99": 99}, []
    try:
        clients = {"dom0": host.connect(), "dom0b": host.connect(), "dom1": host.domain(1)}
        peers.Ring(host, 2)  # it exists, but nobody introduced it
        for who, request, *strings in SCRIPT:
            tx, _, name = request.rpartition(" ")
            end, new = True, None
            if name == "TRANSACTION_START" and len(strings) > 1:
                new = strings.pop()
            if name.endswith("="):
                name, end = name[:-1], False
            elif strings and strings[-1].endswith("="):
                strings, end = strings[:-1] + [strings[-1][:-1]], False
            client = clients[who]
            client.send(d.message(getattr(d, name) if not name.isdigit() else int(name), *strings, tx=ids[tx] if tx else 0, end=end))
            got, body = client.reply()
            if new and got != d.ERROR:
                ids[new], body = int(body.rstrip(b"\0")), b"<id>"
            answers.append([f"{who} {request} {' '.join(s if len(s) < 60 else f'<{len(s)}>' for s in strings)}", show(name, got, body)])
        for name, client in clients.items():  # a last round trip brings what was still on its way
            if name != "dom1":
                client.ask(d.READ, "/tool")
            answers.append([f"events of {name}", sorted(e.replace(b"\0", b" ").decode().strip() for e in client.events)])
        return answers
    finally:
        host.end()


def show(name, got, body):
    if got == d.ERROR:
        return body
    if name == "DIRECTORY":
        return " ".join(sorted(body.decode().split("\0")[:-1]))
    if name == "DIRECTORY_PART":
        body = body.partition(b"\0")[2]
    text = body.decode("latin-1").replace("\0", "|")
    return text if len(text) < 200 else f"<{len(text)}>"


def killed():
    """Domains on their rings go on while our daemon, with its xen.c, is killed: in a transaction, with a watch, in mid-message."""
    host = peers.Host("ours", PROGRAM, PRELOAD)
    try:
        dom0, guests = host.connect(), [host.domain(domid) for domid in (1, 2)]
        for domid in (1, 2):
            dom0.ask(d.MKDIR, f"/local/domain/{domid}")
            dom0.ask(d.SET_PERMS, f"/local/domain/{domid}", f"n{domid}")
        guests[0].ask(d.WATCH, "data", "token")
        for life in range(20):
            tx = int(guests[0].ask(d.TRANSACTION_START, "").rstrip(b"\0"))
            guests[0].ask(d.WRITE, "data/a", str(life), tx=tx, end=False)
            half = d.message(d.WRITE, "big", "x" * 1500 + str(life), end=False)
            guests[1].send(half[:500 + life])
            host.kill()
            guests[1].send(half[500 + life:])
            assert guests[1].reply() == (d.WRITE, b"OK\0")
            guests[0].ask(d.WRITE, "data/b", str(life), tx=tx, end=False)
            guests[0].ask(d.TRANSACTION_END, "T", tx=tx)
            assert guests[0].ask(d.READ, "data/a") == str(life).encode() == guests[0].ask(d.READ, "data/b")
            assert dom0.ask(d.READ, "/local/domain/2/big").endswith(b"x" + str(life).encode())
            seen = set()
            while not {("data/a", "token"), ("data/b", "token")} <= seen:
                seen.add(guests[0].event())
        assert dom0.ask(d.CONTROL, "check") == b"OK\0"
        assert dom0.ask(d.IS_DOMAIN_INTRODUCED, "1") == b"T\0"
    finally:
        host.end()


DIFFERENCES = {
    "dom0 MKDIR /a/m more": ("EINVAL", "ENOMEM", "a request has the strings that it has"),
    "dom0 SET_PERMS /a/b r70000": ("EINVAL", "ENOENT", "a domid has 16 bits"),
    "dom0 SET_PERMS /a/b n 1": ("EINVAL", "OK|", "a number is digits"),
    "dom0 GET_DOMAIN_PATH nonsense": ("EINVAL", "/local/domain/0|", "nonsense is not domain 0"),
    "dom0 IS_DOMAIN_INTRODUCED x": ("EINVAL", "T|", "nonsense is not domain 0"),
    "dom0 t3 TRANSACTION_END T": ("OK|", "EAGAIN", "siblings may be created side by side"),
    "dom0 t5 TRANSACTION_END T": ("OK|", "EAGAIN", "who only read saw one consistent tree"),
    "dom0 DIRECTORY_PART /a 1": ("|", "||", "parts begin at names; this offset is inside one"),
}


def main():
    killed()
    folder = peers.debian(BUILD)
    if not folder:
        print("Debian's xen-utils-4.17 is not here: not compared with its daemon (./lab test fetches it)")
        sys.exit(SKIPPED)
    theirs, wrong = run("c", f"{folder}/xenstored"), 0
    for (request, a), (_, b) in zip(run("ours", PROGRAM), theirs, strict=True):
        expected = DIFFERENCES.get(request, (b, b))[:2]
        if (a, b) != expected:
            wrong += 1
            print(f"{request}\n    ours:   {a}\n    theirs: {b}\n    wanted: {expected}")
    print(f"{len(theirs)} answers, {len(DIFFERENCES)} known differences, {wrong} wrong")
    host = peers.Host("ours", PROGRAM, PRELOAD)
    done = subprocess.run([f"{folder}/test-xenstore"], env=host.environment, capture_output=True, text=True, timeout=100, check=False)
    host.end()
    print(f"Debian's test-xenstore: {'passed' if done.returncode == 0 else done.stdout + done.stderr}")
    sys.exit(wrong != 0 or done.returncode != 0)


main()
