# SPDX-License-Identifier: MIT
"""Reuse of what was already made. A product is made again only when the key of its inputs changes.

`fresh(product, *inputs)` says whether the product exists and was made from exactly these inputs; `keep(product, *inputs)` records that
it was. An input is a string, a number, or a path: a file counts by its bytes and mode, a folder by everything in it.
"""
import hashlib
import os
from pathlib import Path


def _feed(digest, item):
    if isinstance(item, Path):
        if item.is_symlink():
            digest.update(f"l {item.name} {os.readlink(item)}".encode())
        elif item.is_dir():
            for child in sorted(item.iterdir()):
                digest.update(f"d {child.name} ".encode())
                _feed(digest, child)
        elif item.exists():
            digest.update(f"f {item.stat().st_mode:o} ".encode() + hashlib.sha256(item.read_bytes()).digest())
        else:
            digest.update(b"absent")
    elif isinstance(item, (list, tuple)):
        for part in item:
            _feed(digest, part)
    else:
        digest.update(repr(item).encode())


def key(*inputs):
    digest = hashlib.sha256()
    for item in inputs:
        _feed(digest, item)
    return digest.hexdigest()


def _stamp(product):
    return product.with_name(product.name + ".stamp")


def fresh(product, *inputs):
    stamp = _stamp(product)
    return product.exists() and stamp.exists() and stamp.read_text() == key(*inputs)


def keep(product, *inputs):
    _stamp(product).write_text(key(*inputs))


def same_as(product):
    """The key a product was made from, as an input of what is made of it in turn."""
    stamp = _stamp(product)
    return stamp.read_text() if stamp.exists() else ""
