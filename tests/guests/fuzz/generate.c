/* SPDX-License-Identifier: MIT */
/*
 * Shapes of arguments: for each hypercall a string of letters, one an argument, and for structures
 * one string an operation, one letter a field; how wide a field is follows from its letter. What
 * has no shape here gets words of all kinds. Only the shapes are written by hand: which calls there
 * are comes from the hypervisor's tables.
 */
#include "generate.h"
#include <rt/hypercall.h>
#include <rt/print.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/nmi.h>
#include <rt/vcpu.h>
#include "calls.h"

struct material material;

uint64_t random_next(uint64_t *s)
{
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return *s * 0x2545f4914f6cdd1d;
}

static unsigned int below(uint64_t *s, unsigned int n)
{
    return (random_next(s) >> 33) % n;
}

static uint64_t hostile(uint64_t *s)
{
    switch (below(s, 8)) {
    case 0:
        return 0;
    case 1:
        return ~0ull;
    case 2:
        return random_next(s);
    case 3:
        return 1ull << below(s, 64);
    case 4:
        return material.hypervisor[below(s, ARRAY_SIZE(material.hypervisor))];
    case 5:
        return (1ull << 63) - below(s, 3);
    case 6:
        return 0xffffffff - below(s, 3);
    default:
        return random_next(s) >> below(s, 64);
    }
}

static uint64_t frame(uint64_t *s)
{
    return material.frames[below(s, MATERIAL_FRAMES)];
}

static uint64_t address(uint64_t *s)
{
    return material.pages[below(s, ARRAY_SIZE(material.pages))] +
           (below(s, 4) ? 0 : below(s, PAGE_SIZE));
}

static uint64_t pte(uint64_t *s)
{
    static const uint64_t flags[] = {PTE_P | PTE_US | PTE_A,
                                     PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D,
                                     PTE_P | PTE_RW,
                                     PTE_P | PTE_US | PTE_NX,
                                     PTE_P | PTE_US | PTE_PSE,
                                     PTE_P | PTE_RW | PTE_US | PTE_PCD | PTE_PWT,
                                     PTE_P | PTE_US | PTE_AVAIL,
                                     PTE_P | PTE_RW | PTE_US | 1ull << 62,
                                     0,
                                     PTE_RW};

    return frame(s) << 12 | flags[below(s, below(s, 3) ? 2 : ARRAY_SIZE(flags))];
}

/* A machine address of a page-table entry, with mmu_update's command in its low bits. */
static uint64_t entry(uint64_t *s)
{
    uint64_t at = below(s, 3) ? material.entries[below(s, ARRAY_SIZE(material.entries))]
                              : frame(s) << 12 | below(s, 512) * 8;

    return at | (below(s, 6) ? 0 : below(s, 4));
}

static uint32_t small(uint64_t *s)
{
    return below(s, below(s, 8) ? 8 : 80);
}

static uint16_t domid(uint64_t *s)
{
    return material.domids[below(s, 3) ? 0 : below(s, ARRAY_SIZE(material.domids))];
}

uint64_t random_word(uint64_t *s)
{
    switch (below(s, 7)) {
    case 0:
        return frame(s);
    case 1:
        return address(s);
    case 2:
        return pte(s);
    case 3:
        return entry(s);
    case 4:
        return small(s) | (uint64_t)small(s) << 32;
    case 5:
        return domid(s) | (uint64_t)small(s) << 32;
    default:
        return hostile(s);
    }
}

/* --- one field --- */

static unsigned int width_of(char kind)
{
    switch (kind) {
    case 'd':
    case 'z':
    case 'O':
    case 's':
        return 2;
    case 'o':
    case 'i':
    case 'c':
    case 'q':
    case 'm':
    case 'g':
    case '0':
        return 4;
    default:
        return 8;
    }
}

static uint64_t field(uint64_t *s, char kind, unsigned int op, const uint64_t *list)
{
    if (kind != 'o' && below(s, 24) == 0)
        return hostile(s);
    switch (kind) {
    case 'o': /* the operation */
        return op;
    case 'd':
        return domid(s);
    case 'i': /* index, port, reference, handle, vCPU */
    case 'I':
        return small(s);
    case 's':
        return below(s, 8);
    case 'c': /* count */
    case 'C':
        return 1 + below(s, 4);
    case 'O': /* within a page */
        return below(s, 2) ? below(s, 128) : below(s, PAGE_SIZE + 16);
    case 'q': /* order */
        return below(s, 6) ? 0 : below(s, 20);
    case 'm': /* flags, mostly none */
        return below(s, 6) ? 0 : random_next(s);
    case 'g':
        return 1 + below(s, below(s, 4) ? 6 : 0x1ff);
    case 'f':
        return frame(s);
    case 'x': /* a reference or a frame */
        return below(s, 2) ? frame(s) : small(s);
    case 't':
        return pte(s);
    case 'e':
        return entry(s);
    case 'v':
        return address(s);
    case 'w': /* where a grant is mapped: an address or an entry */
        return below(s, 3) ? address(s) : entry(s) & ~7ull;
    case 'a': /* bus address */
        return below(s, 2) ? 0 : frame(s) << 12;
    case 'u': /* flush flags */
        return below(s, 2) ? 2 : below(s, 8);
    case 'L':
        return (uint64_t)list;
    case 'T': /* a moment soon */
        return time_ns() + below(s, 200000);
    case '0':
    case 'z':
        return 0;
    default:
        return random_word(s);
    }
}

