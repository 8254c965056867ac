# SPDX-License-Identifier: MIT
"""The machine that QEMU is: one description, one command line.

`Machine` holds what a person may choose; `argv()` turns it into QEMU's arguments. Never KVM unless asked: `-accel tcg`.
LAB_QEMU in the environment stands for `qemu-system-x86_64` (a wrapper, another build).
"""
import os
import shlex
from dataclasses import dataclass, field

import images
import kernels
import paths

OVMF = "/usr/share/OVMF/OVMF_CODE.fd"
HV_ARGS = "console=com1 com1=115200,8n1 dom0_mem=1G,max:1G"
DOM0_ARGS = "console=hvc0 quiet"
BARE_ARGS = "console=ttyS0 quiet"


@dataclass
class Machine:
    smp: int = 1
    mem: str = "2G"
    cpu: str = ""                     # "": max, and qemu64 with the peer
    machine: str = "pc"
    accel: str = "tcg"
    bus: str = "virtio"               # of dom0's disks and NIC: virtio, or sata with e1000e
    uefi: bool = False
    iso: str | None = None            # boot this CD instead of hypervisor, kernel and disks
    hv: str | None = None             # hypervisor file; None: ours
    peer: bool = False                # Debian's Xen 4.17 instead
    bare: bool = False                # no hypervisor: dom0's kernel has the machine
    hv_append: str = ""
    kernel: str | None = None
    append: str = ""
    initrd: str | None = None
    disks: list = field(default_factory=list)      # further disk images
    keep: bool = False                # what dom0 and guests write stays in the images
    net: bool = True
    icount: bool = False
    extra: list = field(default_factory=list)

    def hypervisor(self):
        if self.peer:
            return str(images.peer_hypervisor())
        return self.hv or str(paths.HYPERVISOR)

    def __post_init__(self):
        # On Debian's Xen with -cpu max in TCG, programs in dom0 and guests now and then fault or compute wrong: measure it on qemu64.
        self.cpu = self.cpu or ("qemu64" if self.peer else "max")

    def _cpu(self):
        # Debian's Xen also faults on SMAP in TCG; ours must not, so only the peer is spared.
        return self.cpu + (",-smap" if self.peer and self.cpu == "max" else "")

    def _disk(self, number, path):
        write = "off" if self.keep else "on"
        drive = ["-drive", f"if=none,id=d{number},file={path},format=raw,snapshot={write},discard=unmap"]
        if self.bus == "virtio":
            return drive + ["-device", f"virtio-blk-pci,drive=d{number}"]
        return drive + ["-device", f"ide-hd,drive=d{number},bus=sata.{number}"]

    def _kernels(self):
        kernel, ramdisk = self.kernel or kernels.vmlinux(kernels.DOM0), self.initrd or images.dom0_initrd()
        append = f"{BARE_ARGS if self.bare else DOM0_ARGS} {self.append}".strip()
        if self.bare:
            return ["-kernel", str(kernel), "-append", append, "-initrd", str(ramdisk)]
        module = f"{kernel} {append}".replace(",", ",,")
        return ["-kernel", self.hypervisor(), "-append", f"{HV_ARGS} {self.hv_append}".strip(), "-initrd", f"{module},{ramdisk}"]

    def argv(self):
        args = shlex.split(os.environ.get("LAB_QEMU", "qemu-system-x86_64"))
        args += ["-accel", self.accel, "-machine", self.machine, "-cpu", self._cpu(), "-smp", str(self.smp),
                 "-m", self.mem, "-display", "none", "-vga", "none", "-no-reboot", "-nodefaults"]
        if self.uefi:
            args += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}"]
        if self.icount:
            args += ["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01,clock=vm"]
        if self.iso:
            args += ["-cdrom", str(self.iso), "-boot", "d"]
        else:
            args += self._kernels()
        if self.disks and self.bus == "sata":
            args += ["-device", "ich9-ahci,id=sata"]
        for number, path in enumerate(self.disks):
            args += self._disk(number, path)
        if self.net:
            nic = "virtio-net-pci" if self.bus == "virtio" else "e1000e"
            args += ["-netdev", "user,id=n0", "-device", f"{nic},netdev=n0,romfile="]
        return args + self.extra

    def words(self):
        """The choices of this machine in a few words, for a test's name."""
        words = [self.cpu, f"smp{self.smp}", self.machine, self.mem, self.bus]
        return " ".join(words + (["uefi"] if self.uefi else []) + (["iso"] if self.iso else []))
