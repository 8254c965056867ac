/* SPDX-License-Identifier: MIT */
/*
 * The type of a frame: the one place where it changes.
 *
 * Why types. A PV guest writes its own page tables, so the hypervisor must know that no table can
 * be written by the guest and that no entry reaches a frame it should not. Hence the invariant:
 *
 *   (1) A frame has one type at a time while its type count is not 0: L1…L4, segment descriptors,
 * writable (or shared: a hypervisor page, writable too), or none. (2) Every type reference comes
 * with a general reference; a frame is freed only when the last of those goes. (3) A frame of type
 * L1…L4 that is VALID has, for each present entry, a reference to what it maps: L1: a general one,
 * and a writable one when the entry is writable; L2…L4: a type reference to a table one level down.
 * Entries with PTE_GRANT have none: the grant handle has. (4) So nobody can write a table but the
 * hypervisor, with the owner's mmu_lock held, keeping (3). (5) Before a frame of one kind
 * (writable, table, descriptors) takes another, every CPU that may remember a translation from its
 * former life flushes. The moment the former life ended is in the word (tlb_clock).
 *
 * The word (hv/frame_priv.h): type, count, stamp, and five bits. With count 0 the type is the last
 * one, for (5). Transitions of a table:
 *
 *   free of users ──BUSY──► VALID, count ≥ 1 ──last reference──► BUSY ──► free of users
 *        ▲                                                                   │
 *        └──────── PARTIAL, count 0: entries [0, aux) hold references ◄──────┘  (preempted, or an
 * entry was refused)
 *
 * A writable page has nothing to validate or take down: it stays VALID with count 0, and each get
 * and put is one compare-and-swap (hv/frame_priv.h). Its stamp must not be older than the end of
 * any mapping: each put, the last or not, swaps in the time that it read before. Who read the time,
 * and then was overtaken by another's get and put, finds the word changed if the time did.
 *
 * PARTIAL goes both ways: a later get of the same type goes on validating from aux up; otherwise
 * the rest is taken down. It holds a general reference, so that (2) keeps the frame. A
 * half-finished table belongs to nobody; the vCPU that left it notes it as a debt and pays before
 * its hypercall ends. If it never does, domain_relinquish_frames() finds it. Linear tables (a table
 * used as one of another level) are refused, so references form no cycle.
 *
 * Locks. Tables change type only with their owner's mmu_lock held. Writable, shared and descriptor
 * references come and go without a lock, by compare-and-swap; BUSY is held only when the kind
 * changes, for a TLB flush or one page of descriptors, and others wait for it. Waiting is
 * bounded: whoever holds BUSY on a table for longer shows count > 0 or PARTIAL, which is refused
 * (-EINVAL), not waited for, or is taking it down with preemption checks.
 */
#include <asm/pv_mm.h>

static bool is_table(enum frame_type t)
{
    return t >= FT_L1 && t <= FT_L4;
}

/* We hold BUSY: leave it with this type, count, stamp and bits; NONCOHERENT stays, whoever set it.
 */
static void leave_busy(struct frame *f, uint64_t new)
{
    uint64_t x = f->type;

    while (!type_swap(f, &x, new | (x & TYPE_NONCOHERENT)))
        ;
}

/* (5): the translations of its former life, whose word was x. Kinds that one may write through the
 * old mapping matter, and tables. */
static void flush_former_life(const struct frame *f, uint64_t x)
{
    const struct domain *d = frame_owner(f);
    cpumask_t cpus;

    if (!d)
        return;
    cpus = d->arch.dirty_cpus;
    tlb_filter(&cpus, (uint32_t)((x & TYPE_STAMP) >> TYPE_STAMP_SHIFT));
    if (!cpumask_empty(&cpus))
        tlb_flush_mask(&cpus);
}

/* Memory may be behind what an uncached writable mapping put there, and page walks read memory
 * through the cache. */
