# SPDX-License-Identifier: MIT
"""The images a machine is made of, each made once from its inputs and kept under build/images.

    dom0.initrd   busybox, the modules of disks and file systems, and the script that finds dom0's root
    dom0.img      dom0's root: ext4, labelled mullion-dom0, Debian packages and our programs
    dom0-xl.img   the same with Debian's xl and libvirt in it
    web.img       a guest's root: ext4, Debian packages, a web server
    images.img    what dom0 mounts on /var/lib/mullion/images: ext4, labelled mullion-images; guest images and kernels

No loop device and no mount is used: `mke2fs -d` fills a file system from a folder.
"""
import gzip
import shutil
import stat

import cpio
import debs
import kernels
import paths
import sh
import stamp

BUSES = ["virtio_pci", "virtio_blk", "virtio_console", "ahci", "ata_piix", "sd_mod", "sr_mod"]
FILE_SYSTEMS = ["crc32c_generic", "ext4", "squashfs", "overlay", "isofs", "loop"]
DOM0_LATE = ["loop", "virtio_net", "e1000", "e1000e", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd", "xenfs", "tun",
             "bridge"]
GUEST_MODULES = ["xen-blkfront", "xen-netfront", "crc32c_generic", "ext4"]

DOM0_PACKAGES = ["base-files", "libc6", "busybox-static", "kmod", "iproute2", "xenstore-utils",
                 "libxencall1", "libxenforeignmemory1", "libxenevtchn1", "libxengnttab1", "libxenstore4",
                 "libxentoolcore1", "libyajl2", "liburing2", "libnbd0", "libmnl0", "libseccomp2", "libssl3",
                 "zlib1g", "liblzma5", "libzstd1", "liblz4-1"]
# Debian's own toolstacks, for a root of their own: twice the size of ours, so not in it.
XL_PACKAGES = DOM0_PACKAGES + ["xen-utils-4.17", "libvirt-daemon", "libvirt-daemon-driver-xen", "libvirt-clients",
                               "bash", "bsdutils", "mount", "util-linux"]
GUEST_PACKAGES = ["base-files", "libc6", "busybox-static", "xenstore-utils"]
NOT_NEEDED = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian",
              "usr/share/perl5", "usr/share/bash-completion", "usr/lib/x86_64-linux-gnu/gconv"]

ETC = {"passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
       "group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n", "hostname": "dom0\n",
       "hosts": "127.0.0.1 localhost\n10.77.0.1 dom0\n10.77.0.10 web\n"}
# What the maintainer scripts of xl and libvirt make; and there is no polkit here to ask.
XL_ETC = ETC | {"passwd": ETC["passwd"] + "libvirt-qemu:x:64055:64055:Libvirt Qemu:/var/lib/libvirt:/bin/false\n",
                "group": ETC["group"] + "kvm:x:111:\nlibvirt:x:112:\nlibvirt-qemu:x:64055:\n",
                "libvirt/libvirtd.conf": 'auth_unix_ro = "none"\nauth_unix_rw = "none"\n'}
XL_FOLDERS = ["var/log/libvirt"]

CONSOLE = ("dev/console", stat.S_IFCHR | 0o600, 5, 1)


def busybox_links(root):
    """A link per applet, where Debian's own program is not already there."""
    if not (root / "bin").exists():
        debs.merged_usr(root)
    busybox = paths.IMAGES / "dom0-debian/bin/busybox"
    for path in sh.output([busybox, "--list-full"]).split():
        link = root / ("usr/" + path.removeprefix("usr/") if path.split("/")[0] in ("bin", "sbin") else path)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() and not link.exists():
            link.symlink_to("/bin/busybox")


def _ext4(product, folder, label, size):
    product.unlink(missing_ok=True)
    sh.run(["mke2fs", "-q", "-t", "ext4", "-L", label, "-d", folder, "-E", "root_owner=0:0,lazy_itable_init=1",
            "-O", "^has_journal" if label == "mullion-dom0" else "has_journal", "-m", "0", product, size], "mke2fs")


def scratch(name):
    folder = paths.IMAGES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _copy(source, target, mode):
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink():
        target.unlink()
    shutil.copyfile(source, target)
    target.chmod(mode)


