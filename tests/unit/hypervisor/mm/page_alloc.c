/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator and the heap: counts are exact, memory comes back whole, contents are
 * scrubbed, limits hold.
 */
#include "suite.h"
#include "fake_mm.h"
#include <string.h>

#define RAM 8192 /* frames: 32 MiB */

static bool all_bytes(mfn_t m, int c)
{
    const char *p = fake_ram + mfn_to_maddr(m);

    for (unsigned i = 0; i < PAGE_SIZE; i++)
        if (p[i] != (char)c)
            return false;
    return true;
}

static void one_frame_is_scrubbed_and_counted(void)
{
    uint64_t before = frames_free();
    struct domain *d = fake_mm_domain(1, 10);
    mfn_t m = alloc_frames(d, 0, 0);

    CU_ASSERT_FATAL(!mfn_eq(m, INVALID_MFN));
    before = frames_free() + 1;
    CU_ASSERT(all_bytes(m, 0));
    EQ(d->tot_pages, 1);
    EQ(frame_of(m)->owner, 1);
    memset(fake_ram + mfn_to_maddr(m), 0x55, PAGE_SIZE);
    CU_ASSERT(frame_release(m, d));
    CU_ASSERT(all_bytes(m, 0));
    EQ(d->tot_pages, 0);
    EQ(frames_free(), before);
    frames_reap();
    EQ(d->refs, 1);
    fake_mm_kill(d);
    CU_ASSERT(!fake_mm_exists(1));
}

static void references_keep_a_frame(void)
{
    struct domain *d = fake_mm_domain(1, 10), *e = fake_mm_domain(2, 10);
    mfn_t m = alloc_frames(d, 0, 0);
    uint64_t before = frames_free();

    CU_ASSERT(!frame_get(m, e));
    CU_ASSERT(frame_get(m, d));
    CU_ASSERT(frame_release(m, d));
    CU_ASSERT(!frame_release(m, d)); /* only once */
    EQ(d->tot_pages, 1);
    EQ(frames_free(), before);
    fake_mm_kill(d);
    CU_ASSERT(fake_mm_exists(1)); /* its frame is held */
    frame_put(m);
    EQ(frames_free(), before + 1);
    frames_reap();
    CU_ASSERT(!fake_mm_exists(1));
    CU_ASSERT(!frame_get(m, e));
    fake_mm_kill(e);
}

static void limits_hold(void)
{
    struct domain *d = fake_mm_domain(1, 5);
    mfn_t m = alloc_frames(d, 2, 0);

    EQ(m.m % 4, 0);
    CU_ASSERT(mfn_eq(alloc_frames(d, 1, 0), INVALID_MFN));
    EQ(d->tot_pages, 4);
    CU_ASSERT(mfn_eq(alloc_frames(d, ORDER_MAX + 1, 0), INVALID_MFN));
    CU_ASSERT(mfn_eq(alloc_frames(d, 63, 0), INVALID_MFN));
    d->max_pages = ~0UL;
    CU_ASSERT(mfn_eq(alloc_frames(d, 16, 0), INVALID_MFN)); /* more than there is */
    EQ(d->tot_pages, 4);
    d->dying = true;
    CU_ASSERT(mfn_eq(alloc_frames(d, 0, 0), INVALID_MFN));
    EQ(d->tot_pages, 4);
    fake_mm_kill(d);
    CU_ASSERT(!fake_mm_exists(1));
}

/* What one domain claimed, nobody else gets, down to the last frame. */
static void claims_hold(void)
{
    struct domain *a = fake_mm_domain(1, RAM), *b = fake_mm_domain(2, RAM);
    uint64_t n = 0;
    mfn_t m;

    EQ(frames_claim(a, 0), 0);
    EQ(frames_claim(a, RAM + 1), -EINVAL);
    EQ(frames_claim(a, RAM), -ENOMEM);
    EQ(frames_claim(a, 100), 0);
    EQ(frames_claim(a, 100), -EINVAL);
    while (!mfn_eq(alloc_frames(b, 0, 0), INVALID_MFN))
        n++;
    CU_ASSERT(n > 0 && frames_free() >= 100);
    CU_ASSERT(mfn_eq(alloc_frames_unowned(NULL, 0, 0), INVALID_MFN));
    for (unsigned i = 0; i < 100; i++)
        CU_ASSERT_FATAL(!mfn_eq(alloc_frames(a, 0, 0), INVALID_MFN));
    EQ(frames_claimed(), 0);
    CU_ASSERT(mfn_eq(alloc_frames(a, 0, 0), INVALID_MFN));
    m = mfn(b->pages);
    CU_ASSERT(frame_release(m, b));
    EQ(frames_claim(a, 101), 0);
    EQ(frames_claim(b, b->tot_pages + 1), -ENOMEM);
    fake_mm_kill(a); /* takes its claim along */
    EQ(frames_claimed(), 0);
    fake_mm_kill(b);
}

