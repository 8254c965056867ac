/* SPDX-License-Identifier: MIT */
/*
 * Short-lived mappings of any frame: 64 page-table slots for each CPU, used as a small cache.
 *
 * Interface: map_frame, unmap_frame, maps_flush (hv/frame.h).
 * Invariant: a slot with users maps its frame; an idle slot may still map its last one, until
 * maps_flush(), which leaves no guest memory mapped when the CPU changes domains. No lock: a CPU
 * touches its own slots only, and never from an interrupt.
 */
#include <hv/frame.h>
#include <hv/printk.h>
#include <asm/cpu.h>
#include <asm/hv_paging.h>
#include <asm/page.h>

#define SLOTS MAP_SLOTS

struct map_slots {
    uint64_t *pte;
    char *va;
    uint64_t live; /* slots that map something */
    uint8_t users[SLOTS];
    uint8_t hint[SLOTS]; /* frame number modulo SLOTS → slot that may have it */
    uint32_t frame[SLOTS];
    unsigned hand;
};

static struct map_slots *my_slots(void)
{
    struct cpu *c = this_cpu();
    struct map_slots *s = c->maps;

    if (unlikely(!s)) {
        s = c->maps = hv_boot_page();
        if (!s) /* a CPU's first mapping, while it is brought up */
            panic("no memory for the map_frame slots of CPU %u", c->id);
        s->pte = map_slot_ptes(c->id);
        s->va = map_slot_va(c->id);
    }
    return s;
}

static void invalidate(const struct map_slots *s, unsigned i)
{
    __asm__ volatile("invlpg %0" ::"m"(*(s->va + i * PAGE_SIZE)) : "memory");
}

void *map_frame(mfn_t f)
{
    struct map_slots *s = my_slots();
    unsigned i = s->hint[f.m % SLOTS];

    if (!(s->live & (1UL << i)) || s->frame[i] != f.m) {
        unsigned tries = 0;

        do
            i = s->hand = (s->hand + 1) % SLOTS;
        while (s->users[i] && ++tries < SLOTS);
        if (tries == SLOTS) /* no path holds more than a handful: our own mistake */
            panic("all map_frame slots of CPU %u are in use", this_cpu_id());
        WRITE_ONCE(s->pte[i], pte_make(f, PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX));
        if (s->live & (1UL << i))
            invalidate(s, i);
        s->live |= 1UL << i;
        s->frame[i] = f.m;
        s->hint[f.m % SLOTS] = i;
    }
    s->users[i]++;
    return s->va + i * PAGE_SIZE;
}

void unmap_frame(const void *p)
{
    struct map_slots *s = my_slots();

    s->users[(uint64_t)((const char *)p - s->va) / PAGE_SIZE]--;
}

void maps_flush(void)
{
    struct map_slots *s = my_slots();

    for (uint64_t todo = s->live; todo; todo &= todo - 1) {
        unsigned i = __builtin_ctzl(todo);

        if (s->users[i])
            continue;
        WRITE_ONCE(s->pte[i], 0);
        invalidate(s, i);
        s->live &= ~(1UL << i);
    }
}
