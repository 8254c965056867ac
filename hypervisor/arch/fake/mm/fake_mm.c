/* SPDX-License-Identifier: MIT */
/* The fake machine of fake_mm.h. One thread, or several that only touch what has locks. */
#include "fake_mm.h"
#include <hv/boot_info.h>
#include <hv/grant.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <asm/cpufeature.h>
#include <asm/hv_paging.h>
#include <asm/pv.h>
#include <stdlib.h>
#include <sys/mman.h>

struct frame *fake_frame_table;
uint64_t *fake_m2p;
char *fake_ram;
_Thread_local struct cpu_top fake_top;
struct boot_info boot_info;
struct cpu_features cpu_has = {.phys_bits = 40};
struct domain *dom0, *dom_xen, *dom_io, *idle_domain;
cpumask_t cpus_online;
unsigned nr_cpus = FAKE_CPUS;

unsigned fake_preempt_one_in, fake_tlb_flushes, fake_map_users;
_Thread_local uint64_t fake_seed = 1;
uint64_t fake_forbidden, fake_guest, fake_guest_size, fake_mmio_hv, fake_msix;

uint64_t fake_nr_frames;
void (*fake_on_flush)(void);
static struct domain *domains[16];
static unsigned nr_domains;
_Atomic uint32_t tlb_time = 1;
static uint32_t flushed_at[MAX_CPUS];
static struct cpu cpus[FAKE_CPUS];

/* --- RAM --- */

bool mfn_is_ram(mfn_t f)
{
    return ram_frame(f) != NULL;
}
mfn_t max_ram_mfn(void)
{
    return mfn(fake_nr_frames);
}
mfn_t boot_alloc_frames(unsigned order)
{
    return INVALID_MFN;
}
mfn_t m2p_chunk_mfn(unsigned i)
{
    return INVALID_MFN;
}
void *map_frame(mfn_t f)
{
    if (f.m >= fake_nr_frames)
        panic("map_frame(%#lx)", f.m);
    __atomic_fetch_add(&fake_map_users, 1, __ATOMIC_RELAXED);
    return fake_ram + mfn_to_maddr(f);
}
void unmap_frame(const void *p)
{
    __atomic_fetch_sub(&fake_map_users, 1, __ATOMIC_RELAXED);
}
int hv_map_range(uint64_t va, mfn_t first, uint64_t nr, uint64_t flags)
{
    return 0;
}
void hv_fill_guest_l4(uint64_t *l4)
{
    for (unsigned i = L4_HV_FIRST; i <= L4_HV_LAST; i++)
        l4[i] = 0xabcd000000UL | PTE_P;
}

/* --- CPUs --- */

uint64_t fake_random(void)
{
    fake_seed ^= fake_seed << 13;
    fake_seed ^= fake_seed >> 7;
    fake_seed ^= fake_seed << 17;
    return fake_seed;
}
bool preempt_needed(void)
{
    return fake_preempt_one_in && fake_random() % fake_preempt_one_in == 0;
}
void tlb_filter(cpumask_t *set, uint32_t stamp)
{
    unsigned c;

    for_each_cpu_in(c, set) if (__atomic_load_n(&flushed_at[c], __ATOMIC_RELAXED) > stamp)
        cpumask_clear(set, c);
}
void tlb_flush_mask(const cpumask_t *set)
{
    unsigned c;

    if (cpumask_empty(set))
        return;
    __atomic_fetch_add(&fake_tlb_flushes, 1, __ATOMIC_RELAXED);
    if (fake_on_flush)
        fake_on_flush();
    tlb_time++;
    for_each_cpu_in(c, set) __atomic_store_n(&flushed_at[c], tlb_time, __ATOMIC_RELAXED);
}
void tlb_flush_mask_va(const cpumask_t *set, uint64_t va)
{
}
void tlb_flush_local(void)
{
}
void tlb_serve(void)
{
}
void tlb_flush_local_va(uint64_t va)
{
}
void smp_call(void (*fn)(void))
{
}
void pv_load_cr3(struct vcpu *v)
{
}
void gdt_slot_set(unsigned i, mfn_t f)
{
}
void ldt_slot_set(unsigned i, mfn_t f)
{
}
void ldt_load(unsigned entries)
{
}
void pv_inject(struct vcpu *v, unsigned vector, uint32_t error_code)
{
}
bool mmio_is_hypervisors(mfn_t f)
{
    return f.m == fake_mmio_hv;
}
bool msix_table_page(mfn_t f)
{
    return f.m == fake_msix;
}

