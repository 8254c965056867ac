/* SPDX-License-Identifier: MIT */
/*
 * EVTCHNOP_* from three domains in any order with any arguments, while guests write what they like
 * into their shared_info. Whatever happened, the domains die and every frame and every allocation
 * is back.
 */
#include <hv/evtchn.h>
#include <xen/event_channel.h>
#include "guests.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DOM = 1, PORT, VCPU, VIRQ, PIRQ, FLAGS, PRIORITY, GFN, OFFSET };

static const struct op {
    uint8_t cmd;
    struct field field[4];
} ops[] = {
    {EVTCHNOP_alloc_unbound,
     {FIELD(struct evtchn_alloc_unbound, dom, DOM),
      FIELD(struct evtchn_alloc_unbound, remote_dom, DOM)}},
    {EVTCHNOP_bind_interdomain,
     {FIELD(struct evtchn_bind_interdomain, remote_dom, DOM),
      FIELD(struct evtchn_bind_interdomain, remote_port, PORT)}},
    {EVTCHNOP_bind_virq,
     {FIELD(struct evtchn_bind_virq, virq, VIRQ), FIELD(struct evtchn_bind_virq, vcpu, VCPU)}},
    {EVTCHNOP_bind_pirq,
     {FIELD(struct evtchn_bind_pirq, pirq, PIRQ), FIELD(struct evtchn_bind_pirq, flags, FLAGS)}},
    {EVTCHNOP_bind_ipi, {FIELD(struct evtchn_bind_ipi, vcpu, VCPU)}},
    {EVTCHNOP_close, {FIELD(struct evtchn_close, port, PORT)}},
    {EVTCHNOP_send, {FIELD(struct evtchn_send, port, PORT)}},
    {EVTCHNOP_status,
     {FIELD(struct evtchn_status, dom, DOM), FIELD(struct evtchn_status, port, PORT)}},
    {EVTCHNOP_bind_vcpu,
     {FIELD(struct evtchn_bind_vcpu, port, PORT), FIELD(struct evtchn_bind_vcpu, vcpu, VCPU)}},
    {EVTCHNOP_unmask, {FIELD(struct evtchn_unmask, port, PORT)}},
    {EVTCHNOP_reset, {FIELD(struct evtchn_reset, dom, DOM)}},
    {EVTCHNOP_init_control,
     {FIELD(struct evtchn_init_control, control_gfn, GFN),
      FIELD(struct evtchn_init_control, offset, OFFSET),
      FIELD(struct evtchn_init_control, vcpu, VCPU)}},
    {EVTCHNOP_expand_array, {FIELD(struct evtchn_expand_array, array_gfn, GFN)}},
    {EVTCHNOP_set_priority,
     {FIELD(struct evtchn_set_priority, port, PORT),
      FIELD(struct evtchn_set_priority, priority, PRIORITY)}},
};

static uint64_t value(struct bytes *b, unsigned kind, unsigned self)
{
    switch (kind) {
    case DOM:
        return any_domid(b);
    case GFN:
        return any_frame(b, self);
    case OFFSET:
        return pick(b, 8) ? pick(b, 64) * 8 : odd_number(b, PAGE_SIZE);
    case PORT:
        return odd_number(b, pick(b, 8) ? 12 : 5000);
    default:
        return odd_number(b, 26);
    }
}

static void operation(struct bytes *b, unsigned self)
{
    const struct op *op = &ops[pick(b, ARRAY_SIZE(ops))];
    uint64_t at = pick(b, 16) ? (uint64_t)&arena : guest_address(b, &arena);

    memset(&arena, 0, 64);
    fill(b, &arena, op->field, ARRAY_SIZE(op->field), value, self);
    hypercall(do_event_channel_op, op->cmd, at, 0);
}

/* What a guest may do at any time: bits in its shared_info, words in its own frames. */
static void scribble(struct bytes *b, unsigned self)
{
    struct shared_info *s = guest[self]->shared_info;
    uint64_t v = pick(b, 4) ? 1ul << pick(b, 64) : take_number(b, 8);

    switch (pick(b, 4)) {
    case 0:
        s->evtchn_mask[pick(b, 64)] = v;
        break;
    case 1:
        s->evtchn_pending[pick(b, 64)] = v;
        break;
    case 2:
        s->vcpu_info[pick(b, 2)].evtchn_upcall_mask = pick(b, 2);
        break;
    default: {
        uint32_t word = (uint32_t)take_number(b, 4);

        memcpy(fake_frames[frame[self][pick(b, FRAMES)].m].page +
                   take_number(b, 2) % (PAGE_SIZE - 4),
               &word, 4);
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = {data, size};

    guests_begin();
    while (b.left) {
        unsigned self = pick(&b, GUESTS);

        fake_become(guest[self]->vcpu[pick(&b, 2)]);
        if (pick(&b, 4))
            operation(&b, self);
        else
            scribble(&b, self);
        for (unsigned i = 0; i < GUESTS; i++)
            (void)vcpu_event_pending(guest[i]->vcpu[0]);
    }
    guests_end();
    return 0;
}