def debian(step=None, packages=DOM0_PACKAGES, folder="dom0-debian"):
    """dom0's Debian packages, unpacked and thinned; the base of its root."""
    folder = paths.IMAGES / folder
    if not stamp.fresh(folder, packages):
        debs.tree(folder, packages, step)
        for name in NOT_NEEDED:
            shutil.rmtree(folder / name, ignore_errors=True)
    return folder


def initrd(name, package, modules, init):
    """busybox, `modules` and `init` as an initramfs."""
    product = paths.IMAGES / name
    debian()
    inputs = (kernels.bzimage(package), modules, init, paths.LAB / "images.py", paths.LAB / "cpio.py")
    if stamp.fresh(product, *inputs):
        return product
    root = scratch(f"{name}.tree")
    _copy(paths.IMAGES / "dom0-debian/bin/busybox", root / "bin/busybox", 0o755)
    (root / "sbin").mkdir()
    (root / "sbin/modprobe").symlink_to("/bin/busybox")         # the kernel's own requests for modules
    for folder in ("dev", "proc", "sys", "root"):
        (root / folder).mkdir()
    kernels.modules(package, modules, root)
    _copy(init, root / "init", 0o755)
    cpio.write(product, [(root, "")], [CONSOLE])
    stamp.keep(product, *inputs)
    return product


def dom0_initrd():
    return initrd("dom0.initrd", kernels.DOM0, BUSES + FILE_SYSTEMS, paths.LAB / "dom0/initrd-init")


def dom0_tree(step=None, name="dom0", base=None, etc=None, folders=()):
    """dom0's root as a folder: Debian's packages, the late modules, our init, our programs."""
    base = base or debian(step)
    folder = paths.IMAGES / f"{name}.tree"
    inputs = (stamp.same_as(base), kernels.bzimage(kernels.DOM0), paths.LAB / "dom0", paths.STAGE,
              paths.LAB / "images.py")
    if stamp.fresh(folder, *inputs):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    sh.run(["cp", "-a", base, folder], "dom0-root")
    busybox_links(folder)
    kernels.modules(kernels.DOM0, BUSES + FILE_SYSTEMS + DOM0_LATE, folder)
    for name in ("dev", "proc", "sys", "run", "tmp", "mnt", "root", "etc", "var/lib/mullion/images", "var/lib/mullion/domains",
                 "var/log/mullion", *folders):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, target in {"run": "/run", "lock": "/run/lock"}.items():   # as base-files has them once it is installed
        shutil.rmtree(folder / "var" / name)
        (folder / "var" / name).symlink_to(target)
    if paths.STAGE.exists():
        sh.run(["cp", "-a", f"{paths.STAGE}/.", folder], "dom0-root")
        sh.run(["ldconfig", "-r", folder], "dom0-root")
    _copy(paths.LAB / "dom0/init", folder / "usr/sbin/init", 0o755)
    _copy(paths.LAB / "dom0/profile", folder / "etc/profile", 0o644)
    for name, text in (etc or ETC).items():
        (folder / "etc" / name).write_text(text)
    stamp.keep(folder, *inputs)
    return folder


def dom0_root(step=None, name="dom0", base=None, **more):
    folder = dom0_tree(step, name, base, **more)
    product = paths.IMAGES / f"{name}.img"
    if not stamp.fresh(product, stamp.same_as(folder)):
        _ext4(product, folder, "mullion-dom0", "512M")
        stamp.keep(product, stamp.same_as(folder))
    return product


def xl_root(step=None):
    """dom0's root with Debian's xl and libvirt."""
    return dom0_root(step, "dom0-xl", debian(step, XL_PACKAGES, "dom0-xl-debian"), etc=XL_ETC, folders=XL_FOLDERS)


