/* SPDX-License-Identifier: MIT */
/*
 * Builds, runs and destroys the child domains of rt/child.h, with the calls that a toolstack uses:
 * createdomain, max_vcpus, max_mem, populate_physmap, foreign mappings, setvcpucontext, unpause.
 *
 * The child's frames in order: the image [0x100 …), then p2m, start info, L1, L2, L3, L4, and a few
 * free pages. One L1 table covers all of it, for the pfns are below 512.
 */
#include <rt/child.h>
#include <rt/print.h>
#include <rt/test.h>

extern char vcpu_stacks[MAX_VCPUS][VCPU_STACK];
extern char image_end[];
void child_entry(void);
void child_main(void (*fn)(void));

enum { P2M, INFO, L1, L2, L3, L4, EXTRA_PAGES };

static unsigned int image_pages(void)
{
    return pfn_of(image_end) - CHILD_FIRST_PFN;
}

long domctl(struct xen_domctl *op, uint32_t cmd, domid_t dom)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = dom;
    return hv_domctl(op);
}

static void *foreign_map(domid_t dom, mfn_t mfn)
{
    long rc;
    void *va = window_map_of(pte_make(mfn, PTE_RW_FLAGS), dom, &rc);

    if (rc)
        guest_die("mapping frame %#lx of domain %u: %ld", mfn, dom, rc);
    return va;
}

mfn_t child_mfn(const struct child *c, const void *va)
{
    return c->frames[pfn_of(va) - CHILD_FIRST_PFN];
}

void *child_view(struct child *c, void *va)
{
    return (char *)foreign_map(c->id, child_mfn(c, va)) + ((uint64_t)va & (PAGE_SIZE - 1));
}

void child_unview(void *view)
{
    CHECK_RC(window_unmap((void *)((uint64_t)view & ~(PAGE_SIZE - 1ul))), 0);
}

static void *extra_va(unsigned int which)
{
    return pfn_to_va(CHILD_FIRST_PFN + image_pages() + which);
}

static void fill_tables(struct child *c)
{
    const xen_pfn_t *extra = &c->frames[image_pages()];
    uint64_t *p2m = foreign_map(c->id, extra[P2M]), *l1 = foreign_map(c->id, extra[L1]);

    memset(l1, 0, PAGE_SIZE);
    for (unsigned int pfn = 0; pfn < 512; pfn++)
        p2m[pfn] = ~0ul;
    for (unsigned int i = 0; i < c->nr_pages; i++) {
        unsigned int at = i - image_pages();
        bool table = i >= image_pages() && at >= L1 && at <= L4;

        p2m[CHILD_FIRST_PFN + i] = c->frames[i];
        l1[CHILD_FIRST_PFN + i] = pte_make(c->frames[i], table ? PTE_RO_FLAGS : PTE_RW_FLAGS);
    }
    child_unview(p2m);
    child_unview(l1);
    for (unsigned int level = L2; level <= L4; level++) {
        uint64_t *table = foreign_map(c->id, extra[level]);
        unsigned int shift = 12 + 9 * (level - L1);

        memset(table, 0, PAGE_SIZE);
        table[(GUEST_VIRT_BASE >> shift) & 511] = pte_make(extra[level - 1], PTE_TABLE_FLAGS);
        child_unview(table);
    }
    c->l4 = extra[L4];
}

static void fill_start_info(struct child *c)
{
    start_info_t *si = foreign_map(c->id, c->frames[image_pages() + INFO]);

    memset(si, 0, PAGE_SIZE);
    memcpy(si->magic, start_info->magic, sizeof(si->magic));
    si->nr_pages = c->nr_pages;
    si->shared_info = c->shared_info << 12;
    si->pt_base = (uint64_t)extra_va(L4);
    si->nr_pt_frames = 4;
    si->mfn_list = (uint64_t)extra_va(P2M);
    child_unview(si);
}

static void copy_image(struct child *c)
{
    for (unsigned int i = 0; i < image_pages(); i++) {
        void *page = foreign_map(c->id, c->frames[i]);

        memcpy(page, pfn_to_va(CHILD_FIRST_PFN + i), PAGE_SIZE);
        child_unview(page);
    }
}

static void fill_context(struct child *c, void (*fn)(void))
{
    static vcpu_guest_context_t context;

    memset(&context, 0, sizeof(context));
    context.flags = VGCF_IN_KERNEL | VGCF_online;
    context.user_regs.rip = (uint64_t)child_entry;
    context.user_regs.rsi = (uint64_t)extra_va(INFO);
    context.user_regs.rdi = (uint64_t)fn;
    context.user_regs.rsp = (uint64_t)vcpu_stacks[0] + VCPU_STACK_HALF;
    context.user_regs.cs = FLAT_KERNEL_CS64;
    context.user_regs.ss = FLAT_KERNEL_SS64;
    context.user_regs.rflags = X86_EFLAGS_MBS | X86_EFLAGS_IF;
    context.kernel_ss = FLAT_KERNEL_SS64;
    context.kernel_sp = (uint64_t)vcpu_stacks[1];
    context.ctrlreg[3] = xen_pfn_to_cr3(c->l4);
    c->context = &context;
}

