/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space: a width of 1, 2 or 4. Segment 0 by the ports 0xcf8 and 0xcfc (saved and
 * put back, under a lock), others and offsets of 256 and up by memory window. Any context. dom0's
 * emulated port accesses go through here too, so that the two never mix.
 */
#ifndef ASM_PCI_H
#define ASM_PCI_H

#include <hv/types.h>

uint32_t pci_read(uint16_t segment, uint8_t bus, uint8_t devfn, unsigned offset, unsigned width);
void pci_write(uint16_t segment, uint8_t bus, uint8_t devfn, unsigned offset, unsigned width,
               uint32_t v);
/* Offset of a capability, 0: none. */
unsigned pci_find_cap(uint16_t segment, uint8_t bus, uint8_t devfn, uint8_t id);
bool pci_present(uint16_t segment, uint8_t bus, uint8_t devfn);

/* cf8: the address as dom0 wrote it; byte_offset 0…3 into the data port; bytes 1, 2, 4. Disabled
 * address: ones, ignored. */
uint32_t pci_cf8_read(uint32_t cf8, unsigned byte_offset, unsigned bytes);
void pci_cf8_write(uint32_t cf8, unsigned byte_offset, unsigned bytes, uint32_t value);

#endif