/* --- guest memory: host pointers --- */

static bool forbidden(uint64_t va, size_t n)
{
    if (fake_guest_size && (va < fake_guest || n > fake_guest_size || va - fake_guest > fake_guest_size - n))
        return true;
    return va < PAGE_SIZE || !guest_range_ok(va, n) ||
           (fake_forbidden && va < fake_forbidden + PAGE_SIZE && va + n > fake_forbidden);
}
int copy_from_guest(void *dst, uint64_t va, size_t n)
{
    if (!n)
        return 0;
    if (forbidden(va, n))
        return -EFAULT;
    memcpy(dst, (const void *)va, n);
    return 0;
}
size_t copy_from_guest_partial(void *dst, uint64_t va, size_t n)
{
    return copy_from_guest(dst, va, n) ? n : 0;
}
int copy_to_guest(uint64_t va, const void *src, size_t n)
{
    if (!n)
        return 0;
    if (forbidden(va, n))
        return -EFAULT;
    memcpy((void *)va, src, n);
    return 0;
}

/* --- words --- */

void printk_level(enum loglevel level, const char *fmt, ...)
{
    va_list ap;

    if (!getenv("FAKE_LOG"))
        return;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}
void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("panic: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputs("\n", stderr);
    va_end(ap);
    abort();
}

/* --- domains --- */

struct domain *domain_get(domid_t id)
{
    for (unsigned i = 0; i < nr_domains; i++)
        if (domains[i] && domains[i]->id == id && id < DOMID_FIRST_RESERVED) {
            domain_hold(domains[i]);
            return domains[i];
        }
    return NULL;
}
struct domain *frame_owner(const struct frame *f)
{
    for (unsigned i = 0; i < nr_domains; i++)
        if (domains[i] && domains[i]->id == f->owner)
            return domains[i];
    return NULL;
}
void frames_reap(void)
{
    for (unsigned i = 0; i < nr_domains; i++) {
        struct domain *d = domains[i];

        if (d && d->dead && !d->tot_pages)
            domain_put(d);
    }
}
int domain_managed(domid_t id, struct domain **out)
{
    struct domain *d = domain_get(id == DOMID_SELF ? current->domain->id : id);

    if (!d)
        return -ESRCH;
    if (d != current->domain && !current->domain->is_dom0) {
        domain_put(d);
        return -EPERM;
    }
    *out = d;
    return 0;
}
bool fake_mm_exists(domid_t id)
{
    for (unsigned i = 0; i < nr_domains; i++)
        if (domains[i] && domains[i]->id == id)
            return true;
    return false;
}
void domain_put(struct domain *d)
{
    if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL))
        return;
    for (unsigned i = 0; i < nr_domains; i++)
        if (domains[i] == d)
            domains[i] = NULL;
    arch_domain_destroy(d);
    free(d->shared_info);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        free(d->vcpu[i]);
    free(d->vcpu);
    free(d);
}
int grant_shared_frame(struct domain *d, unsigned i, mfn_t *out)
{
    return -EINVAL;
}
unsigned grant_max_frames(const struct domain *d)
{
    return 4;
}

static struct domain *new_domain(domid_t id)
{
    struct domain *d = calloc(1, sizeof(*d));

