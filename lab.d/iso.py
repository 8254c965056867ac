# SPDX-License-Identifier: MIT
"""The hybrid ISO: GRUB for BIOS and UEFI, the hypervisor by multiboot2, dom0's kernel and initramfs as its modules, and dom0's root with
the guest images as one squashfs that dom0 puts under RAM. It needs nothing but the CD drive."""
import shutil
from pathlib import Path

import images
import kernels
import machine
import paths
import sh
import stamp

GRUB_CFG = """\
# SPDX-License-Identifier: MIT
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=0
menuentry "Mullion" {{
    multiboot2 /boot/hypervisor {hv}
    module2 /boot/vmlinux {dom0}
    module2 /boot/initrd
}}
"""


def _squashfs():
    """dom0's root and the guest images. Not compressed: reading a CD is cheaper than unpacking under emulation, and holes in
    images cost nothing either way."""
    product = paths.IMAGES / "root.squashfs"
    tree, guests = images.dom0_tree(), images.guest_disk()
    inputs = (stamp.same_as(tree), stamp.same_as(guests), paths.LAB / "iso.py")
    if stamp.fresh(product, *inputs):
        return product
    product.unlink(missing_ok=True)
    folder = paths.IMAGES / "squashfs.tree"
    shutil.rmtree(folder, ignore_errors=True)
    sh.run(["cp", "-al", tree, folder], "squashfs")
    images.place_guest_files(folder / "var/lib/mullion/images")
    sh.run(["mksquashfs", folder, product, "-noI", "-noD", "-noF", "-noX", "-no-progress"], "squashfs")
    shutil.rmtree(folder)
    stamp.keep(product, *inputs)
    return product


def make(product, which):
    """Make the ISO that boots what `which` (a Machine) would boot from disks."""
    hypervisor, kernel = which.hypervisor(), which.kernel or kernels.vmlinux(kernels.DOM0)
    initrd, root = which.initrd or images.dom0_initrd(), _squashfs()
    config = GRUB_CFG.format(hv=f"{machine.HV_ARGS} {which.hv_append}".strip(),
                             dom0=f"{machine.DOM0_ARGS} {which.append}".strip())
    inputs = (Path(hypervisor), Path(kernel), Path(initrd), stamp.same_as(root), config)
    if stamp.fresh(product, *inputs):
        return product
    folder = images.scratch("iso.tree")
    for source, name in ((hypervisor, "boot/hypervisor"), (kernel, "boot/vmlinux"), (initrd, "boot/initrd"),
                         (root, "mullion/root.squashfs")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        sh.run(["cp", "--reflink=auto", "--sparse=always", source, folder / name], "iso")
    (folder / "boot/grub").mkdir()
    (folder / "boot/grub/grub.cfg").write_text(config)
    sh.run(["grub-mkrescue", "-o", product, folder, "--", "-volid", "MULLION"], "iso")
    shutil.rmtree(folder)
    stamp.keep(product, *inputs)
    return product