static void flush_cache_of(struct frame *f)
{
    char *p = map_frame(frame_mfn(f));

    for (unsigned i = 0; i < PAGE_SIZE; i += 64)
        __asm__ volatile("clflush %0" : "+m"(p[i]));
    __asm__ volatile("mfence" ::: "memory");
    unmap_frame(p);
    __atomic_fetch_and(&f->type, ~TYPE_NONCOHERENT, __ATOMIC_ACQ_REL);
}

/* --- debts --- */

/* The first place with a debt, or without one. They keep their places: what is below is noted, and
 * paid, before what is above. */
static uint32_t *debt_place(bool owed)
{
    for (unsigned i = 0; i < TABLE_DEBTS; i++)
        if (!current->arch.table_debt[i] == !owed)
            return &current->arch.table_debt[i];
    return NULL;
}

static void debt_add(const struct frame *f)
{
    uint32_t *debt = debt_place(false);

    if (debt) /* else a dying domain is taken apart, whose frames are all visited again */
        *debt = frame_index(f);
}

bool table_debts_any(void)
{
    return debt_place(true);
}

long table_debts_pay(void)
{
    uint32_t *debt = debt_place(true);
    struct domain *d;
    struct frame *f;

    if (!debt)
        return 0;
    f = frame_of(mfn(*debt));
    d = domain_get(READ_ONCE(f->owner));
    *debt = 0;
    if (d) {
        spin_lock(&d->arch.mmu_lock);
        if (READ_ONCE(f->owner) == d->id)
            table_finish(f); /* if it is not finished it is noted again, and one below it */
        spin_unlock(&d->arch.mmu_lock);
        domain_put(d);
    }
    return table_debts_any() ? -HC_RESTART : 0; /* one at a time: more may be there now */
}

/* --- tables: with the owner's mmu_lock --- */

/* BUSY, count 1: make the contents good from aux on. The caller's general reference is the type
 * reference's. */
static int promote(struct frame *f, struct domain *d, enum frame_type t, bool was_partial)
{
    int rc = validate_table(f, t, d);
    bool partial = rc && f->aux;
    uint64_t left = !rc ? TYPE_VALID | 1 : partial ? TYPE_PARTIAL : type_stamp_now();

    /* PARTIAL has a reference of its own; the caller has one, so the count is not 0. */
    if (partial && !was_partial)
        __atomic_fetch_add(&f->ref, 1, __ATOMIC_RELAXED);
    leave_busy(f, TYPE_WORD(t) | left);
    if (was_partial && !partial)
        frame_drop(f);
    if (partial && rc != -HC_RESTART)
        debt_add(f);
    return rc;
}

/* Of any type; if it is a table, with its lock. */
int table_get(mfn_t m, const struct domain *d, enum frame_type t)
{
    int rc;

    if (!frame_described(m) || !frame_try_get(frame_of(m), d->id))
        return -EINVAL;
    rc = t == FT_WRITABLE ? type_get_writable(frame_of(m)) : type_get(frame_of(m), t);
    if (rc)
        frame_put(m);
    return rc;
}

/* BUSY, count 0, entries [0, aux) hold references, and we have a general reference to give away:
 * take them down. */
static long demote(struct frame *f, enum frame_type t)
{
    long rc = devalidate_table(f, t);

    if (rc) {
        leave_busy(f, TYPE_WORD(t) | TYPE_PARTIAL); /* our general reference is PARTIAL's now */
        debt_add(f);
        return rc;
    }
    leave_busy(f, TYPE_WORD(t) | type_stamp_now());
    frame_drop(f);
    return 0;
}

long table_finish(struct frame *f)
{
    uint64_t x = f->type;

    do {
        if (!(x & TYPE_PARTIAL) || (x & TYPE_BUSY))
            return 0;
    } while (!type_swap(f, &x, (x & ~TYPE_PARTIAL) | TYPE_BUSY));
    return demote(f, TYPE_OF(x));
}

long table_put(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t x = f->type;

    for (;;) {
        if ((x & TYPE_COUNT) > 1) {
            if (type_swap(f, &x, x - 1)) {
                frame_put(m);
                return 0;
            }
        } else if (type_swap(f, &x, (x & ~(TYPE_VALID | TYPE_COUNT)) | TYPE_BUSY)) {
            f->aux = PTES_PER_TABLE;
            return demote(f, TYPE_OF(x));
        }
    }
}