/* --- structures --- */

struct shape {
    unsigned int nr, op; /* op ANY: all that have none of their own */
    const char *fields;
};
#define ANY     ~0u
#define MMUEXT  __HYPERVISOR_mmuext_op
#define EVTCHN  __HYPERVISOR_event_channel_op
#define GRANT   __HYPERVISOR_grant_table_op
#define MEMORY  __HYPERVISOR_memory_op
#define EXTENTS "LCqmdzzz"

static const struct shape shapes[] = {
    {__HYPERVISOR_mmu_update, ANY, "et"},
    {MMUEXT, MMUEXT_SET_LDT, "o0vI"},
    {MMUEXT, MMUEXT_NEW_USER_BASEPTR, "o0fI"},
    {MMUEXT, MMUEXT_INVLPG_LOCAL, "o0vI"},
    {MMUEXT, MMUEXT_INVLPG_ALL, "o0vI"},
    {MMUEXT, MMUEXT_INVLPG_MULTI, "o0vL"},
    {MMUEXT, MMUEXT_TLB_FLUSH_MULTI, "o0vL"},
    {MMUEXT, ANY, "o0ff"},
    {EVTCHN, EVTCHNOP_alloc_unbound, "ddi"},
    {EVTCHN, EVTCHNOP_bind_interdomain, "dzii"},
    {EVTCHN, EVTCHNOP_status, "dziiii"},
    {EVTCHN, EVTCHNOP_reset, "d"},
    {EVTCHN, EVTCHNOP_init_control, "fiii"},
    {EVTCHN, EVTCHNOP_expand_array, "f"},
    {EVTCHN, ANY, "iiii"},
    {GRANT, GNTTABOP_map_grant_ref, "wgidziI"},
    {GRANT, GNTTABOP_unmap_grant_ref, "waizz"},
    {GRANT, GNTTABOP_unmap_and_replace, "wvizz"},
    {GRANT, GNTTABOP_copy, "xdOzzxdOzzOszz"},
    {GRANT, GNTTABOP_setup_table, "dziL"},
    {GRANT, GNTTABOP_cache_flush, "xOOi"},
    {GRANT, GNTTABOP_swap_grant_ref, "iizz"},
    {GRANT, ANY, "dziiiL"},
    {MEMORY, XENMEM_increase_reservation, EXTENTS},
    {MEMORY, XENMEM_decrease_reservation, EXTENTS},
    {MEMORY, XENMEM_populate_physmap, EXTENTS},
    {MEMORY, XENMEM_exchange, EXTENTS EXTENTS "I"},
    {MEMORY, XENMEM_memory_map, "c0L"},
    {MEMORY, XENMEM_acquire_resource, "ddiiiiL"},
    {MEMORY, ANY, "dziIL"},
    {__HYPERVISOR_sched_op, SCHEDOP_poll, "Lc0T"},
    {__HYPERVISOR_sched_op, ANY, "iiii"},
    {__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, "fi0"},
    {__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, "Ti0"},
    {__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, "v"},
    {__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, "v"},
    {__HYPERVISOR_callback_op, ANY, "ssiv"},
    {__HYPERVISOR_set_gdt, ANY, "ffffffff"},
};

static const char *shape_of(unsigned int nr, unsigned int op)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++)
        if (shapes[i].nr == nr && (shapes[i].op == op || shapes[i].op == ANY))
            return shapes[i].fields;
    return "88888888";
}

#define LIST_WORDS 16

/* Up to four structures at `area`, the list that they point to behind them. */
static uint64_t fill(uint64_t *s, uint64_t *area, unsigned int nr, unsigned int op)
{
    const char *shape = shape_of(nr, op);
    uint64_t *list = area + AREA_WORDS / 2;
    char *at = (char *)area, *end = (char *)list;

    for (unsigned int i = 0; i < LIST_WORDS; i++)
        list[i] = below(s, 3) ? frame(s) : below(s, 2) ? small(s) : random_word(s);
    for (unsigned int n = 0; n < 4; n++) {
        for (const char *f = shape; *f; f++) {
            unsigned int width = width_of(*f);
            uint64_t value = field(s, *f, op, list);

            at = (char *)(((uint64_t)at + width - 1) & ~(uint64_t)(width - 1));
            if (at + width > end)
                return (uint64_t)area;
            memcpy(at, &value, width);
            at += width;
        }
        at = (char *)(((uint64_t)at + 7) & ~7ull);
        /* Each of these structures names its own operation. */
        if (nr == MMUEXT)
            op = ops_mmuext_op[below(s, ARRAY_SIZE(ops_mmuext_op))];
    }
    return (uint64_t)area;
}

