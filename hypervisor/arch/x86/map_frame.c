/* SPDX-License-Identifier: MIT */
/*
 * Short-lived mappings of any frame: 64 page-table slots for each CPU, used as a small cache.
 *
 * Interface: map_frame, unmap_frame, maps_flush (hv/frame.h), frame_peek (asm/map_slots.h).
 * Invariant: a slot with users maps its frame; an idle slot may still map its last one, until
 * maps_flush(), which leaves no guest memory mapped when the CPU changes domains. No lock: a CPU
 * touches its own slots only, and never from an interrupt.
 */
#include <hv/printk.h>
#include <asm/map_slots.h>
#include <asm/msr.h>

int map_slots_init(struct cpu *c)
{
    struct map_slots *s = c->maps = hv_boot_page();

    if (!s)
        return -ENOMEM;
    s->pte = percpu_l1[c->id] + PERCPU_MAP_PAGE;
    s->va = (char *)percpu_va(c->id, PERCPU_MAP_PAGE);
    return 0;
}

/* Put f into an idle slot. */
static unsigned fill_slot(struct map_slots *s, mfn_t f)
{
    unsigned tries = 0, i;

    do
        i = s->hand = (s->hand + 1) % MAP_SLOTS;
    while (s->users[i] && ++tries < MAP_SLOTS);
    if (tries == MAP_SLOTS) /* no path holds more than a handful: our own mistake */
        panic("all map_frame slots of CPU %u are in use", this_cpu_id());
    WRITE_ONCE(s->pte[i], pte_make(f, HPTE_RW));
    if (s->frame[i])
        invlpg((uint64_t)s->va + i * PAGE_SIZE);
    s->live |= 1UL << i;
    s->frame[i] = (uint32_t)f.m;
    s->hint[f.m % MAP_SLOTS] = (uint8_t)i;
    return i;
}

void *map_frame(mfn_t f)
{
    struct map_slots *s = this_cpu()->maps;
    unsigned i = s->hint[f.m % MAP_SLOTS];

    if (unlikely(s->frame[i] != f.m))
        i = fill_slot(s, f);
    s->users[i]++;
    return s->va + i * PAGE_SIZE;
}

void unmap_frame(const void *p)
{
    struct map_slots *s = this_cpu()->maps;

    s->users[(uint64_t)((const char *)p - s->va) / PAGE_SIZE]--;
}

void *frame_peek_slow(mfn_t f)
{
    struct map_slots *s = this_cpu()->maps;

    return s->va + fill_slot(s, f) * PAGE_SIZE;
}

void maps_flush(void)
{
    struct map_slots *s = this_cpu()->maps;

    for (uint64_t todo = s->live; todo; todo &= todo - 1) {
        unsigned i = (unsigned)__builtin_ctzl(todo);

        if (s->users[i])
            continue;
        WRITE_ONCE(s->pte[i], 0);
        invlpg((uint64_t)s->va + i * PAGE_SIZE);
        s->frame[i] = 0;
        s->live &= ~(1UL << i);
    }
}
