/* SPDX-License-Identifier: MIT */
/* PCI configuration space of segment 0 (pci.c). A function is its bus << 8 | devfn; bytes: 1, 2 or 4. Any context. */
#ifndef ASM_PCI_H
#define ASM_PCI_H

#include <hv/types.h>

#define PCI_ADDRESS_PORT   0xcf8
#define PCI_ADDRESS_ENABLE 0x80000000u
#define PCI_DATA_PORT      0xcfc

/* Bits of bdf above 15 go to the address port as they are: dom0's, which may know what they mean on this machine. */
uint32_t pci_read(uint32_t bdf, unsigned offset, unsigned bytes);
void pci_write(uint32_t bdf, unsigned offset, unsigned bytes, uint32_t value);
unsigned pci_find_cap(uint16_t bdf, uint8_t id); /* offset of a capability, 0: none */
bool pci_present(uint16_t bdf);

#endif
