/* SPDX-License-Identifier: MIT */
/*
 * A guest at random: tables pinned, entries written, frames given back, exchanged, mapped by dom0
 * and by grants, vCPUs switched to other tables, with preemption at random and arguments that are
 * wrong half of the time. Each step's answer is foretold by a reference (reference.h), and after it
 * every frame's references, kind, users and contents are compared with the reference's. After every
 * few steps every count is recounted from the tables (fake_audit); at the end both domains die and
 * all memory is back.
 *
 * In the environment: MODEL_STEPS, MODEL_SEED: its length and its sequence; MODEL_EVERY: steps
 * between recounts (64; 1 finds the very step that went wrong).
 */
#include "pt.h"
#include "reference.h"
#include <hv/memory_op.h>
#include <stdlib.h>

#define RAM  2048
#define POOL 40 /* frames of each guest that take part */

struct player {
    struct domain *d;
    mfn_t pool[POOL];
};

static struct player guest[2]; /* 0: dom0, 1: a domU */

static char wrong[200]; /* the step's first difference from the reference */

static void expect(const char *what, long is, long should)
{
    if (is != should && !wrong[0])
        snprintf(wrong, sizeof(wrong), "%s answers %ld, the reference says %ld", what, is, should);
}

static unsigned number(const struct player *p)
{
    return p->d->id;
}

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

static bool mapped_writable(const struct player *p, mfn_t m)
{
    bool ok = !frame_get_typed(m, p->d, FT_WRITABLE);

    expect("a writable mapping", ok, ref_may_write(number(p), m.m));
    return ok;
}

static void write_raw(mfn_t m, unsigned index, pte_t e)
{
    raw(m)[index] = e;
    ref_write(m.m, index, e);
}

/* Into a frame, as its owner would through a writable mapping; refused when it is a table. */
static void scribble(const struct player *p, const struct player *other)
{
    mfn_t m = p->pool[pick(POOL)];

    if (!mapped_writable(p, m))
        return;
    if (pick(3)) {
        write_raw(m, any_index(), any_entry(p, other));
    } else {
        memset(raw(m), 0, PAGE_SIZE);
        ref_clear(m.m);
    }
    frame_put_typed(m);
}

/* A chain of tables, so that validation has something to succeed on. */
static void plant(const struct player *p)
{
    for (unsigned level = 1; level <= 4; level++) {
        mfn_t m = p->pool[level * 6 + pick(6)], below = p->pool[(level - 1) * 6 + pick(6)];

        if (!mapped_writable(p, m))
            continue;
        memset(raw(m), 0, PAGE_SIZE);
        ref_clear(m.m);
        for (unsigned i = 0; i < 4; i++)
            write_raw(m, any_index(),
                      pte_make(pick(2) ? below : p->pool[(level - 1) * 6 + pick(6)], RW));
        frame_put_typed(m);
    }
}

/* What a domain that a call names is to it: itself, the other one, or -errno. */
static int named(const struct player *p, unsigned id)
{
    if (id == SELF)
        return (int)number(p);
    return id == number(p) ? -ESRCH : number(p) == 0 ? (int)id : -EPERM;
}

static void write_entries(const struct player *p, const struct player *other)
{
    struct mmu_update u[8];
    unsigned n = 1 + pick(8), foreign = SELF, done = 77, may = 0;
    int pt, pg, want = 0;
    long rc;

    for (unsigned i = 0; i < n; i++)
        u[i] = (struct mmu_update){mfn_to_maddr(any_frame(p)) + any_index() * 8 +
                                       (pick(4) ? MMU_NORMAL_PT_UPDATE : MMU_PT_UPDATE_PRESERVE_AD),
                                   any_entry(p, other)};
    if (!pick(4)) { /* what is there already, but for flags */
        static const uint64_t flags[] = {PTE_NX, PTE_A | PTE_D, PTE_AVAIL, PTE_GRANT, PTE_RW, 0};
        mfn_t m = p->pool[pick(POOL)];
        unsigned k = pick(6);

        if (!pick(3) && grants[0].frame.m) {
            m = maddr_to_mfn(grants[0].addr);
            k = grants[0].addr % PAGE_SIZE / 8;
        }
        if (ref_look(m.m))
            u[0] = (struct mmu_update){mfn_to_maddr(m) + k * 8,
                                       raw(m)[k] ^ flags[pick(ARRAY_SIZE(flags))]};
    }
    if (!pick(4))
        foreign = other->d->id;
    if (!pick(8))
        foreign |= (other->d->id + 1) << 16;
    rc = call(do_mmu_update, (uint64_t)u, n, (uint64_t)&done, foreign);
    pt = foreign >> 16 ? named(p, (foreign >> 16) - 1) : (int)number(p);
    pg = pt < 0 ? pt : named(p, foreign & 0xffff);
    if (pg < 0) {
        expect("mmu_update", rc, pg);
        return;
    }
    while (!want && may < n) {
        want = ref_update((unsigned)pt, (unsigned)pg, u[may].ptr & ~7ul, u[may].val,
                          u[may].ptr & MMU_PT_UPDATE_PRESERVE_AD);
        may += !want;
    }
    expect("mmu_update", rc, want);
    expect("mmu_update's count", done, may);
}

