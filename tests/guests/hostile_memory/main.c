/* SPDX-License-Identifier: MIT */
/*
 * hostile_memory: THREATS 26, 27 and 30, memory_op from an unprivileged child.
 *
 * How this guest would break the hypervisor: by an exchange whose progress or lists lead out of its
 * memory (26), by orders, counts and domains that there are not (27), by what it makes the
 * hypervisor keep for it and dies with (its memory map), and by reading what an answer's padding
 * was before (30).
 */
#include <rt/attack.h>
#include <rt/test.h>

/* What the hypervisor keeps of a domain's goes with it: a page of map entries. */
static void keep_memory_map(void)
{
    struct xen_foreign_memory_map m = {.domid = DOMID_SELF, .map.nr_entries = 128};

    set_xen_guest_handle(m.map.buffer, (void *)child_page(0));
    for (unsigned int i = 0; i < 3; i++)
        CHECK_RC(hv_memory_op(XENMEM_set_memory_map, &m), 0);
    m.map.nr_entries = ~0u;
    CHECK(hv_memory_op(XENMEM_set_memory_map, &m) < 0);
}

/* (XSA-212) nr_exchanged is where the lists are gone on with: near 2^64 it wraps them. */
static void exchange_wraps(void)
{
    static const uint64_t wild[] = {~0ull,         1ull << 63, 1ull << 61, (1ull << 61) - 1,
                                    ~0ull - 0xfff, 1ull << 32, 3,          2};
    xen_pfn_t list[2] = {mfn_of(child_page(0)), mfn_of(child_page(1))};

    for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++) {
        struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                        .out = {.nr_extents = 1, .domid = DOMID_SELF},
                                        .nr_exchanged = wild[i]};

        set_xen_guest_handle(x.in.extent_start, list);
        set_xen_guest_handle(x.out.extent_start, list);
        CHECK(hv_memory_op(XENMEM_exchange, &x) < 0);
    }
}

/* The lists in the hypervisor, and where no address is. */
static void lists_elsewhere(void)
{
    static const uint64_t wild[] = {0xffff830000000000, 0xffff82d040200000, 0xffff87fffffffff8,
                                    0x0000800000000000, 0x100000,           0};
    xen_pfn_t list[1] = {mfn_of(child_page(0))};

    for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++)
        for (unsigned int which = 0; which < 2; which++) {
            struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                            .out = {.nr_extents = 1, .domid = DOMID_SELF}};
            struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

            set_xen_guest_handle(x.in.extent_start, which ? list : (void *)wild[i]);
            set_xen_guest_handle(x.out.extent_start, which ? (void *)wild[i] : list);
            if (!which || i < 4)
                CHECK_RC(hv_memory_op(XENMEM_exchange, &x), -XEN_EFAULT);
            set_xen_guest_handle(r.extent_start, (void *)wild[i]);
            CHECK_RC(hv_memory_op(XENMEM_decrease_reservation, &r), 0);
            CHECK_RC(hv_memory_op(XENMEM_populate_physmap, &r), 0);
        }
}

/* (XSA-158, XSA-231) Orders, counts, nodes and domains that there are not: nothing is done. */
static void bad_extents(void)
{
    xen_pfn_t list[4] = {mfn_of(child_page(0)), ~0ull, 0, 0xb8};
    static const unsigned int op[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                      XENMEM_populate_physmap};

    for (unsigned int i = 0; i < ARRAY_SIZE(op); i++) {
        static const unsigned int order[] = {10, 18, 20, 31, 32, 63, 64, 0xffffffff};
        static const domid_t dom[] = {0, 0x7fef, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0xffff};

        for (unsigned int k = 0; k < ARRAY_SIZE(order); k++) {
            struct xen_memory_reservation r = {
                .nr_extents = 1, .extent_order = order[k], .domid = DOMID_SELF};

            set_xen_guest_handle(r.extent_start, list);
            CHECK_RC(hv_memory_op(op[i], &r), 0);
        }
        for (unsigned int k = 0; k < ARRAY_SIZE(dom); k++) {
            struct xen_memory_reservation r = {.nr_extents = 1, .domid = dom[k]};

            set_xen_guest_handle(r.extent_start, list);
            CHECK_RC(hv_memory_op(op[i], &r), 0);
        }
    }
    /* The second of three is not its own: one is done. */
    {
        struct xen_memory_reservation r = {.nr_extents = 3, .domid = DOMID_SELF};

        set_xen_guest_handle(r.extent_start, list);
        CHECK_RC(hv_memory_op(XENMEM_decrease_reservation, &r), 1);
    }
}

static void test_memory_op(void)
{
    static const struct attack attacks[] = {
        {"the memory map that it leaves", keep_memory_map},
        {"an exchange that wraps", exchange_wraps},
        {"lists elsewhere", lists_elsewhere},
        {"bad orders, counts and domains", bad_extents},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

GUEST("hostile_memory", TEST(memory_op));
