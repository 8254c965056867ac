/* SPDX-License-Identifier: MIT */
/* See reference.h. */
#include "reference.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { L1 = 1, L4 = 4, DESCRIPTORS = 5, WRITABLE = 7 };

#define P       0x1ul
#define RW      0x2ul
#define US      0x4ul
#define CACHE   0x98ul /* PWT, PCD, PAT */
#define A       0x20ul
#define D       0x40ul
#define G       0x100ul
#define KERNEL  (1ul << 52)
#define GRANT   (1ul << 62)
#define NX      (1ul << 63)
#define ADDR    0x000ffffffffff000ul
#define ILLEGAL 0x98ul                                          /* in an upper entry, with G */
#define LIGHT   (NX | 0x7fful << 52 | 0xe00ul | G | D | A | US) /* touches no count */

static struct ref_frame *ram;
static uint64_t begin, end;
static unsigned limit, has[REF_DOMAINS];
static uint64_t base[REF_DOMAINS][2]; /* kernel, user; 0: none */
static uint64_t gdt[REF_DOMAINS][14], nr_gdt[REF_DOMAINS];

void ref_start(uint64_t first, uint64_t last, unsigned max)
{
    begin = first;
    end = last;
    limit = max;
    ram = calloc(last - first, sizeof(*ram));
    for (uint64_t i = 0; i < last - first; i++) {
        ram[i].owner = -1;
        ram[i].pfn = REF_NONE;
    }
}

static struct ref_frame *frame(uint64_t m)
{
    return m >= begin && m < end ? &ram[m - begin] : NULL;
}

const struct ref_frame *ref_look(uint64_t m)
{
    return frame(m);
}

static struct ref_frame *of(unsigned d, uint64_t m)
{
    struct ref_frame *f = frame(m);

    return f && f->refs && f->owner == (int)d ? f : NULL;
}

/* --- references --- */

static void unref(struct ref_frame *f)
{
    if (--f->refs)
        return;
    has[f->owner]--;
    *f = (struct ref_frame){.owner = -1, .pfn = REF_NONE};
}

static bool use(struct ref_frame *f, unsigned kind)
{
    if (f->being_checked || (f->users && f->kind != kind))
        return false;
    f->kind = kind;
    f->users++;
    return true;
}

static bool hv_slot(unsigned level, unsigned i)
{
    return level == L4 && i >= 256 && i < 272;
}

/* --- entries of L1 --- */

static uint64_t as_written(uint64_t e)
{
    if (!(e & P))
        return e;
    if (!(e & US))
        e |= KERNEL | US;
    return e & KERNEL ? e : e | G;
}

static int device(uint64_t m, unsigned asker)
{
    return asker == 0 && m != 0
               ? 0
               : -EPERM; /* dom0 has all devices but what the hypervisor uses: here frame 0 */
}

static int take_entry(uint64_t e, unsigned table_of, unsigned frames_of)
{
    uint64_t m = (e & ADDR) >> 12;
    struct ref_frame *f;

    if ((e & GRANT) || (table_of != 0 && (e & CACHE)))
        return -EINVAL;
    if (!frame(m))
        return device(m, table_of == 0 ? frames_of : 1);
    f = of(frames_of, m);
    if (!f || ((e & RW) && !use(f, WRITABLE)))
        return -EBUSY;
    f->refs++;
    return 0;
}

static void drop_entry(uint64_t e)
{
    struct ref_frame *f = frame((e & ADDR) >> 12);

    if (!(e & P) || (e & GRANT) || !f)
        return;
    f->users -= !!(e & RW);
    unref(f);
}

/* --- tables --- */

static void put_table(struct ref_frame *f);

static void drop_entries(struct ref_frame *f, unsigned level, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (hv_slot(level, i)) {
            if (n == 512)
                f->e[i] = 0;
        } else if (!(f->e[i] & P)) {
            continue;
        } else if (level > L1) {
            put_table(frame((f->e[i] & ADDR) >> 12));
        } else if (f->e[i] & GRANT) {
            f->e[i] = 0;
        } else {
            drop_entry(f->e[i]);
        }
    }
}

static void put_table(struct ref_frame *f)
{
    if (!--f->users)
        drop_entries(f, f->kind, 512);
    unref(f);
}

static int get_table(unsigned d, uint64_t m, unsigned level);