static void memory_comes_back_whole(void)
{
    struct domain *d = fake_mm_domain(1, RAM);
    uint64_t before = frames_free(), n = 0;
    mfn_t m;

    while (!mfn_eq(m = alloc_frames(d, 0, 0), INVALID_MFN))
        n++;
    CU_ASSERT(n > RAM / 2);
    EQ(frames_free() + n, before);
    EQ(d->tot_pages, n);
    CU_ASSERT(fake_audit(NULL, NULL) == NULL);
    fake_mm_kill(d);
    EQ(frames_free(), before);
    /* Every block has merged again: a 4 MiB one is there. */
    d = fake_mm_domain(1, RAM);
    m = alloc_frames(d, 10, 0);
    CU_ASSERT(!mfn_eq(m, INVALID_MFN));
    EQ(m.m % 1024, 0);
    fake_mm_kill(d);
    EQ(frames_free(), before);
}

static void random_orders_never_overlap(void)
{
    static uint8_t used[FAKE_FIRST + RAM];
    struct domain *d = fake_mm_domain(1, RAM);
    uint64_t before = frames_free();
    struct {
        mfn_t m;
        unsigned order;
    } held[200] = {{{0}, 0}};

    memset(used, 0, sizeof(used));
    for (unsigned i = 0; i < 20000; i++) {
        unsigned k = fake_random() % 200;

        if (held[k].m.m) {
            for (uint64_t n = 0; n < 1UL << held[k].order; n++) {
                used[held[k].m.m + n] = 0;
                CU_ASSERT_FATAL(frame_release(mfn(held[k].m.m + n), d));
            }
            held[k].m.m = 0;
        } else {
            unsigned order = fake_random() % 6;
            mfn_t m = alloc_frames(d, order, 0);

            if (mfn_eq(m, INVALID_MFN))
                continue;
            for (uint64_t n = 0; n < 1UL << order; n++) {
                CU_ASSERT_FATAL(!used[m.m + n]);
                CU_ASSERT_FATAL(all_bytes(mfn(m.m + n), 0) || i % 16);
                used[m.m + n] = 1;
                fake_ram[(m.m + n) << PAGE_SHIFT] = 1;
            }
            held[k].m = m;
            held[k].order = order;
        }
    }
    CU_ASSERT(fake_audit(NULL, NULL) == NULL);
    fake_mm_kill(d);
    EQ(frames_free(), before);
}

/* [the free list's TLB clock] a frame that a guest had is not reused before its CPUs have flushed.
 */
static void reuse_flushes(void)
{
    struct domain *d = fake_mm_domain(1, RAM), *e = fake_mm_domain(2, RAM);
    uint64_t n = frames_free();
    unsigned flushes;
    mfn_t m;

    while (!mfn_eq(alloc_frames(d, 0, 0), INVALID_MFN))
        n--;
    fake_mm_kill(d);
    flushes = fake_tlb_flushes;
    m = alloc_frames(e, 0, 0);
    CU_ASSERT(!mfn_eq(m, INVALID_MFN));
    EQ(fake_tlb_flushes, flushes + 1);
    m = alloc_frames(e, 0, 0); /* freed before that flush */
    EQ(fake_tlb_flushes, flushes + 1);
    fake_mm_kill(e);
}

static void stealing(void)
{
    struct domain *d = fake_mm_domain(1, 10);
    uint64_t before = frames_free();
    mfn_t m = alloc_frames(d, 0, 0);

    EQ(frame_take(mfn(3), d), -EINVAL);
    CU_ASSERT(frame_get(m, d));
    EQ(frame_take(m, d), -EBUSY);
    frame_put(m);
    EQ(frame_take(m, d), 0);
    EQ(d->tot_pages, 1);
    EQ(frame_take(m, d), -EINVAL);
    CU_ASSERT(!frame_get(m, d));
    d->dying = true; /* it cannot be given back any more: freed */
    CU_ASSERT(!frames_give(m, 0, d));
    EQ(d->tot_pages, 0);
    EQ(frames_free(), before);
    d->dying = false;
    fake_mm_kill(d);
    CU_ASSERT(!fake_mm_exists(1));
}