long child_set_context(struct child *c)
{
    struct xen_domctl op = {.u.vcpucontext.vcpu = 0};

    set_xen_guest_handle(op.u.vcpucontext.ctxt, c->context);
    return domctl(&op, XEN_DOMCTL_setvcpucontext, c->id);
}

long child_build(struct child *c, void (*fn)(void))
{
    return child_build_smp(c, fn, 1);
}

long child_build_smp(struct child *c, void (*fn)(void), unsigned int vcpus)
{
    return child_build_large(c, fn, vcpus, 4);
}

long child_build_large(struct child *c, void (*fn)(void), unsigned int vcpus,
                       unsigned int maptrack_frames)
{
    struct xen_domctl op = {.u.createdomain = {.max_vcpus = vcpus,
                                               .max_evtchn_port = -1,
                                               .max_grant_frames = 4,
                                               .max_maptrack_frames = maptrack_frames,
                                               .grant_opts = XEN_DOMCTL_GRANT_version(1)}};
    struct xen_memory_reservation res = {.extent_order = 0};
    long rc;

    memset(c, 0, sizeof(*c));
    c->nr_pages = image_pages() + EXTRA_PAGES + CHILD_FREE_PAGES;
    if (c->nr_pages > CHILD_MAX_PAGES)
        guest_die("the image has %u pages: too many for a child", image_pages());
    rc = domctl(&op, XEN_DOMCTL_createdomain, 0);
    if (rc)
        return rc;
    c->id = op.domain;
    op.u.max_vcpus.max = vcpus;
    rc = domctl(&op, XEN_DOMCTL_max_vcpus, c->id);
    op.u.max_mem.max_memkb = (c->nr_pages + 64) * 4;
    rc = rc ? rc : domctl(&op, XEN_DOMCTL_max_mem, c->id);
    rc = rc ? rc : domctl(&op, XEN_DOMCTL_getdomaininfo, c->id);
    if (rc)
        return rc;
    c->shared_info = op.u.getdomaininfo.shared_info_frame;
    for (unsigned int i = 0; i < c->nr_pages; i++)
        c->frames[i] = CHILD_FIRST_PFN + i;
    res.domid = c->id;
    res.nr_extents = c->nr_pages;
    set_xen_guest_handle(res.extent_start, c->frames);
    rc = hv_memory_op(XENMEM_populate_physmap, &res);
    if (rc != c->nr_pages)
        return rc < 0 ? rc : -XEN_ENOMEM;
    copy_image(c);
    fill_tables(c);
    fill_start_info(c);
    fill_context(c, fn);
    return 0;
}

long child_create(struct child *c, void (*fn)(void))
{
    long rc = child_build(c, fn);

    return rc ? rc : child_set_context(c);
}

long child_run(struct child *c)
{
    struct xen_domctl op = {0};

    return domctl(&op, XEN_DOMCTL_unpausedomain, c->id);
}

unsigned int child_wait(struct child *c)
{
    return child_wait_ns(c, 5000000000);
}

unsigned int child_wait_ns(struct child *c, uint64_t ns)
{
    struct xen_domctl op = {0};
    uint64_t end = time_ns() + ns;

    do {
        if (domctl(&op, XEN_DOMCTL_getdomaininfo, c->id))
            return ~0u;
        if (op.u.getdomaininfo.flags & XEN_DOMINF_shutdown)
            return (op.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
        sched_poll(NULL, 0, time_ns() + 1000000);
    } while (time_ns() < end);
    return ~0u;
}

long child_kill(struct child *c)
{
    struct xen_domctl op = {0};
    long rc;

    do
        rc = domctl(&op, XEN_DOMCTL_destroydomain, c->id);
    while (rc == -XEN_EAGAIN);
    return rc;
}

long child_destroy(struct child *c)
{
    struct xen_domctl op = {0};
    uint64_t end = time_ns() + 5000000000;
    long rc = child_kill(c);

    if (rc)
        return rc;
    while (domctl(&op, XEN_DOMCTL_getdomaininfo, c->id) == 0 && op.domain == c->id) {
        if (time_ns() > end)
            return -XEN_EBUSY;
        sched_poll(NULL, 0, time_ns() + 1000000);
    }
    return 0;
}

void *child_page(unsigned int index)
{
    return extra_va(EXTRA_PAGES + index);
}

void child_exit(unsigned int reason)
{
    struct sched_shutdown op = {.reason = reason};

    for (;;)
        hv_sched_op(SCHEDOP_shutdown, &op);
}

/* The child's first C code: as guest_main(), then its own program. */
void child_main(void (*fn)(void))
{
    if (hv_update_va_mapping(&shared_info, start_info->shared_info | PTE_RW_FLAGS, UVMF_INVLPG))
        child_exit(SHUTDOWN_crash);
    events_disable(); /* as a toolstack leaves it; the hypervisor promises nothing */
    events_init();
    traps_init();
    fn();
    child_exit(SHUTDOWN_poweroff);
}