static int take_upper(unsigned d, uint64_t e, unsigned level)
{
    if (e & (ILLEGAL | G | GRANT))
        return -EINVAL;
    return get_table(d, (e & ADDR) >> 12, level - 1);
}

static int check_entries(struct ref_frame *f, unsigned d, unsigned level)
{
    for (unsigned i = 0; i < 512; i++) {
        int rc;

        if (hv_slot(level, i) || !(f->e[i] & P))
            continue;
        rc = level == L1 ? take_entry(f->e[i], d, d) : take_upper(d, f->e[i], level);
        if (rc) {
            drop_entries(f, level, i);
            return rc;
        }
        f->e[i] = level == L1 ? as_written(f->e[i]) : f->e[i] | US;
    }
    for (unsigned i = 256; level == L4 && i < 272; i++)
        f->e[i] = 0xabcd000000ul | P; /* what the fake machine has there */
    return 0;
}

static int get_table(unsigned d, uint64_t m, unsigned level)
{
    struct ref_frame *f = of(d, m);
    int rc;

    if (!f || f->being_checked || (f->users && f->kind != level))
        return -EINVAL;
    if (!f->users) {
        f->being_checked = true;
        f->refs++; /* it is not to go away meanwhile */
        rc = check_entries(f, d, level);
        f->being_checked = false;
        f->refs--;
        if (rc)
            return rc;
    }
    f->kind = level;
    f->users++;
    f->refs++;
    return 0;
}

/* --- memory --- */

bool ref_may_get(unsigned d)
{
    return has[d] < limit;
}

bool ref_got(unsigned d, uint64_t m, uint64_t pfn)
{
    struct ref_frame *f = frame(m);

    if (!f || f->refs)
        return false;
    *f = (struct ref_frame){.owner = (int)d, .allocated = true, .refs = 1, .pfn = pfn};
    has[d]++;
    return true;
}

bool ref_decrease(unsigned d, uint64_t m)
{
    struct ref_frame *f = of(d, m);

    if (f && f->allocated) {
        f->allocated = false;
        unref(f);
    }
    return f;
}

bool ref_may_take(unsigned d, const uint64_t *m, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct ref_frame *f = of(d, m[i]);

        if (!f || !f->allocated || f->refs != 1)
            return false;
        for (unsigned k = 0; k < i; k++)
            if (m[k] == m[i])
                return false;
    }
    return true;
}

void ref_take(unsigned d, const uint64_t *m, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ref_decrease(d, m[i]);
}

bool ref_may_write(unsigned d, uint64_t m)
{
    const struct ref_frame *f = of(d, m);

    return f && (!f->users || f->kind == WRITABLE);
}

void ref_write(uint64_t m, unsigned index, uint64_t e)
{
    frame(m)->e[index] = e;
}

void ref_clear(uint64_t m)
{
    memset(frame(m)->e, 0, sizeof(frame(m)->e));
}

/* --- calls --- */

int ref_pin(unsigned d, unsigned level, uint64_t m)
{
    int rc = get_table(d, m, level);

    if (!rc && frame(m)->pinned) {
        put_table(frame(m));
        return -EINVAL;
    }
    if (!rc)
        frame(m)->pinned = true;
    return rc;
}

int ref_unpin(unsigned d, uint64_t m)
{
    struct ref_frame *f = of(d, m);

    if (!f || !f->pinned)
        return -EINVAL;
    f->pinned = false;
    put_table(f);
    return 0;
}

int ref_base(unsigned d, bool user, uint64_t m)
{
    uint64_t old = base[d][user];
    int rc = 0;

    if (!m && !user)
        return -EINVAL;
    if (m == old)
        return 0;
    if (m)
        rc = get_table(d, m, L4);
    if (rc)
        return rc;
    base[d][user] = m;
    if (old)
        put_table(frame(old));
    return 0;
}

int ref_clear_page(unsigned d, uint64_t m)
{
    if (!ref_may_write(d, m))
        return -EINVAL;
    ref_clear(m);
    return 0;
}

int ref_copy_page(unsigned d, uint64_t to, uint64_t from)
{
    if (!of(d, from) || !ref_may_write(d, to))
        return -EINVAL;
    memmove(frame(to)->e, frame(from)->e, sizeof(frame(to)->e));
    return 0;
}