/* --- calls --- */

/* One letter an argument: those of fields, S the structures, p where a count is put. */
static const struct shape arguments[] = {
    {__HYPERVISOR_set_trap_table, ANY, "S"},
    {__HYPERVISOR_mmu_update, ANY, "Scpd"},
    {__HYPERVISOR_set_gdt, ANY, "Sg"},
    {__HYPERVISOR_stack_switch, ANY, "iv"},
    {__HYPERVISOR_set_callbacks, ANY, "vvv"},
    {__HYPERVISOR_set_debugreg, ANY, "sv"},
    {__HYPERVISOR_get_debugreg, ANY, "s"},
    {__HYPERVISOR_update_descriptor, ANY, "e8"},
    {__HYPERVISOR_update_va_mapping, ANY, "vtu"},
    {__HYPERVISOR_update_va_mapping_otherdomain, ANY, "vtud"},
    {__HYPERVISOR_set_timer_op, ANY, "T"},
    {__HYPERVISOR_console_io, ANY, "ciS"},
    {__HYPERVISOR_grant_table_op, ANY, "oSc"},
    {__HYPERVISOR_vm_assist, ANY, "os"},
    {__HYPERVISOR_vcpu_op, ANY, "oiS"},
    {__HYPERVISOR_set_segment_base, ANY, "ov"},
    {__HYPERVISOR_mmuext_op, ANY, "Scpd"},
    {__HYPERVISOR_platform_op, ANY, "S"},
    {__HYPERVISOR_sysctl, ANY, "S"},
    {__HYPERVISOR_domctl, ANY, "S"},
    {__HYPERVISOR_fpu_taskswitch, ANY, "s"},
};

static const char *arguments_of(const struct fuzz_call *c)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(arguments); i++)
        if (arguments[i].nr == c->nr)
            return arguments[i].fields;
    return c->nr_args == 1 ? "S" : "oS";
}

/* Calls that end the guest or stop a vCPU: now and then, or nothing else would ever happen. */
static bool ends_it(const struct fuzz_call *c, unsigned int op)
{
    switch (c->nr) {
    case __HYPERVISOR_iret:
        return true;
    case __HYPERVISOR_sched_op:
    case __HYPERVISOR_sched_op_compat:
        return op == SCHEDOP_shutdown || op == SCHEDOP_block || op == SCHEDOP_watchdog;
    case __HYPERVISOR_mmuext_op:
        return op == MMUEXT_NEW_BASEPTR;
    case __HYPERVISOR_vcpu_op:
        return op == VCPUOP_down;
    }
    return false;
}

static void make_one(uint64_t *s, uint64_t *area, struct call *out)
{
    const struct fuzz_call *c;
    const char *shape;
    unsigned int op;

    do {
        c = &fuzz_calls[below(s, ARRAY_SIZE(fuzz_calls))];
        op = c->ops ? c->ops[below(s, c->nr_ops)] : below(s, 32) ? 0 : below(s, 100);
    } while ((ends_it(c, op) && below(s, 1000)) || (c->privileged && below(s, 8)));
    if (!below(s, 64))
        op = below(s, 80); /* one that there may not be */
    out->what = c;
    for (unsigned int i = 0; i < 6; i++)
        out->args[i] = below(s, 16) ? 0 : hostile(s);
    shape = arguments_of(c);
    for (unsigned int i = 0; shape[i]; i++) {
        if (shape[i] == 'S')
            out->args[i] = below(s, 64) ? fill(s, area, c->nr, op) : hostile(s);
        else if (shape[i] == 'p')
            out->args[i] = below(s, 4) ? 0 : address(s);
        else
            out->args[i] = field(s, shape[i], op, area);
    }
    if (c->nr == MEMORY && !below(s, 8))
        out->args[0] |= (uint64_t)small(s) << 6; /* a start extent */
}

void call_make(uint64_t *s, uint64_t *area, struct call *out)
{
    multicall_entry_t *list = (multicall_entry_t *)(area + 3 * AREA_WORDS / 4);
    unsigned int n;

    make_one(s, area, out);
    if (out->what->nr != __HYPERVISOR_multicall)
        return;
    /* They share the area, as far as it goes: each rewrites what an earlier one was to read. */
    n = 1 + below(s, 4);
    for (unsigned int i = 0; i < n; i++) {
        struct call one;

        make_one(s, area, &one);
        list[i].op = one.what->nr;
        for (unsigned int a = 0; a < 6; a++)
            list[i].args[a] = one.args[a];
    }
    out->args[0] = below(s, 32) ? (uint64_t)list : hostile(s);
    out->args[1] = below(s, 32) ? n : hostile(s);
}