    d->id = id;
    d->refs = 1;
    d->max_vcpus = FAKE_VCPUS;
    d->shared_info = calloc(1, sizeof(*d->shared_info));
    d->vcpu = calloc(FAKE_VCPUS, sizeof(*d->vcpu));
    for (unsigned i = 0; i < FAKE_VCPUS; i++) {
        struct vcpu *v = d->vcpu[i] = calloc(1, sizeof(*v));

        v->domain = d;
        v->id = i;
        v->arch.guest_table = v->arch.guest_table_user = INVALID_MFN;
    }
    for (unsigned i = 0; i < nr_domains; i++)
        if (!domains[i]) {
            domains[i] = d;
            return d;
        }
    if (nr_domains == ARRAY_SIZE(domains))
        panic("too many fake domains");
    domains[nr_domains++] = d;
    return d;
}

struct domain *fake_mm_domain(domid_t id, uint64_t max_pages)
{
    struct domain *d = new_domain(id);

    d->is_dom0 = id == 0;
    d->max_pages = max_pages;
    if (arch_domain_create(d))
        panic("arch_domain_create");
    fake_mm_become(d);
    return d;
}

void fake_mm_become(struct domain *d)
{
    fake_mm_run(d, 0);
}

void fake_mm_run(struct domain *d, unsigned vcpu)
{
    fake_top.cpu = &cpus[vcpu];
    current = d->vcpu[vcpu];
}

void fake_mm_kill(struct domain *d)
{
    if (current->domain == d) /* nobody kills himself */
        fake_mm_become(dom_xen);
    d->dying = true;
    while (arch_domain_relinquish(d) == -HC_RESTART)
        ;
    d->dead = true;
    frames_reap();
}

void fake_mm_start(uint64_t nr)
{
    fake_nr_frames = FAKE_FIRST + nr;
    fake_ram = mmap(NULL, fake_nr_frames << PAGE_SHIFT, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fake_ram == MAP_FAILED)
        panic("no memory for the fake RAM");
    memset(fake_ram + FAKE_FIRST * PAGE_SIZE, 0xdd, nr << PAGE_SHIFT);
    fake_frame_table = calloc(fake_nr_frames, sizeof(*fake_frame_table));
    fake_m2p = malloc(fake_nr_frames * sizeof(*fake_m2p));
    memset(fake_m2p, 0xff, fake_nr_frames * sizeof(*fake_m2p));
    for (uint64_t n = FAKE_FIRST; n < fake_nr_frames; n++)
        fake_frame_table[n].flags = FF_RAM | FF_DIRTY;
    cpus_online = (cpumask_t){{(1UL << FAKE_CPUS) - 1}};
    for (unsigned i = 0; i < FAKE_CPUS; i++)
        cpus[i].id = i;
    page_alloc_start(nr);
    page_alloc_add(FAKE_FIRST, fake_nr_frames);
    heap_init();
    dom_xen = new_domain(DOMID_XEN);
    dom_io = new_domain(DOMID_IO);
    fake_mm_become(dom_xen);
}

void fake_mm_stop(void)
{
    /* The allocator's state is its own: only one machine for each test program, whose frames all
     * come back. */
}

/* --- the audit --- */

struct expect {
    uint64_t refs, types;
};

static char complaint[256];

static void expect_entry(struct expect *x, pte_t e, unsigned level)
{
    mfn_t m = pte_mfn(e);

    if (!(e & PTE_P) || (e & PTE_GRANT) || !mfn_is_ram(m))
        return;
    x[m.m].refs++;
    if (level > 1 || (e & PTE_RW))
        x[m.m].types++;
}

static void expect_table(struct expect *x, uint64_t n)
{
    const struct frame *f = &fake_frame_table[n];
    const pte_t *e = (const pte_t *)(fake_ram + (n << PAGE_SHIFT));
    enum frame_type t = TYPE_OF(f->type);
    unsigned end = f->type & TYPE_VALID ? PTES_PER_TABLE : f->type & TYPE_PARTIAL ? f->aux : 0;

    if (t < FT_L1 || t > FT_L4)
        return;
    for (unsigned i = 0; i < end; i++)
        if (!(t == FT_L4 && i >= L4_HV_FIRST && i <= L4_HV_LAST))
            expect_entry(x, e[i], t);
}

