#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill -9 of the daemon at random instants, under load, with 100,000 nodes: no client notices.

usage: test_kill.py DAEMON LOAD-WITH-LIBXENSTORE [KILLS [SEED]]
16 clients with Debian's library, which cannot connect again, check that nothing acknowledged is lost and that each commit counted
once. Beside them clients of our own have at each kill: half a request sent, half a reply read, a transaction open, a watch set.
second part hands over to a new program instead.
"""
import os
import random
import shutil
import subprocess
import sys
import time

from daemon import CONTROL, READ, TRANSACTION_END, TRANSACTION_START, WATCH, WRITE, Daemon, message

PROGRAM, LOAD = (os.path.abspath(path) for path in sys.argv[1:3])
KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 100
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30)
NODES, CLIENTS, RECOVERY = 100_000, 16, 0.2


def fill(client):
    """Domains' usual nodes."""
    for domain in range(NODES // 100):
        client.send(b"".join(message(WRITE, f"/local/domain/{domain}/device/vif/{key // 10}/key{key}", f"value{key}", end=False)
                             for key in range(88)))  # and 12 above them
        for _ in range(88):
            assert client.reply()[0] == WRITE


def cpu(pid):
    with open(f"/proc/{pid}/schedstat", encoding="utf-8") as stat:
        return int(stat.read().split()[0]) / 1e9


class Witness:
    """Connections that are open all the time and always in the middle of something."""

    def __init__(self, daemon, rng):
        self.rng, self.round = rng, 0
        self.half, self.reader, self.txn, self.watcher = (daemon.connect() for _ in range(4))
        self.watcher.ask(WATCH, "/witness", "token")
        assert self.watcher.event() == ("/witness", "token")
        self.big = bytes(rng.randrange(32, 127) for _ in range(3900))
        self.watcher.ask(WRITE, "/big", self.big, end=False)

    def before(self):
        self.round += 1
        request = message(WRITE, "/half", "x" * 700 + str(self.round), end=False)
        cut = self.rng.randrange(1, len(request))
        self.half.send(request[:cut])
        self.rest = request[cut:]
        self.reader.send(message(READ, "/big") * 5)
        self.start = self.reader._take(self.rng.randrange(0, 3 * len(self.big)))
        self.id = self.txn.ask(TRANSACTION_START, "").rstrip(b"\0").decode()
        self.txn.ask(WRITE, f"/txn/{self.round}/a", "1", end=False, tx=int(self.id))

    def after(self):
        self.half.send(self.rest)
        assert self.half.reply() == (WRITE, b"OK\0")
        assert self.half.ask(READ, "/half").endswith(b"x" + str(self.round).encode())
        whole = self.start + self.reader._take(5 * (16 + len(self.big)) - len(self.start))
        for _ in range(5):
            assert whole[16:16 + len(self.big)] == self.big
            whole = whole[16 + len(self.big):]
        self.txn.ask(WRITE, f"/txn/{self.round}/b", "2", end=False, tx=int(self.id))
        self.txn.ask(TRANSACTION_END, "T", tx=int(self.id))
        assert self.txn.ask(READ, f"/txn/{self.round}/a") == b"1" and self.txn.ask(READ, f"/txn/{self.round}/b") == b"2"
        self.txn.ask(WRITE, f"/witness/{self.round}", "", end=False)
        assert self.watcher.event() == (f"/witness/{self.round}", "token")


def strike(daemon, program, rng):
    """Kill the daemon, sometimes its successors before they serve; or let it hand over to `program`. When it (last) began."""
    if not program:
        for _ in range(rng.choice((0, 0, 0, 1, 4))):
            daemon.kill()
            time.sleep(rng.uniform(0, 0.06))
        began = time.monotonic()
        daemon.kill()
        return began
    with daemon.connect() as client:
        assert client.ask(CONTROL, "live-update", "-f", program) == b"OK\0"
        began = time.monotonic()
        assert client.ask(CONTROL, "live-update", "-s") == b"OK\0"
    return began


def under_load(daemon, rng, rounds, program=None):
    load = subprocess.Popen([LOAD, str(CLIENTS), "0", "exact"], env=daemon.environment, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    witness, clock, times, used = Witness(daemon, rng), daemon.connect(), [], []
    for _ in range(rounds):
        witness.before()
        time.sleep(rng.uniform(0, 0.02))
        began = strike(daemon, program, rng)
        clock.ask(READ, "/tool")
        times.append(time.monotonic() - began)
        used.append(cpu(daemon.pid()))
        witness.after()
    out, _ = load.communicate(timeout=120)
    assert load.returncode == 0, out
    assert clock.ask(CONTROL, "check") == b"OK\0"
    times.sort()
    used.sort()
    at = lambda values, part: values[min(len(values) - 1, int(len(values) * part))] * 1000
    print(f"{rounds} {'live updates' if program else 'kills'} with {NODES} nodes and {CLIENTS} clients: served again after "
          f"{at(times, 0.5):.0f} ms (median), {at(times, 0.99):.0f} ms (99 %), {at(times, 1):.0f} ms (longest); of the processor "
          f"{at(used, 0.99):.0f} ms (99 %); {out.strip()}", flush=True)
    return at(used, 0.99) / 1000


def main():
    print(f"seed {SEED}", flush=True)
    rng, daemon = random.Random(SEED), Daemon(PROGRAM)
    try:
        with daemon.connect() as client:
            fill(client)
        # Time on the processor, not on the wall: other tests run beside this one.
        assert under_load(daemon, rng, KILLS) < RECOVERY, "recovery takes too long"
        successor = shutil.copy(PROGRAM, f"{daemon.dir}/successor")
        under_load(daemon, rng, max(KILLS // 10, 3), successor)
        assert os.readlink(f"/proc/{daemon.pid()}/exe") == successor
    except BaseException:
        print(daemon.messages()[-2000:])
        raise
    finally:
        daemon.end()


main()
