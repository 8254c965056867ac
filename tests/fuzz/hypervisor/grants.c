/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_* among three domains, in any order, in batches, with any arguments, while owners
 * rewrite their grant entries between any two calls. Whatever happened, the domains die, in an
 * order that the input chooses, and every reference, mapping and allocation is back.
 */
#include <hv/grant.h>
#include <stdlib.h>
#include <xen/grant_table.h>
#include "guests.h"
#include "../../../hypervisor/common/grant/gt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DOM = 1, REF, HANDLE, MAP_FLAGS, ADDRESS, FRAME, NUMBER, OFFSET, LENGTH, COPY_FLAGS, GUEST };

#define COPY_SIDE(side)                                                                        \
    FIELD(struct gnttab_copy, side.u.gmfn, FRAME), FIELD(struct gnttab_copy, side.domid, DOM), \
        FIELD(struct gnttab_copy, side.offset, OFFSET)

static const struct op {
    uint8_t cmd, size;
    struct field field[8];
} ops[] = {
    {GNTTABOP_map_grant_ref,
     sizeof(struct gnttab_map_grant_ref),
     {FIELD(struct gnttab_map_grant_ref, host_addr, ADDRESS),
      FIELD(struct gnttab_map_grant_ref, flags, MAP_FLAGS),
      FIELD(struct gnttab_map_grant_ref, ref, REF), FIELD(struct gnttab_map_grant_ref, dom, DOM)}},
    {GNTTABOP_unmap_grant_ref,
     sizeof(struct gnttab_unmap_grant_ref),
     {FIELD(struct gnttab_unmap_grant_ref, host_addr, ADDRESS),
      FIELD(struct gnttab_unmap_grant_ref, dev_bus_addr, NUMBER),
      FIELD(struct gnttab_unmap_grant_ref, handle, HANDLE)}},
    {GNTTABOP_unmap_and_replace,
     sizeof(struct gnttab_unmap_and_replace),
     {FIELD(struct gnttab_unmap_and_replace, host_addr, ADDRESS),
      FIELD(struct gnttab_unmap_and_replace, new_addr, ADDRESS),
      FIELD(struct gnttab_unmap_and_replace, handle, HANDLE)}},
    {GNTTABOP_setup_table,
     sizeof(struct gnttab_setup_table),
     {FIELD(struct gnttab_setup_table, dom, DOM),
      FIELD(struct gnttab_setup_table, nr_frames, NUMBER),
      FIELD(struct gnttab_setup_table, frame_list, GUEST)}},
    {GNTTABOP_query_size,
     sizeof(struct gnttab_query_size),
     {FIELD(struct gnttab_query_size, dom, DOM)}},
    {GNTTABOP_copy,
     sizeof(struct gnttab_copy),
     {COPY_SIDE(source), COPY_SIDE(dest), FIELD(struct gnttab_copy, len, LENGTH),
      FIELD(struct gnttab_copy, flags, COPY_FLAGS)}},
    {GNTTABOP_swap_grant_ref,
     sizeof(struct gnttab_swap_grant_ref),
     {FIELD(struct gnttab_swap_grant_ref, ref_a, REF),
      FIELD(struct gnttab_swap_grant_ref, ref_b, REF)}},
    {GNTTABOP_cache_flush,
     sizeof(struct gnttab_cache_flush),
     {FIELD(struct gnttab_cache_flush, a.dev_bus_addr, NUMBER),
      FIELD(struct gnttab_cache_flush, offset, OFFSET),
      FIELD(struct gnttab_cache_flush, length, LENGTH),
      FIELD(struct gnttab_cache_flush, op, NUMBER)}},
    {GNTTABOP_set_version,
     sizeof(struct gnttab_set_version),
     {FIELD(struct gnttab_set_version, version, NUMBER)}},
    {GNTTABOP_get_version,
     sizeof(struct gnttab_get_version),
     {FIELD(struct gnttab_get_version, dom, DOM)}},
    {GNTTABOP_get_status_frames,
     sizeof(struct gnttab_get_status_frames),
     {FIELD(struct gnttab_get_status_frames, nr_frames, NUMBER),
      FIELD(struct gnttab_get_status_frames, dom, DOM)}},
    {GNTTABOP_transfer,
     sizeof(struct gnttab_transfer),
     {FIELD(struct gnttab_transfer, mfn, FRAME)}},
};

static uint64_t value(struct bytes *b, unsigned kind, unsigned self)
{
    switch (kind) {
    case DOM:
        return any_domid(b);
    case REF:
        return odd_number(b, 24);
    case MAP_FLAGS:
        return pick(b, 8) ? pick(b, 16) : take_number(b, 4);
    case ADDRESS: /* a few, so that unmaps find what maps made; the fake's mappings are only
                     remembered */
        return pick(b, 12) ? 0x10000 + PAGE_SIZE * pick(b, 8) : odd_number(b, 4096);
    case FRAME: /* of a copy's side: a frame or, as often, a reference */
        return pick(b, 2) ? any_frame(b, self) : odd_number(b, 24);
    case OFFSET:
    case LENGTH:
        return pick(b, 4) ? pick(b, 200) : odd_number(b, PAGE_SIZE + 2);
    case COPY_FLAGS:
        return pick(b, 8) ? pick(b, 4) : take_number(b, 2);
    case GUEST:
        return guest_address(b, &arena);
    default:
        return odd_number(b, 8);
    }
}

static void operation(struct bytes *b, unsigned self)
{
    const struct op *op = &ops[pick(b, ARRAY_SIZE(ops))];
    unsigned count = pick(b, 4) ? 1 : pick(b, 8), made = MIN(count, 6u);
    uint64_t at = pick(b, 16) ? (uint64_t)&arena : guest_address(b, &arena);

    memset(&arena, 0, made * op->size);
    for (unsigned i = 0; i < made; i++)
        fill(b, (char *)&arena + i * op->size, op->field, ARRAY_SIZE(op->field), value, self);
    if (!pick(b, 64))
        count = (unsigned)odd_number(b, 300);
    hypercall(do_grant_table_op, op->cmd, at, count);
}

/* An owner writes an entry of its table: mostly a grant that makes sense. */
static void give(struct bytes *b, unsigned self)
{
    struct grant_entry_v1 *e = guest[self]->grant->shared[0] + pick(b, 24);

    if (!pick(b, 8)) {
        take(b, e, sizeof(*e));
        return;
    }
    *e = (struct grant_entry_v1){
        .flags = (uint16_t)(pick(b, 8) ? GTF_permit_access | (pick(b, 2) ? GTF_readonly : 0)
                                       : take_number(b, 2)),
        .domid = any_domid(b),
        .frame = (uint32_t)any_frame(b, self),
    };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = {data, size};

    guests_begin();
    while (b.left) {
        unsigned self = pick(&b, GUESTS);

        fake_become(guest[self]->vcpu[pick(&b, 2)]);
        fake_map_fails = !pick(&b, 16);
        if (pick(&b, 4))
            operation(&b, self);
        else
            give(&b, self);
    }
    fake_map_fails = false;
    guests_end();
    if (fake_nr_mappings())
        abort();
    return 0;
}
