/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_* by dom0 and by a guest, on their own and each other's memory, with any arguments,
 * preempted at will, among page-table pins that hold frames back. After each call every count is
 * what the tables say; when both are dead all memory is free.
 */
#include <hv/memory_op.h>
#include <stdlib.h>
#include "bytes.h"
#include "fake_mm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM = 1024, POOL = 16 };
enum { DOM = 1, COUNT, ORDER, MEM_FLAGS, GUEST, FRAME, NUMBER, DONE };

#define RESERVATION(type, member)                                                          \
    FIELD(type, member extent_start, GUEST), FIELD(type, member nr_extents, COUNT),        \
        FIELD(type, member extent_order, ORDER), FIELD(type, member mem_flags, MEM_FLAGS), \
        FIELD(type, member domid, DOM)
#define PLAIN RESERVATION(struct xen_memory_reservation, )

static const struct op {
    uint8_t cmd;
    struct field field[12];
} ops[] = {
    {XENMEM_increase_reservation, {PLAIN}},
    {XENMEM_decrease_reservation, {PLAIN}},
    {XENMEM_populate_physmap, {PLAIN}},
    {XENMEM_exchange,
     {RESERVATION(struct xen_memory_exchange, in.), RESERVATION(struct xen_memory_exchange, out.),
      FIELD(struct xen_memory_exchange, nr_exchanged, DONE)}},
    {XENMEM_maximum_ram_page, {{0}}},
    {XENMEM_current_reservation, {{0, 2, DOM}}},
    {XENMEM_maximum_reservation, {{0, 2, DOM}}},
    {XENMEM_maximum_gpfn, {{0, 2, DOM}}},
    {XENMEM_machphys_mfn_list,
     {FIELD(struct xen_machphys_mfn_list, max_extents, COUNT),
      FIELD(struct xen_machphys_mfn_list, extent_start, GUEST)}},
    {XENMEM_machphys_mapping, {{0}}},
    {XENMEM_memory_map,
     {FIELD(struct xen_memory_map, nr_entries, COUNT),
      FIELD(struct xen_memory_map, buffer, GUEST)}},
    {XENMEM_machine_memory_map,
     {FIELD(struct xen_memory_map, nr_entries, COUNT),
      FIELD(struct xen_memory_map, buffer, GUEST)}},
    {XENMEM_set_memory_map,
     {FIELD(struct xen_foreign_memory_map, domid, DOM),
      FIELD(struct xen_foreign_memory_map, map.nr_entries, COUNT),
      FIELD(struct xen_foreign_memory_map, map.buffer, GUEST)}},
    {XENMEM_acquire_resource,
     {FIELD(struct xen_mem_acquire_resource, domid, DOM),
      FIELD(struct xen_mem_acquire_resource, type, NUMBER),
      FIELD(struct xen_mem_acquire_resource, id, NUMBER),
      FIELD(struct xen_mem_acquire_resource, nr_frames, COUNT),
      FIELD(struct xen_mem_acquire_resource, frame, NUMBER),
      FIELD(struct xen_mem_acquire_resource, frame_list, GUEST)}},
    {XENMEM_claim_pages, {PLAIN}},
};

static struct arena arena;
static struct domain *player[2];

static uint64_t value(struct bytes *b, unsigned kind)
{
    static const domid_t doms[] = {DOMID_SELF, DOMID_SELF, 0, 1, 2, DOMID_XEN, DOMID_IO, 0xffff};

    switch (kind) {
    case DOM:
        return doms[pick(b, ARRAY_SIZE(doms))];
    case COUNT:
        return pick(b, 8) ? pick(b, 6) : odd_number(b, 600);
    case ORDER:
        return pick(b, 8) ? pick(b, 3) : odd_number(b, 70);
    case MEM_FLAGS:
        return pick(b, 4) ? 0 : odd_number(b, 2000);
    case GUEST: /* mostly the list of frames that begins at word 64 */
        return pick(b, 4) ? (uint64_t)&arena.word[64 + pick(b, 8)] : guest_address(b, &arena);
    case DONE:
        return pick(b, 8) ? 0 : odd_number(b, 4);
    default:
        return odd_number(b, 8);
    }
}

static mfn_t any_mfn(struct bytes *b)
{
    return mfn(FAKE_FIRST + take_number(b, 2) % (RAM + 4));
}

static void lists(struct bytes *b)
{
    for (unsigned i = 0; i < POOL; i++)
        arena.word[64 + i] = pick(b, 3) ? any_mfn(b).m : odd_number(b, 512);
}

static long hypercall(hypercall_fn *fn, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    struct hypercall hc = {.arg = {a0, a1, a2, a3}};
    long rc;

    do
        rc = fn(&hc);
    while (rc == -HC_RESTART);
    return rc;
}

static void operation(struct bytes *b)
{
    const struct op *op = &ops[pick(b, ARRAY_SIZE(ops))];
    uint64_t at = pick(b, 16) ? (uint64_t)&arena : guest_address(b, &arena),
             start = pick(b, 16) ? 0 : take_number(b, 3);

    memset(&arena, 0, 128);
    for (const struct field *f = op->field; f < op->field + ARRAY_SIZE(op->field) && f->size; f++) {
        uint64_t v = value(b, f->kind);

        memcpy((char *)&arena + f->at, &v, f->size);
    }
    lists(b);
    hypercall(do_memory_op, op->cmd | start << 6, at, 0, 0);
}

static void pin(struct bytes *b)
{
    arena.word[0] = arena.word[1] = 0;
    struct mmuext_op op = {.cmd =
                               pick(b, 2) ? MMUEXT_PIN_L1_TABLE + pick(b, 4) : MMUEXT_UNPIN_TABLE,
                           .arg1.mfn = any_mfn(b).m};

    memcpy(&arena, &op, sizeof(op));
    hypercall(do_mmuext_op, (uint64_t)&arena, 1, 0, DOMID_SELF);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct bytes b = {data, size};
    uint64_t before;

    if (!started)
        fake_mm_start(RAM);
    started = true;
    before = frames_free();
    for (unsigned i = 0; i < 2; i++) {
        player[i] = fake_mm_domain(i, 300);
        for (unsigned k = 0; k < POOL; k++)
            if (mfn_eq(alloc_frames(player[i], 0, 0), INVALID_MFN))
                abort();
    }
    fake_guest = (uint64_t)&arena;
    fake_guest_size = sizeof(arena);
    fake_seed = 1 + take_number(&b, 4);
    while (b.left) {
        fake_mm_become(player[pick(&b, 2)]);
        fake_preempt_one_in = pick(&b, 3) ? 0 : 2;
        if (pick(&b, 5))
            operation(&b);
        else
            pin(&b);
        fake_preempt_one_in = 0;
        if (fake_audit(NULL, NULL))
            abort();
    }
    fake_guest_size = 0;
    fake_mm_kill(player[1]);
    fake_mm_kill(player[0]);
    /* The table of owners is made once and stays. */
    if (fake_map_users || frames_free() + 1 < before || frames_free() > before)
        abort();
    return 0;
}
