# SPDX-License-Identifier: MIT
"""A mullion-xenstored of a test's own, and clients that speak the protocol byte by byte."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

ROOM = "/dev/shm" if os.path.isdir("/dev/shm") else None
(CONTROL, DIRECTORY, READ, GET_PERMS, WATCH, UNWATCH, TRANSACTION_START, TRANSACTION_END, INTRODUCE, RELEASE, GET_DOMAIN_PATH, WRITE,
 MKDIR, RM, SET_PERMS, WATCH_EVENT, ERROR, IS_DOMAIN_INTRODUCED, RESUME, SET_TARGET) = range(20)
RESET_WATCHES, DIRECTORY_PART = 21, 22


def message(kind, *strings, tx=0, end=True):
    """A request; its strings are joined, and ended, with NULs."""
    body = b"\0".join(s if isinstance(s, bytes) else str(s).encode() for s in strings) + (b"\0" if end else b"")
    return struct.pack("<IIII", kind, 1, tx, len(body)) + body


class Client:
    """A connection; replies and watch events are taken apart."""

    def __init__(self, path):
        self.socket, self.events = socket.socket(socket.AF_UNIX), []
        self.socket.connect(path)
        self.socket.settimeout(60)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _take(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("the daemon closed the connection")
            data += part
        return data

    def send(self, data):
        self.socket.sendall(data)

    def next(self):
        """The next message: its type and its payload."""
        kind, _, _, size = struct.unpack("<IIII", self._take(16))
        return kind, self._take(size)

    def reply(self):
        """The next reply; an ERROR's payload is the errno's name. Events are kept."""
        while True:
            kind, body = self.next()
            if kind != WATCH_EVENT:
                return kind, body.rstrip(b"\0").decode() if kind == ERROR else body
            self.events.append(body)

    def ask(self, kind, *strings, tx=0, end=True):
        """A request's answer, or its error's name in a ValueError."""
        self.send(message(kind, *strings, tx=tx, end=end))
        got, body = self.reply()
        if got != kind:
            raise ValueError(body)
        return body

    def event(self):
        """Wait for a watch event: (path, token)."""
        while not self.events:
            kind, body = self.next()
            assert kind == WATCH_EVENT, f"a reply nobody asked for: {kind} {body}"
            self.events.append(body)
        path, token, _ = self.events.pop(0).split(b"\0")
        return path.decode(), token.decode()


class Daemon:
    """The keeper and its daemon, on a socket nobody else uses."""

    def __init__(self, program, *options, user=None):
        self.dir, self.user = tempfile.mkdtemp(prefix="xs-test-", dir=ROOM), user
        if user is not None:
            os.chown(self.dir, user, user)
        self.path, self.program, self.options = f"{self.dir}/socket", program, options
        self.environment = dict(os.environ, XENSTORED_PATH=self.path, XENSTORED_RUNDIR=self.dir)
        self.log = open(f"{self.dir}/daemon.log", "ab")
        self.start()

    def start(self):
        ours, its = os.pipe()
        self.process = subprocess.Popen([self.program, "--no-domains", "--socket-dir", self.dir, "--ready-fd", str(its), *self.options],
                                        pass_fds=[its], stderr=self.log, user=self.user, group=self.user)
        os.close(its)
        assert os.read(ours, 1) == b"\n", "the daemon did not get ready: " + self.messages()
        os.close(ours)

    def pid(self):
        """The daemon, the keeper's only child."""
        while True:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="utf-8") as children:
                if found := children.read().split():
                    return int(found[0])

    def kill(self):
        """The daemon alone. It may be dead already."""
        try:
            os.kill(self.pid(), signal.SIGKILL)
        except ProcessLookupError:
            pass

    def kill_all(self):
        """The keeper, and the daemon with it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def messages(self):
        with open(f"{self.dir}/daemon.log", encoding="utf-8") as log:
            return log.read()

    def connect(self):
        return Client(self.path)

    def run(self, *command, check=True, **environment):
        done = subprocess.run(command, env=dict(self.environment, **environment), capture_output=True, text=True, timeout=100, check=False)
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}: {done.stderr}")
        return done.stdout if check else done.returncode

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir)