static bool check_descriptors(uint64_t *e)
{
    for (unsigned i = 0; i < 512; i++) {
        if (!(e[i] >> 47 & 1))
            continue;
        if (e[i] >> 44 & 1)
            e[i] |= 3ul << 45; /* code or data: ring 3 */
        else if (e[i] >> 40 & 15)
            return false; /* a gate, a TSS */
    }
    return true;
}

static void drop_gdt(const uint64_t *m, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        frame(m[i])->users--;
        unref(frame(m[i]));
    }
}

int ref_gdt(unsigned d, const uint64_t *m, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct ref_frame *f = of(d, m[i]);

        if (!f || (f->users ? f->kind != DESCRIPTORS : !check_descriptors(f->e))) {
            drop_gdt(m, i);
            return -EINVAL;
        }
        use(f, DESCRIPTORS);
        f->refs++;
    }
    drop_gdt(gdt[d], nr_gdt[d]);
    memcpy(gdt[d], m, n * sizeof(*m));
    nr_gdt[d] = n;
    return 0;
}

static uint64_t *entry_at(uint64_t maddr)
{
    return &frame(maddr >> 12)->e[maddr % 4096 / 8];
}

static int update_l1(unsigned pt, unsigned pg, uint64_t *p, uint64_t e, bool keep_ad)
{
    uint64_t was = *p;

    e = as_written(e);
    if ((e & P) && (was & P) && !((was ^ e) & ~LIGHT)) {
        *p = (e & ~GRANT) | (was & GRANT) | (keep_ad ? was & (A | D) : 0);
        return 0;
    }
    if (e & P) {
        int rc = take_entry(e, pt, pg);

        if (rc)
            return rc;
    }
    *p = e | (keep_ad ? was & (A | D) : 0);
    drop_entry(was);
    return 0;
}

static int update_upper(unsigned pt, unsigned pg, unsigned level, unsigned i, uint64_t *p,
                        uint64_t e, bool keep_ad)
{
    uint64_t was = *p;
    int rc = 0;

    if (hv_slot(level, i) || pt != pg)
        return -EINVAL;
    if (e & P) {
        if (e & (ILLEGAL | G | GRANT))
            return -EINVAL;
        e |= US;
        if ((was & P) && !((was ^ e) & ~(LIGHT | RW))) {
            *p = e | (keep_ad ? was & (A | D) : 0);
            return 0;
        }
        rc = take_upper(pt, e, level);
        if (rc)
            return rc;
    }
    *p = e | (keep_ad ? was & (A | D) : 0);
    if (was & P)
        put_table(frame((was & ADDR) >> 12));
    return 0;
}

int ref_update(unsigned pt, unsigned pg, uint64_t maddr, uint64_t e, bool keep_ad)
{
    struct ref_frame *f = of(pt, maddr >> 12);

    if (!f)
        return -EINVAL;
    if (f->users && f->kind == L1)
        return update_l1(pt, pg, entry_at(maddr), e, keep_ad);
    if (f->users && f->kind <= L4)
        return update_upper(pt, pg, f->kind, maddr % 4096 / 8, entry_at(maddr), e, keep_ad);
    if (!ref_may_write(pt, maddr >> 12))
        return -EINVAL;
    *entry_at(maddr) = e;
    return 0;
}

/* --- grants --- */

bool ref_hold(unsigned owner, uint64_t m, bool readonly)
{
    struct ref_frame *f = of(owner, m);

    if (!f || (!readonly && !use(f, WRITABLE)))
        return false;
    f->refs++;
    return true;
}

void ref_unhold(uint64_t m, bool readonly)
{
    frame(m)->users -= !readonly;
    unref(frame(m));
}

static uint64_t *l1_entry(uint64_t maddr)
{
    const struct ref_frame *f = of(0, maddr >> 12);

    return f && f->users && f->kind == L1 ? entry_at(maddr) : NULL;
}

bool ref_grant_map(uint64_t maddr, uint64_t m, bool readonly)
{
    uint64_t *p = l1_entry(maddr), was;

    if (!p)
        return false;
    was = *p;
    *p = as_written(m << 12 | P | A | D | NX | (readonly ? 0 : RW)) | GRANT;
    drop_entry(was);
    return true;
}

bool ref_grant_unmap(uint64_t maddr, uint64_t m, bool readonly)
{
    uint64_t *p = l1_entry(maddr);

    if (!p || (*p & (P | GRANT)) != (P | GRANT) || (*p & ADDR) >> 12 != m || !(*p & RW) != readonly)
        return false;
    *p = 0;
    return true;
}