/* --- any type --- */

/* x has no users and is not BUSY. */
static int start_life(struct frame *f, uint64_t *x, enum frame_type t)
{
    enum frame_type last = TYPE_OF(*x);
    bool partial = *x & TYPE_PARTIAL;
    int rc = 0;

    if (!is_table(t) && t != FT_SEGDESC && (last == t || last == FT_NONE))
        return type_swap(f, x,
                         (*x & (TYPE_NONCOHERENT | TYPE_STAMP)) | TYPE_WORD(t) | TYPE_VALID | 1)
                   ? 0
                   : -EAGAIN;
    if (!type_swap(f, x, (*x & TYPE_NONCOHERENT) | TYPE_WORD(t) | TYPE_BUSY | 1))
        return -EAGAIN;
    if (!partial) {
        if (last != FT_NONE && last != t)
            flush_former_life(f, *x);
        f->aux = 0;
    }
    if (t != FT_WRITABLE && (*x & TYPE_NONCOHERENT))
        flush_cache_of(f);
    if (is_table(t))
        return promote(f, frame_owner(f), t, partial);
    if (t == FT_SEGDESC)
        rc = validate_segdesc(f);
    leave_busy(f, rc ? TYPE_WORD(t) | type_stamp_now() : TYPE_WORD(t) | TYPE_VALID | 1);
    return rc;
}

int type_get(struct frame *f, enum frame_type t)
{
    uint64_t x = f->type;

    for (;;) {
        enum frame_type has = TYPE_OF(x);
        int rc;

        if (x & TYPE_COUNT) {
            /* Shared pages are as good as writable ones. */
            if (has != t && !(has == FT_SHARED && t == FT_WRITABLE))
                return -EINVAL;
            if (x & TYPE_VALID) {
                if (x & TYPE_FULL)
                    return -EINVAL;
                if (type_swap(f, &x, x + 1))
                    return 0;
                continue;
            }
            if (is_table(t)) /* the lock is ours, so this is us, further up: a table that contains
                                itself */
                return -EINVAL;
        } else if ((x & TYPE_PARTIAL) && has != t) {
            if (!is_table(t))
                return -EINVAL;
            if (table_finish(f)) /* preempted; the rest is a debt */
                return -HC_RESTART;
            x = f->type;
            continue;
        } else if (!(x & TYPE_BUSY)) {
            rc = start_life(f, &x, t);
            if (rc != -EAGAIN)
                return rc;
            continue;
        }
        tlb_serve(); /* who is BUSY may be waiting for our flush, and our interrupts may be off */
        cpu_relax();
        x = f->type;
    }
}

/* --- what other rooms use --- */

int frame_get_typed(mfn_t m, const struct domain *d, enum frame_type t)
{
    struct domain *owner = (struct domain *)d; /* only its lock is touched */
    int rc;

    if (!is_table(t))
        return table_get(m, d, t);
    spin_lock(&owner->arch.mmu_lock);
    rc = table_get(m, d, t);
    spin_unlock(&owner->arch.mmu_lock);
    return rc;
}

void frame_put_typed(mfn_t m)
{
    struct frame *f = frame_of(m);

    if (is_table(TYPE_OF(f->type))) {
        struct domain *d = frame_owner(f); /* alive: it owns m, which has our reference */

        spin_lock(&d->arch.mmu_lock);
        table_put(m); /* preempted: a debt of this vCPU */
        spin_unlock(&d->arch.mmu_lock);
        return;
    }
    type_put(f);
    frame_drop(f);
}

long frame_drop_types(mfn_t m, struct domain *d)
{
    struct frame *f = frame_of(m);
    long rc = 0;

    spin_lock(&d->arch.mmu_lock);
    if (__atomic_fetch_and(&f->type, ~TYPE_PINNED, __ATOMIC_ACQ_REL) & TYPE_PINNED)
        rc = table_put(m);
    if (!rc)
        rc = table_finish(f);
    spin_unlock(&d->arch.mmu_lock);
    return rc;
}
