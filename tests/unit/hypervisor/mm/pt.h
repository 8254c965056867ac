/* SPDX-License-Identifier: MIT */
/* Short words for page-table tests: a guest with frames, hypercalls as it makes them, writes to
 * frames that are no tables yet. */
#ifndef MM_PT_H
#define MM_PT_H

#include "suite.h"
#include "fake_mm.h"
#include <string.h>
#include <xen/grant_table.h>

#define RW   (PTE_P | PTE_RW | PTE_USER)
#define RO   (PTE_P | PTE_USER)
#define SELF DOMID_SELF

static inline pte_t *raw(mfn_t m)
{
    return (pte_t *)(fake_ram + mfn_to_maddr(m));
}

/* Call a handler until it does not want to be called again. */
static inline long call(hypercall_fn *fn, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct hypercall hc = {.arg = {a, b, c, d}};
    long rc;

    do
        rc = fn(&hc);
    while (rc == -HC_RESTART);
    return rc;
}

static inline long mmu_update(mfn_t table, unsigned index, pte_t val, unsigned cmd,
                              unsigned foreign)
{
    struct mmu_update u = {mfn_to_maddr(table) + index * 8 + cmd, val};
    unsigned done = 77;
    long rc = call(do_mmu_update, (uint64_t)&u, 1, (uint64_t)&done, foreign);

    if (rc != -ESRCH && rc != -EPERM &&
        done != (rc == 0)) /* those two come before the first request */
        return -1000;
    return rc;
}

static inline long set(mfn_t table, unsigned index, pte_t val)
{
    return mmu_update(table, index, val, MMU_NORMAL_PT_UPDATE, SELF);
}

static inline long ext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = arg1, .arg2.src_mfn = arg2};
    unsigned done = 77;
    long rc = call(do_mmuext_op, (uint64_t)&op, 1, (uint64_t)&done, SELF);

    if (done != (rc == 0))
        return -1000;
    return rc;
}

static inline long pin(unsigned level, mfn_t m)
{
    return ext(MMUEXT_PIN_L1_TABLE + level - 1, m.m, 0);
}

static inline long unpin(mfn_t m)
{
    return ext(MMUEXT_UNPIN_TABLE, m.m, 0);
}

static inline mfn_t get(struct domain *d)
{
    mfn_t m = alloc_frames(d, 0, 0);

    CU_ASSERT_FATAL(!mfn_eq(m, INVALID_MFN));
    return m;
}

/* l4[0] → l3[0] → l2[0] → l1, none of them a table yet. */
struct tree {
    mfn_t l4, l3, l2, l1;
};

static inline struct tree make_tree(struct domain *d)
{
    struct tree t = {get(d), get(d), get(d), get(d)};

    raw(t.l4)[0] = pte_make(t.l3, RW);
    raw(t.l3)[0] = pte_make(t.l2, RW);
    raw(t.l2)[0] = pte_make(t.l1, RW);
    return t;
}

static inline enum frame_type type_of(mfn_t m)
{
    return frame_of(m)->type & TYPE_COUNT ? TYPE_OF(frame_of(m)->type) : FT_NONE;
}

#define AUDIT()                                                           \
    do {                                                                  \
        const char *bad_ = fake_audit(NULL, NULL);                        \
        if (bad_)                                                         \
            fprintf(stderr, "\n    %s:%d: %s", __FILE__, __LINE__, bad_); \
        CU_ASSERT(!bad_);                                                 \
    } while (0)

#endif
