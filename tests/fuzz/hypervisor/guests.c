/* SPDX-License-Identifier: MIT */
/* The three guests of guests.h. */
#include "guests.h"
#include <stdlib.h>

struct arena arena;
struct domain *guest[GUESTS];
mfn_t frame[GUESTS][FRAMES];

void guests_begin(void)
{
    static const domid_t id[GUESTS] = {0, 7, 9};

    fake_machine(1);
    for (unsigned i = 0; i < GUESTS; i++) {
        guest[i] = fake_domain(id[i], 2, false);
        for (unsigned k = 0; k < FRAMES; k++)
            frame[i][k] = fake_frame_of(guest[i]);
        domain_hold(guest[i]); /* as the frame allocator does for a domain with frames */
    }
    memset(&arena, 0, sizeof(arena));
    fake_guest = (uint64_t)&arena;
    fake_guest_size = sizeof(arena);
}

void guests_end(void)
{
    fake_guest_size = 0;
    fake_become(this_cpu()->idle);
    for (unsigned i = GUESTS; i-- > 0;)
        fake_kill(guest[i]);
    for (unsigned i = 0; i < GUESTS; i++)
        domain_put(guest[i]);
    if (fake_total_refs() != GUESTS * FRAMES)
        abort();
    fake_machine_down();
}

domid_t any_domid(struct bytes *b)
{
    static const domid_t doms[] = {DOMID_SELF, 0, 7, 9, 0, 7, 9, 8, DOMID_XEN, DOMID_IO, 0xffff};

    return doms[pick(b, ARRAY_SIZE(doms))];
}

uint64_t any_frame(struct bytes *b, unsigned self)
{
    if (!pick(b, 8))
        return odd_number(b, 300);
    return frame[pick(b, 12) ? self : pick(b, GUESTS)][pick(b, FRAMES)].m;
}

void fill(struct bytes *b, void *to, const struct field *field, unsigned n, value_fn *value,
          unsigned self)
{
    for (const struct field *f = field; f < field + n && f->size; f++) {
        uint64_t v = value(b, f->kind, self);

        memcpy((char *)to + f->at, &v, f->size);
    }
}

long hypercall(hypercall_fn *fn, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct hypercall hc = {.arg = {a0, a1, a2}};
    long rc;

    do
        rc = fn(&hc);
    while (rc == -HC_RESTART);
    return rc;
}