static void heap_objects(void)
{
    uint64_t used = heap_bytes_used(), before = frames_free();
    static char *obj[4000];
    static size_t size[4000];

    for (unsigned round = 0; round < 40000; round++) {
        unsigned i = fake_random() % 4000;

        if (obj[i]) {
            for (size_t k = 0; k < size[i]; k++)
                CU_ASSERT_FATAL(obj[i][k] == (char)i);
            hv_free(obj[i]);
            obj[i] = NULL;
            continue;
        }
        size[i] = fake_random() % (fake_random() % 64 ? 700 : 20000);
        obj[i] = hv_alloc(size[i]);
        CU_ASSERT_FATAL(obj[i] != NULL);
        EQ((uintptr_t)obj[i] % 16, 0);
        for (size_t k = 0; k < size[i]; k++)
            CU_ASSERT_FATAL(obj[i][k] == 0);
        memset(obj[i], (char)i, size[i]);
    }
    for (unsigned i = 0; i < 4000; i++) {
        hv_free(obj[i]);
        obj[i] = NULL;
    }
    EQ(heap_bytes_used(), used);
    EQ(frames_free(), before);
}

static void heap_alignment_and_limits(void)
{
    for (size_t s = 16; s <= PAGE_SIZE; s *= 2) {
        char *a = hv_alloc(s), *b = hv_alloc(s);

        EQ((uintptr_t)(a - fake_ram) % s, 0);
        EQ((uintptr_t)(b - fake_ram) % s, 0);
        CU_ASSERT(a != b);
        hv_free(a);
        hv_free(b);
    }
    CU_ASSERT(hv_alloc(1UL << 40) == NULL);
    CU_ASSERT(hv_alloc(~0UL) == NULL);
    hv_free(NULL);
    heap_free_pages(NULL, 0);
}

static void shared_pages(void)
{
    struct domain *d = fake_mm_domain(1, 10);
    char *rw = heap_alloc_pages(0), *ro = heap_alloc_pages(0);
    uint64_t before;
    mfn_t m = virt_to_mfn(rw), r = virt_to_mfn(ro);

    share_page(d, rw, true);
    share_page(d, ro, false);
    EQ(d->tot_pages, 0);
    EQ(frame_get_typed(m, d, FT_WRITABLE), 0);
    EQ(frame_get_typed(m, d, FT_L1), -EINVAL);
    EQ(frame_get_typed(r, d, FT_WRITABLE), -EINVAL);
    EQ(frame_get_typed(r, d, FT_SEGDESC), -EINVAL);
    CU_ASSERT(frame_get(r, d));
    frame_put(r);
    EQ(frame_take(m, d), -EINVAL);
    EQ(frame_take(r, d), -EINVAL);
    before = frames_free();
    unshare_page(ro);
    EQ(frames_free(), before + 1);
    memset(rw, 0x77, PAGE_SIZE);
    unshare_page(rw); /* still mapped by the guest */
    EQ(frames_free(), before + 1);
    CU_ASSERT(!frame_get(m, d));
    frame_put_typed(m);
    EQ(frames_free(), before + 2);
    CU_ASSERT(all_bytes(m, 0));
    fake_mm_kill(d);
}

static const struct test tests[] = {
    {"a frame is scrubbed and counted", one_frame_is_scrubbed_and_counted},
    {"references keep a frame and its domain", references_keep_a_frame},
    {"limits hold", limits_hold},
    {"claims hold", claims_hold},
    {"memory comes back whole", memory_comes_back_whole},
    {"random orders never overlap", random_orders_never_overlap},
    {"reuse flushes TLBs once", reuse_flushes},
    {"stealing", stealing},
    {"heap objects", heap_objects},
    {"heap alignment and limits", heap_alignment_and_limits},
    {"shared pages", shared_pages},
};

int main(void)
{
    fake_mm_start(RAM);
    return run_suite("frame allocator and heap", tests, ARRAY_SIZE(tests));
}
