/* SPDX-License-Identifier: MIT */
/* PCI configuration through ports 0xcf8/0xcfc on dom0's behalf (pv/priv_op_io.c), under the lock of the hypervisor's own accesses. */
#ifndef ASM_PCI_H
#define ASM_PCI_H

#include <hv/types.h>

/* cf8: the address as dom0 wrote it; byte_offset 0…3 into the data port; bytes 1, 2, 4. Disabled address: ones, ignored. */
uint32_t pci_cf8_read(uint32_t cf8, unsigned byte_offset, unsigned bytes);
void pci_cf8_write(uint32_t cf8, unsigned byte_offset, unsigned bytes, uint32_t value);

#endif