def guest_root():
    """web.img: what a guest runs. Its address comes from the kernel's ip= argument."""
    product = paths.IMAGES / "web.img"
    debian()
    tests = peer_tools() / "usr/lib/xen-4.17/bin/test-xenstore"
    inputs = (GUEST_PACKAGES, tests, paths.LAB / "guest", paths.LAB / "images.py")
    if stamp.fresh(product, *inputs):
        return product
    base = debs.tree(paths.IMAGES / "guest-debian", GUEST_PACKAGES)
    folder = paths.IMAGES / "guest.tree"
    shutil.rmtree(folder, ignore_errors=True)
    sh.run(["cp", "-a", base, folder], "guest-root")
    for name in NOT_NEEDED:
        shutil.rmtree(folder / name, ignore_errors=True)
    busybox_links(folder)
    for name in ("dev", "proc", "sys", "run", "tmp", "root", "etc"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _copy(paths.LAB / "guest/init", folder / "usr/sbin/init", 0o755)
    _copy(paths.LAB / "guest/index.html", folder / "var/www/index.html", 0o644)
    _copy(paths.LAB / "guest/run-cgi", folder / "usr/share/test/cgi-bin/run", 0o755)
    _copy(tests, folder / "usr/share/test/test-xenstore", 0o755)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    _ext4(product, folder, "guest", "256M")
    stamp.keep(product, *inputs)
    return product


def guest_initrd():
    return initrd("initrd-guest.img", kernels.CLOUD, GUEST_MODULES, paths.LAB / "guest/initrd-init")


def guest_files():
    """{name: file} of all that dom0 finds in /var/lib/mullion/images."""
    return {"web.img": guest_root(), "web2.img": guest_root(), "initrd-guest.img": guest_initrd(),
            "vmlinux-guest": kernels.vmlinux(kernels.CLOUD), "vmlinuz-guest": kernels.bzimage(kernels.CLOUD)}


def place_guest_files(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in guest_files().items():
        sh.run(["cp", "--sparse=always", path, folder / name], "images")


def guest_disk():
    """images.img: dom0's /var/lib/mullion/images on a disk of its own, so that what guests write can be kept."""
    product = paths.IMAGES / "images.img"
    inputs = [(name, stamp.same_as(path) or path) for name, path in guest_files().items()]
    if stamp.fresh(product, inputs):
        return product
    folder = scratch("images.tree")
    place_guest_files(folder)
    _ext4(product, folder, "mullion-images", "2G")
    shutil.rmtree(folder)
    stamp.keep(product, inputs)
    return product


def peer_hypervisor():
    """Debian's Xen, to test against: the same machine on the hypervisor whose ABI we keep."""
    product = paths.IMAGES / "xen-4.17"
    folder = debs.one(paths.IMAGES / "xen-hypervisor-4.17-amd64", "xen-hypervisor-4.17-amd64")
    if not product.exists():
        product.write_bytes(gzip.decompress((folder / "boot/xen-4.17-amd64.gz").read_bytes()))
    return product


def all_images(step=None, xl=False):
    """Everything a machine with dom0 and guests boots from."""
    return {"kernel": kernels.vmlinux(kernels.DOM0), "initrd": dom0_initrd(),
            "root": xl_root(step) if xl else dom0_root(step), "guests": guest_disk()}


def peer_tools():
    """Debian's daemons and test programs of Xen, unpacked: what tests compare ours with."""
    return debs.one(paths.IMAGES / "xen-utils-4.17", "xen-utils-4.17")


def peer_libraries():
    """A tree with the libraries that Debian's daemons and their clients need."""
    return debs.tree(paths.IMAGES / "peer-libs", ["libxenmisc4.17", "libxenstore4"])


def peer_store():
    """An overlay with Debian's xenstored, for development of one part against the peer's others; never in our own image."""
    folder = paths.IMAGES / "peer-store"
    daemon, debian = peer_tools(), peer_libraries()
    inputs = [stamp.same_as(daemon), stamp.same_as(debian)]
    if stamp.fresh(folder, inputs):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    _copy(daemon / "usr/lib/xen-4.17/bin/xenstored", folder / "usr/sbin/xenstored", 0o755)
    for library in debian.glob("usr/lib/x86_64-linux-gnu/libxen*.so*"):
        _copy(library.resolve(), folder / "usr/lib/x86_64-linux-gnu" / library.name, 0o644)
    stamp.keep(folder, inputs)
    return folder


def elf_kernel(path):
    """The ELF of a kernel that a person named: itself, or what its bzImage holds."""
    if not path.exists():
        raise sh.LabError(f"{path}: there is no such kernel")
    if path.read_bytes()[:4] == b"\x7fELF":
        return path
    return kernels.unpack(path, paths.IMAGES / f"{stamp.key(path)[:12]}.vmlinux")
