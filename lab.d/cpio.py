# SPDX-License-Identifier: MIT
"""Writing the kernel's initramfs format ("newc"), owner root, time zero: the same tree always gives the same bytes.

Archives may be joined end to end: the kernel unpacks one after the other, each padded to 512 bytes here.
"""
import os
import stat


def _entry(out, number, name, mode, data=b"", device=(0, 0)):
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    out.write(head + b"\0" * (-len(head) % 4))
    out.write(data + b"\0" * (-len(data) % 4))


def write(path, trees, devices=()):
    """Write archive `path` of (folder, prefix) pairs in order; `devices` are (name, mode, major, minor)."""
    with open(path, "wb") as out:
        number = 1
        seen = set()

        def add(name, mode, data=b"", device=(0, 0)):
            nonlocal number
            parent = os.path.dirname(name)
            if parent and parent not in seen:
                add(parent, stat.S_IFDIR | 0o755)
            if stat.S_ISDIR(mode):
                if name in seen:
                    return
                seen.add(name)
            _entry(out, number, name, mode, data, device)
            number += 1

        for folder, prefix in trees:
            for base, folders, files in os.walk(folder):
                folders.sort()
                inside = os.path.normpath(os.path.join(prefix, os.path.relpath(base, folder)))
                if inside != ".":
                    add(inside, stat.S_IFDIR | stat.S_IMODE(os.stat(base).st_mode))
                for name in sorted(files + [f for f in folders if os.path.islink(os.path.join(base, f))]):
                    full, to = os.path.join(base, name), os.path.normpath(os.path.join(inside, name))
                    mode = os.lstat(full).st_mode
                    if stat.S_ISLNK(mode):
                        add(to, mode, os.readlink(full).encode())
                    elif stat.S_ISREG(mode):
                        with open(full, "rb") as data:
                            add(to, mode, data.read())
        for name, mode, major, minor in devices:
            add(name, mode, b"", (major, minor))
        _entry(out, 0, "TRAILER!!!", 0)
        out.write(b"\0" * (-out.tell() % 512))
