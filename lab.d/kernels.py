# SPDX-License-Identifier: MIT
"""Debian's kernels as dom0 and guests boot them: the package unpacked, its ELF taken out of the bzImage, the few modules used.

`unpacked(package)` is the folder of a kernel package; `release(folder)` its version; `vmlinux(package)` the ELF file;
`modules(package, names, into)` copies the named modules and all they need into a root, with depmod's tables;
`needed(package, names)` says which those are.
"""
import shutil

import debs
import paths
import sh
import stamp

DOM0 = "linux-image-amd64"
CLOUD = "linux-image-cloud-amd64"


def unpacked(package):
    return debs.one(paths.IMAGES / package, package)


def release(folder):
    return next(folder.glob("lib/modules/*")).name


def bzimage(package):
    return next(unpacked(package).glob("boot/vmlinuz-*"))


def vmlinux(package):
    """The ELF kernel inside the package's bzImage."""
    return unpack(bzimage(package), paths.IMAGES / f"{package}.vmlinux")


def unpack(source, product):
    """Take the ELF out of a bzImage, once, with our own tool: the one that the hypervisor's message names."""
    if not stamp.fresh(product, source):
        tool = paths.BUILD / "dom0-tools/cli/mullion"
        if not tool.exists():
            raise sh.LabError(f"{tool} is not built, and unpacks kernels: run ./lab build first")
        sh.run([tool, "unpack-kernel", source, product], "unpack-kernel")
        stamp.keep(product, source)
    return product


def needed(package, names):
    """{path below lib/modules/RELEASE: file} of the named modules and all they need, in the order in which they can be loaded."""
    folder = unpacked(package)
    source = folder / "lib/modules" / release(folder)
    if not (source / "modules.dep").exists():
        sh.run(["depmod", "-b", folder, release(folder)], "depmod")
    needs, by_name = {}, {}
    for line in (source / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
        by_name[path.rsplit("/", 1)[1].removesuffix(".ko").replace("-", "_")] = path
    builtin = {line.rsplit("/", 1)[1].removesuffix(".ko").replace("-", "_")
               for line in (source / "modules.builtin").read_text().splitlines()}
    order = {}
    for name in (n.replace("-", "_") for n in names):
        if name in builtin:
            continue
        if name not in by_name:
            raise sh.LabError(f"{package} has no module {name}")
        for path in (*reversed(needs[by_name[name]]), by_name[name]):
            order[path] = source / path
    return order


def modules(package, names, into):
    folder = unpacked(package)
    version = release(folder)
    source, target = folder / "lib/modules" / version, into / "lib/modules" / version
    for path, module in needed(package, names).items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, target / path)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    sh.run(["depmod", "-b", into, version], "depmod")