static void expect_vcpus(struct expect *x)
{
    for (unsigned i = 0; i < nr_domains * FAKE_VCPUS; i++) {
        const struct domain *d = domains[i / FAKE_VCPUS];
        const struct arch_vcpu *a = d ? &d->vcpu[i % FAKE_VCPUS]->arch : NULL;

        if (!a)
            continue;
        for (unsigned k = 0; k < 2 + 14; k++) {
            mfn_t m = k == 0 ? a->guest_table : k == 1 ? a->guest_table_user : a->gdt_frame[k - 2];

            if (!m.m || mfn_eq(m, INVALID_MFN))
                continue;
            x[m.m].refs++;
            x[m.m].types++;
        }
    }
}

/* A table's entries must lead to tables one level down, and no table may be mapped writable. */
static const char *check_kinds(uint64_t n)
{
    const pte_t *e = (const pte_t *)(fake_ram + (n << PAGE_SHIFT));
    enum frame_type t = TYPE_OF(fake_frame_table[n].type);

    if (!(fake_frame_table[n].type & TYPE_VALID) || t < FT_L1 || t > FT_L4)
        return NULL;
    for (unsigned i = 0; i < PTES_PER_TABLE; i++) {
        mfn_t m = pte_mfn(e[i]);
        enum frame_type to;

        if (!(e[i] & PTE_P) || (t == FT_L4 && i >= L4_HV_FIRST && i <= L4_HV_LAST) ||
            !mfn_is_ram(m))
            continue;
        to = TYPE_OF(fake_frame_table[m.m].type);
        if (t > FT_L1 && (to != t - 1 || !(fake_frame_table[m.m].type & TYPE_VALID))) {
            snprintf(complaint, sizeof(complaint), "L%u %#lx[%u] leads to frame %#lx of type %u", t,
                     n, i, m.m, to);
            return complaint;
        }
        if (t == FT_L1 && (e[i] & PTE_RW) && !(e[i] & PTE_GRANT) && to != FT_WRITABLE &&
            to != FT_SHARED) {
            snprintf(complaint, sizeof(complaint),
                     "L1 %#lx[%u] maps frame %#lx of type %u writable", n, i, m.m, to);
            return complaint;
        }
    }
    return NULL;
}

const char *fake_audit(uint64_t (*extra_refs)(uint64_t), uint64_t (*extra_types)(uint64_t))
{
    struct expect *x = calloc(fake_nr_frames, sizeof(*x));
    const char *bad = NULL;

    expect_vcpus(x);
    for (uint64_t n = FAKE_FIRST; n < fake_nr_frames; n++) {
        const struct frame *f = &fake_frame_table[n];

        if (!(f->ref & REF_COUNT))
            continue;
        x[n].refs += !!(f->ref & REF_ALLOCATED);
        if (f->type & TYPE_PINNED) {
            x[n].refs++;
            x[n].types++;
        }
        x[n].refs += !!(f->type & TYPE_PARTIAL);
        if ((f->flags & FF_HEAP) && (f->ref & REF_ALLOCATED)) /* shared */
            x[n].types++;
        expect_table(x, n);
    }
    for (uint64_t n = FAKE_FIRST; n < fake_nr_frames && !bad; n++) {
        const struct frame *f = &fake_frame_table[n];
        uint64_t refs = x[n].refs + (extra_refs ? extra_refs(n) : 0);
        uint64_t types = x[n].types + (extra_types ? extra_types(n) : 0);
        bool counted = f->ref & REF_COUNT;

        bad = check_kinds(n);
        if (!bad &&
            ((f->ref & REF_COUNT) != refs || (counted && (f->type & TYPE_COUNT) != types))) {
            snprintf(complaint, sizeof(complaint),
                     "frame %#lx: ref %#lx type %#lx aux %u, but %lu references and %lu type "
                     "references are there",
                     n, f->ref, f->type, f->aux, refs, types);
            bad = complaint;
        }
        if (!bad && counted && (f->type & TYPE_BUSY)) {
            snprintf(complaint, sizeof(complaint), "frame %#lx is left BUSY", n);
            bad = complaint;
        }
    }
    free(x);
    return bad;
}
