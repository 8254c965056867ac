/* SPDX-License-Identifier: MIT */
/*
 * A guest at random: tables pinned, entries written, frames given back, exchanged, mapped by dom0
 * and by grants, vCPUs switched to other tables, with preemption at random and arguments that are
 * wrong half of the time. After every few steps every count is recounted from the tables (fake_audit);
 * at the end both domains die and all memory is back.
 *
 * In the environment: MODEL_STEPS, MODEL_SEED: its length and its sequence; MODEL_EVERY: steps between
 * recounts (64; 1 finds the very step that went wrong).
 */
#include "pt.h"
#include <hv/memory_op.h>
#include <stdlib.h>

#define RAM  2048
#define POOL 40 /* frames of each guest that take part */

struct player {
    struct domain *d;
    mfn_t pool[POOL];
};

static struct player guest[2]; /* 0: dom0, 1: a domU */

/* What the grant handles of this test hold. */
static struct grant {
    mfn_t frame;
    uint64_t addr;
    bool readonly;
} grants[8];

static uint64_t grant_refs(uint64_t frame)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(grants); i++)
        n += grants[i].frame.m == frame;
    return n;
}

static uint64_t grant_types(uint64_t frame)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(grants); i++)
        n += grants[i].frame.m == frame && !grants[i].readonly;
    return n;
}

static unsigned pick(unsigned n)
{
    return fake_random() % n;
}

static mfn_t any_frame(const struct player *p)
{
    return pick(20) ? p->pool[pick(POOL)] : mfn(pick(FAKE_FIRST + RAM + 50));
}

static pte_t any_entry(const struct player *p, const struct player *other)
{
    static const uint64_t odd[] = {PTE_PSE,          PTE_PWT, PTE_G, PTE_GRANT,
                                   PTE_GUEST_KERNEL, PTE_NX,  0,     0};
    uint64_t flags = (pick(8) ? PTE_P : 0) | (pick(2) ? PTE_RW : 0) | (pick(2) ? PTE_USER : 0);

    if (!pick(10))
        flags |= odd[pick(ARRAY_SIZE(odd))];
    return pte_make(any_frame(pick(12) ? p : other), flags);
}

static unsigned any_index(void)
{
    return pick(4) ? pick(6) : pick(PTES_PER_TABLE);
}

/* Into a frame, as its owner would through a writable mapping; refused when it is a table. */
static void scribble(const struct player *p, const struct player *other)
{
    mfn_t m = p->pool[pick(POOL)];

    if (frame_get_typed(m, p->d, FT_WRITABLE))
        return;
    if (pick(3))
        raw(m)[any_index()] = any_entry(p, other);
    else
        memset(raw(m), 0, PAGE_SIZE);
    frame_put_typed(m);
}

/* A chain of tables, so that validation has something to succeed on. */
static void plant(const struct player *p)
{
    for (unsigned level = 1; level <= 4; level++) {
        mfn_t m = p->pool[level * 6 + pick(6)], below = p->pool[(level - 1) * 6 + pick(6)];

        if (frame_get_typed(m, p->d, FT_WRITABLE))
            continue;
        memset(raw(m), 0, PAGE_SIZE);
        for (unsigned i = 0; i < 4; i++)
            raw(m)[any_index()] =
                pte_make(pick(2) ? below : p->pool[(level - 1) * 6 + pick(6)], RW);
        frame_put_typed(m);
    }
}

static void write_entries(const struct player *p, const struct player *other)
{
    struct mmu_update u[8];
    unsigned n = 1 + pick(8), foreign = SELF;

    for (unsigned i = 0; i < n; i++)
        u[i] = (struct mmu_update){mfn_to_maddr(any_frame(p)) + any_index() * 8 +
                                       (pick(4) ? MMU_NORMAL_PT_UPDATE : MMU_PT_UPDATE_PRESERVE_AD),
                                   any_entry(p, other)};
    if (!pick(4))
        foreign = other->d->id;
    if (!pick(8))
        foreign |= (other->d->id + 1) << 16;
    call(do_mmu_update, (uint64_t)u, n, 0, foreign);
}

static void give_back(struct player *p)
{
    unsigned i = pick(POOL);
    xen_pfn_t list[1] = {p->pool[i].m};
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = SELF};

    r.extent_start.p = list;
    call(do_memory_op, pick(2) ? XENMEM_decrease_reservation : XENMEM_increase_reservation,
         (uint64_t)&r, 0, 0);
    list[0] = i;
    if (call(do_memory_op, XENMEM_populate_physmap, (uint64_t)&r, 0, 0) == 1)
        p->pool[i] = mfn(list[0]);
}

static void exchange(struct player *p)
{
    unsigned order = pick(3), n = 1u << order, at = pick(POOL - 4);
    xen_pfn_t in[4], out[1] = {7};
    struct xen_memory_exchange x = {.in = {.nr_extents = n, .domid = SELF},
                                    .out = {.nr_extents = 1, .extent_order = order, .domid = SELF}};

    for (unsigned i = 0; i < n; i++)
        in[i] = p->pool[at + i].m;
    x.in.extent_start.p = in;
    x.out.extent_start.p = out;
    if (!call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0)) {
        CU_ASSERT(x.nr_exchanged == n);
        for (unsigned i = 0; i < n; i++)
            p->pool[at + i] = mfn(out[0] + i);
    }
}

