/* SPDX-License-Identifier: MIT */
/* PCI configuration space of segment 0 (pci.c). A function is its bus << 8 | devfn; bytes: 1, 2 or 4. Any context. */
#ifndef ASM_PCI_H
#define ASM_PCI_H

#include <hv/types.h>

#define PCI_ADDRESS_PORT 0xcf8
#define PCI_DATA_PORT    0xcfc

uint32_t pci_read(uint16_t bdf, unsigned offset, unsigned bytes);
void pci_write(uint16_t bdf, unsigned offset, unsigned bytes, uint32_t value);
unsigned pci_find_cap(uint16_t bdf, uint8_t id); /* offset of a capability, 0: none */
bool pci_present(uint16_t bdf);

/* dom0's port accesses. cf8: the address as dom0 wrote it; byte_offset 0…3 into the data port. Disabled address: ones, ignored. */
uint32_t pci_cf8_read(uint32_t cf8, unsigned byte_offset, unsigned bytes);
void pci_cf8_write(uint32_t cf8, unsigned byte_offset, unsigned bytes, uint32_t value);

#endif
