/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables: what lies where in slot 259, and the parts of it that other
 * rooms fill.
 *
 *   VA_IMAGE + 2 MiB        the image (physical 2 MiB): text RX, rodata R, data RW+NX
 *   VA_PERCPU + cpu * 2 MiB one page table for each CPU: entry stub, stack, GDT and LDT windows,
 * map_frame slots VA_IOREMAP … +1 GiB     device registers and firmware tables, handed out in
 * order, for ever
 *
 * A window whose PTE changes is flushed (invlpg) on the CPU that uses it by whoever changes it.
 */
#ifndef ASM_HV_PAGING_H
#define ASM_HV_PAGING_H

#define PERCPU_SHIFT       21
#define PERCPU_STUB_PAGE   0 /* RX: SYSCALL entry, the same frame on every CPU */
#define PERCPU_STACK_PAGE  8 /* 8 pages: NMI, #DF, #MC, #DB stacks, guard, 3 pages of main stack */
#define PERCPU_STACK_PAGES 8
#define PERCPU_GDT_PAGE    16 /* 16 pages: 0…13 the guest's, 14 ours, 15 zero */
#define PERCPU_LDT_PAGE    32 /* 16 pages */
#define PERCPU_INFO_PAGE   48 /* the frame with the vcpu_info of the vCPU that runs */
#define PERCPU_TABLE_PAGE  49 /* 2 pages: hv_paging.c's own windows onto page tables */
#define PERCPU_MAP_PAGE    64 /* map_frame slots */
#define MAP_SLOTS          64

#include <asm/page.h>
#include <asm/pv.h>

#define VA_PERCPU    (VA_IMAGE + 0x40000000UL)
#define VA_IOREMAP   (VA_IMAGE + 0x80000000UL)
#define IOREMAP_SIZE 0x40000000UL

/* PTE bits of the hypervisor's own mappings */
#define HPTE_RW     (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define HPTE_DEVICE (HPTE_RW | PTE_PCD | PTE_PWT)
#define HPTE_RO     (PTE_P | PTE_A | PTE_NX)
#define HPTE_RX     (PTE_P | PTE_A)
#define HPTE_TABLE  (PTE_P | PTE_RW | PTE_A)

static inline uint64_t percpu_va(unsigned cpu, unsigned page)
{
    return VA_PERCPU + ((uint64_t)cpu << PERCPU_SHIFT) + ((uint64_t)page << PAGE_SHIFT);
}
/* The top of a CPU's stack. */
static inline struct cpu_top *percpu_top(unsigned cpu)
{
    return (struct cpu_top *)percpu_va(cpu, PERCPU_STACK_PAGE + PERCPU_STACK_PAGES) - 1;
}
int map_slots_init(struct cpu *c); /* before map_frame() on that CPU; -ENOMEM */
/* Where the LDT of this CPU's guest is seen: a #PF in [it, +64 KiB) means that an LDT page is not
 * mapped yet. */
static inline uint64_t ldt_window_va(unsigned cpu)
{
    return percpu_va(cpu, PERCPU_LDT_PAGE);
}

/* Boot: build the permanent tables and go onto them (boot CPU); the window and stack of one more
 * CPU (-ENOMEM). */
void hv_paging_init(void);
int hv_paging_cpu_init(unsigned cpu);
/* The page table of a CPU's region: 512 entries. */
extern uint64_t *percpu_l1[];
/* Map what is not the allocator's, for ever: a device (HPTE_DEVICE) or the firmware's tables
 * (HPTE_RO). NULL: out of room. */
void *hv_map_window(uint64_t maddr, size_t size, uint64_t flags);
/* A zeroed page of the hypervisor's: from the boot pool until the heap is there. NULL: none. */
void *hv_boot_page(void);
uint64_t image_va_to_maddr(const void *p);
uint64_t hv_page_maddr(const void *p); /* of a page from hv_boot_page(), in the image or the heap */

#endif