static void grant(const struct player *p, const struct player *other)
{
    struct grant *g = &grants[pick(ARRAY_SIZE(grants))];
    struct vcpu *v = p->d->vcpu[0];

    if (g->frame.m) { /* the handle goes, whatever became of the entry; a test's way to say "device
                         map" */
        pv_grant_unmap_pte(v, g->addr, g->frame, g->readonly, true, 0);
        if (g->readonly)
            frame_put(g->frame);
        else
            frame_put_typed(g->frame);
        g->frame = mfn(0);
        return;
    }
    *g = (struct grant){other->pool[pick(POOL)], mfn_to_maddr(any_frame(p)) + any_index() * 8,
                        pick(2)};
    if (g->readonly ? !frame_get(g->frame, other->d)
                    : frame_get_typed(g->frame, other->d, FT_WRITABLE) != 0) {
        g->frame = mfn(0);
        return;
    }
    pv_grant_map_pte(v, g->addr, g->frame, g->readonly, true, 0);
}

static void step(void)
{
    unsigned who = pick(2);
    struct player *p = &guest[who], *other = &guest[!who];

    fake_mm_become(p->d);
    switch (pick(14)) {
    case 0:
        plant(p);
        break;
    case 1:
        scribble(p, other);
        break;
    case 2:
    case 3:
    case 4:
        pin(1 + pick(4), pick(3) ? p->pool[(1 + pick(4)) * 6 + pick(6)] : any_frame(p));
        break;
    case 5:
        unpin(any_frame(p));
        break;
    case 6:
        ext(pick(2) ? MMUEXT_NEW_BASEPTR : MMUEXT_NEW_USER_BASEPTR, pick(8) ? any_frame(p).m : 0,
            0);
        break;
    case 7:
        ext(pick(2) ? MMUEXT_CLEAR_PAGE : MMUEXT_COPY_PAGE, any_frame(p).m, any_frame(p).m);
        break;
    case 8:
        give_back(p);
        break;
    case 9:
        exchange(p);
        break;
    case 10:
        if (who == 0) /* only one side maps grants here, so that the handles' owner is clear */
            grant(p, other);
        break;
    case 11: {
        uint64_t frames[2] = {any_frame(p).m, any_frame(p).m};

        call(do_set_gdt, (uint64_t)frames, pick(3) * 512, 0, 0);
        break;
    }
    default:
        write_entries(p, other);
    }
}

static uint64_t from_env(const char *name, uint64_t def)
{
    return getenv(name) ? strtoull(getenv(name), NULL, 0) : def;
}

static void run_model(void)
{
    uint64_t steps = from_env("MODEL_STEPS", 50000), seed = from_env("MODEL_SEED", 1),
             every = from_env("MODEL_EVERY", 64), before, tables = 0;
    const char *bad = NULL;

    before = frames_free();
    fake_seed = seed * 2654435761u + 1;
    for (unsigned i = 0; i < 2; i++) {
        guest[i].d = fake_mm_domain(i, 500);
        for (unsigned k = 0; k < POOL; k++)
            guest[i].pool[k] = get(guest[i].d);
    }
    for (uint64_t i = 0; i < steps && !bad; i++) {
        fake_preempt_one_in = pick(3) ? 0 : 1 + pick(4);
        step();
        fake_preempt_one_in = 0;
        if ((i + 1) % every == 0 || i + 1 == steps)
            bad = fake_audit(grant_refs, grant_types);
        if (bad)
            fprintf(stderr, "\n    seed %lu, step %lu (MODEL_EVERY=%lu): %s", seed, i, every, bad);
        for (unsigned k = 0; k < POOL; k++)
            tables += TYPE_OF(frame_of(guest[0].pool[k])->type) == FT_L4 &&
                      (frame_of(guest[0].pool[k])->type & TYPE_VALID);
    }
    CU_ASSERT_FATAL(!bad);
    CU_ASSERT(tables > steps / 10); /* it did get somewhere */
    for (unsigned i = 0; i < ARRAY_SIZE(grants); i++) {
        if (!grants[i].frame.m)
            continue;
        pv_grant_unmap_pte(guest[0].d->vcpu[0], grants[i].addr, grants[i].frame, grants[i].readonly,
                           true, 0);
        if (grants[i].readonly)
            frame_put(grants[i].frame);
        else
            frame_put_typed(grants[i].frame);
    }
    fake_preempt_one_in = 2;
    fake_mm_kill(guest[1].d); /* dom0 may still map some of it */
    fake_preempt_one_in = 0;
    CU_ASSERT(!fake_audit(NULL, NULL));
    fake_mm_kill(guest[0].d);
    CU_ASSERT(!fake_mm_exists(0));
    CU_ASSERT(!fake_mm_exists(1));
    before -= 1; /* the directory of owners */
    EQ(frames_free(), before);
    EQ(fake_map_users, 0);
}

static const struct test tests[] = {{"a guest at random", run_model}};

int main(void)
{
    fake_mm_start(RAM);
    return run_suite("page types, at random", tests, ARRAY_SIZE(tests));
}