static void give_back(struct player *p)
{
    unsigned i = pick(POOL), d = number(p);
    uint64_t m = p->pool[i].m;
    xen_pfn_t list[1] = {m};
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = SELF};
    bool room;
    long rc;

    r.extent_start.p = list;
    if (pick(2)) {
        rc = call(do_memory_op, XENMEM_decrease_reservation, (uint64_t)&r, 0, 0);
        expect("decrease_reservation", rc, ref_decrease(d, m));
    } else {
        room = ref_may_get(d);
        rc = call(do_memory_op, XENMEM_increase_reservation, (uint64_t)&r, 0, 0);
        expect("increase_reservation", rc, room);
        if (rc == 1)
            expect("the new frame is free", ref_got(d, list[0], REF_NONE), true);
    }
    list[0] = i;
    room = ref_may_get(d);
    rc = call(do_memory_op, XENMEM_populate_physmap, (uint64_t)&r, 0, 0);
    expect("populate_physmap", rc, room);
    if (rc == 1) {
        expect("the new frame is free", ref_got(d, list[0], i), true);
        p->pool[i] = mfn(list[0]);
    }
}

static void exchange(struct player *p)
{
    unsigned order = pick(3), n = 1u << order, at = pick(POOL - 4), d = number(p);
    xen_pfn_t in[4], out[1] = {7};
    struct xen_memory_exchange x = {.in = {.nr_extents = n, .domid = SELF},
                                    .out = {.nr_extents = 1, .extent_order = order, .domid = SELF}};
    bool may;
    long rc;

    for (unsigned i = 0; i < n; i++)
        in[i] = p->pool[at + i].m;
    x.in.extent_start.p = in;
    x.out.extent_start.p = out;
    may = ref_may_take(d, in, n);
    rc = call(do_memory_op, XENMEM_exchange, (uint64_t)&x, 0, 0);
    expect("exchange", rc, may ? 0 : -EINVAL);
    expect("exchange's count", (long)x.nr_exchanged, may ? n : 0);
    if (rc)
        return;
    ref_take(d, in, n);
    expect("the new extent's alignment", out[0] % n, 0);
    for (unsigned i = 0; i < n; i++) {
        expect("the new frame is free", ref_got(d, out[0] + i, 7 + i), true);
        p->pool[at + i] = mfn(out[0] + i);
    }
}

static void grant(const struct player *p, const struct player *other)
{
    struct grant *g = &grants[pick(ARRAY_SIZE(grants))];
    struct vcpu *v = p->d->vcpu[0];
    bool held, done;

    if (g->frame.m) { /* the handle goes, whatever became of the entry; a test's way to say "device
                         map" */
        done = pv_grant_unmap_pte(v, g->addr, g->frame, g->readonly, true, 0) == GNTST_okay;
        expect("a grant's entry goes", done, ref_grant_unmap(g->addr, g->frame.m, g->readonly));
        if (g->readonly)
            frame_put(g->frame);
        else
            frame_put_typed(g->frame);
        ref_unhold(g->frame.m, g->readonly);
        g->frame = mfn(0);
        return;
    }
    *g = (struct grant){other->pool[pick(POOL)], mfn_to_maddr(any_frame(p)) + any_index() * 8,
                        pick(2)};
    held = g->readonly ? frame_get(g->frame, other->d)
                       : frame_get_typed(g->frame, other->d, FT_WRITABLE) == 0;
    expect("a grant's reference", held, ref_hold(number(other), g->frame.m, g->readonly));
    if (!held) {
        g->frame = mfn(0);
        return;
    }
    done = pv_grant_map_pte(v, g->addr, g->frame, g->readonly, true, 0) == GNTST_okay;
    expect("a grant's entry", done, ref_grant_map(g->addr, g->frame.m, g->readonly));
}

