# SPDX-License-Identifier: MIT
"""A xenstore daemon of ours or of Debian's, without a hypervisor: domains are played by the test (no_hypervisor.c).

Debian's two come from the package xen-utils-4.17: installed, or as `./lab test` unpacks it into build/images (lab.d/images.py).
"""
import mmap
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

from daemon import INTRODUCE, ROOM, Client

BIN = "usr/lib/xen-4.17/bin"


def debian(build):
    """The folder with Debian's daemons and test programs, or None."""
    for root in ("", f"{build}/images/xen-utils-4.17"):
        if os.path.exists(f"{root}/{BIN}/xenstored"):
            return f"{root}/{BIN}"
    return None


class Ring:
    """A domain's end of its ring, with the few methods of a socket that Client uses."""

    SIZE = 1024
    REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, ERROR = 2048, 2052, 2056, 2060, 2072

    def __init__(self, host, domid):
        self.host, self.domid = host, domid
        with open(f"{host.dir}/ring.{domid}", "w+b") as page:
            page.truncate(4096)
            self.page = mmap.mmap(page.fileno(), 4096)

    def get(self, at):
        return struct.unpack_from("<I", self.page, at)[0]

    def put(self, at, value):
        struct.pack_into("<I", self.page, at, value & 0xffffffff)

    def sendall(self, data):
        while data:
            prod = self.get(self.REQ_PROD)
            room = self.SIZE - (prod - self.get(self.REQ_CONS) & 0xffffffff)
            part = data[:min(room, self.SIZE - prod % self.SIZE)]
            if not part:
                self.host.wait_kick()
                continue
            self.page[prod % self.SIZE:prod % self.SIZE + len(part)] = part
            self.put(self.REQ_PROD, prod + len(part))
            self.host.event(self.domid)
            data = data[len(part):]

    def recv(self, size):
        while True:
            cons = self.get(self.RSP_CONS)
            size_now = min(size, self.get(self.RSP_PROD) - cons & 0xffffffff, self.SIZE - cons % self.SIZE)
            if size_now:
                at = self.SIZE + cons % self.SIZE
                data = self.page[at:at + size_now]
                self.put(self.RSP_CONS, cons + size_now)
                self.host.event(self.domid)
                return data
            if not self.host.wait_kick():
                raise TimeoutError("no kick")

    def close(self):
        pass


class Host:
    """One daemon: kind is "ours", "c" or "ocaml"."""

    def __init__(self, kind, program, preload):
        self.dir, self.kind = tempfile.mkdtemp(prefix="xs-peer-", dir=ROOM), kind
        self.path = f"{self.dir}/socket"
        for name, content in {"port": b"7", "ring.0": bytes(4096), "conf": f"persistent = false\nxenstored-kva = /proc/xen/xsd_kva\n"
                              f"xenstored-port = /proc/xen/xsd_port\npid-file = {self.dir}/pid\nring-scan-interval = 20\n".encode()}.items():
            with open(f"{self.dir}/{name}", "wb") as file:
                file.write(content)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.dir}/events")
        self.listener.listen(8)
        self.channel = None
        self.environment = dict(os.environ, XENSTORED_PATH=self.path, XENSTORED_RUNDIR=self.dir)
        command = {"ours": [program, "--socket-dir", self.dir], "c": [program, "-N", "-F", f"{self.dir}/pid"],
                   "ocaml": [program, "--no-fork", "--config-file", f"{self.dir}/conf"]}[kind]
        self.log = open(f"{self.dir}/log", "ab")
        self.process = subprocess.Popen(command, env=dict(self.environment, NO_HYPERVISOR=self.dir, LD_PRELOAD=preload),
                                        stdout=self.log, stderr=self.log)
        self.listener.settimeout(30)
        self.channel = self.listener.accept()[0]
        while not os.path.exists(self.path):
            assert self.process.poll() is None, self.messages()
            time.sleep(0.01)
        self._greet()

    def _greet(self):
        """The socket's name may be there before somebody listens."""
        while True:
            try:
                self.connect().close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)

    def pid(self):
        """The daemon itself: with ours, the keeper's child."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="utf-8") as children:
            found = children.read().split()
        return int(found[0]) if found else self.process.pid

    def kill(self):
        os.kill(self.pid(), signal.SIGKILL)

    def messages(self):
        with open(f"{self.dir}/log", encoding="utf-8") as log:
            return log.read()

    def connect(self):
        return Client(self.path)

    def domain(self, domid):
        """Introduce a domain and be it."""
        ring = Ring(self, domid)
        with self.connect() as dom0:
            dom0.ask(INTRODUCE, domid, domid, domid)
        client = Client.__new__(Client)
        client.socket, client.events = ring, []
        return client

    def event(self, port):
        try:
            self.channel.send(struct.pack("<I", port))
        except OSError:  # the daemon was killed: its successor opens another
            self.channel = self.listener.accept()[0]
            self.channel.send(struct.pack("<I", port))

    def wait_kick(self, seconds=10):
        """Something was said by the daemon, or by its successor's beginning."""
        ready, _, _ = select.select([self.channel, self.listener], [], [], seconds)
        if ready and self.listener not in ready:
            try:
                if self.channel.recv(4096):
                    return True
            except ConnectionError:
                pass
        if ready:
            self.channel = self.listener.accept()[0]
        return bool(ready)

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        self.listener.close()
        shutil.rmtree(self.dir)