static void tables(const struct player *p)
{
    mfn_t m = any_frame(p), from = any_frame(p);
    unsigned level = 1 + pick(4), d = number(p);
    bool flag = pick(2);

    switch (pick(6)) {
    case 0:
    case 1:
    case 2:
        if (pick(3))
            m = p->pool[(1 + pick(4)) * 6 + pick(6)];
        expect("pin", pin(level, m), ref_pin(d, level, m.m));
        break;
    case 3:
        expect("unpin", unpin(m), ref_unpin(d, m.m));
        break;
    case 4:
        if (!pick(8))
            m = mfn(0);
        expect("a new base", ext(flag ? MMUEXT_NEW_USER_BASEPTR : MMUEXT_NEW_BASEPTR, m.m, 0),
               ref_base(d, flag, m.m));
        break;
    case 5:
        if (flag)
            expect("clear_page", ext(MMUEXT_CLEAR_PAGE, m.m, 0), ref_clear_page(d, m.m));
        else
            expect("copy_page", ext(MMUEXT_COPY_PAGE, m.m, from.m), ref_copy_page(d, m.m, from.m));
        break;
    }
}

static void descriptors(const struct player *p)
{
    uint64_t frames[2] = {any_frame(p).m, any_frame(p).m};
    unsigned n = pick(3);

    expect("set_gdt", call(do_set_gdt, (uint64_t)frames, n * 512, 0, 0),
           ref_gdt(number(p), frames, n));
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
    case 5:
    case 6:
    case 7:
        tables(p);
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
    case 11:
        descriptors(p);
        break;
    default:
        write_entries(p, other);
    }
}

/* The real frame beside the reference's. */
static void compare(uint64_t m, bool contents)
{
    const struct ref_frame *r = ref_look(m);
    const struct frame *f = frame_of(mfn(m));
    unsigned refs = f->ref & REF_COUNT, users = f->type & TYPE_COUNT;

    if (wrong[0])
        return;
    if (refs != r->refs || (refs && f->owner != r->owner) ||
        (refs && (!!(f->ref & REF_ALLOCATED) != r->allocated || users != r->users ||
                  !!(f->type & TYPE_PINNED) != r->pinned)) ||
        (users && TYPE_OF(f->type) != r->kind) || (f->type & TYPE_PARTIAL && refs))
        snprintf(wrong, sizeof(wrong),
                 "frame %#lx: d%u, %u references, kind %u with %u users, word %#lx; the reference "
                 "says d%d, %u, kind %u with %u%s",
                 m, f->owner, refs, TYPE_OF(f->type), users, f->type, r->owner, r->refs, r->kind,
                 r->users, r->pinned ? ", pinned" : "");
    else if (refs && m2p_get(mfn(m)) != r->pfn)
        snprintf(wrong, sizeof(wrong), "frame %#lx is pfn %#lx, the reference says %#lx", m,
                 m2p_get(mfn(m)), r->pfn);
    for (unsigned i = 0; i < PTES_PER_TABLE && contents && refs && !wrong[0]; i++)
        if (raw(mfn(m))[i] != r->e[i])
            snprintf(wrong, sizeof(wrong), "frame %#lx[%u] is %#lx, the reference says %#lx", m, i,
                     raw(mfn(m))[i], r->e[i]);
}

static const char *compare_all(bool thoroughly)
{
    for (unsigned who = 0; who < 2; who++)
        for (unsigned k = 0; k < POOL; k++)
            compare(guest[who].pool[k].m, thoroughly);
    compare(guest[pick(2)].pool[pick(POOL)].m, true);
    return wrong[0] ? wrong : NULL;
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
    ref_start(FAKE_FIRST, FAKE_FIRST + RAM, 500);
    fake_seed = seed * 2654435761u + 1;
    for (unsigned i = 0; i < 2; i++) {
        guest[i].d = fake_mm_domain(i, 500);
        for (unsigned k = 0; k < POOL; k++) {
            guest[i].pool[k] = get(guest[i].d);
            ref_got(i, guest[i].pool[k].m, REF_NONE);
        }
    }
    for (uint64_t i = 0; i < steps && !bad; i++) {
        fake_preempt_one_in = pick(3) ? 0 : 1 + pick(4);
        step();
        fake_preempt_one_in = 0;
        bad = compare_all((i + 1) % every == 0);
        if (!bad && ((i + 1) % every == 0 || i + 1 == steps))
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
    EQ(frames_free(), before);
    EQ(fake_map_users, 0);
}

static const struct test tests[] = {{"a guest at random", run_model}};

int main(void)
{
    fake_mm_start(RAM);
    return run_suite("page types, at random", tests, ARRAY_SIZE(tests));
}
