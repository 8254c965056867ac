/* SPDX-License-Identifier: MIT */
/*
 * The steps from a document to a paused domain, in order, as one table. Each step either succeeds
 * or sets a failure with its name; the driver then destroys the domain, which also returns memory
 * and ports.
 */
#include "builder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <xen/version.h>

#include "cpu_share.h"
#include "guest_memory.h"
#include "page_tables.h"

#define PAGE 4096ULL
#define SLACK_KIB \
    1024 /* as libxl: pages that come and go in a guest's life without raising its limit */
#define EFLAGS_IF   0x200
#define DR6_DEFAULT 0xffff0ff0UL
#define DR7_DEFAULT 0x00000400UL

struct build {
    struct hyper *hyper;
    const struct build_request *request;
    struct built_domain *out;
    struct failure *failure;
    struct kernel_elf kernel;
    struct layout layout;
    struct guest_memory memory;
    uint64_t initrd_size;
    uint64_t shared_info_mfn;
    bool created;
};

/* A hypercall failed: say which, and what the hypervisor's number means. */
static int hyper_failed(struct build *b, const char *what, int error)
{
    return fail(b->failure, error == -ENOMEM ? FAIL_MEMORY_UNAVAILABLE : FAIL_HYPERVISOR, NULL,
                NULL, "%s: %s", what, strerror(-error));
}

static int need(struct build *b, const char *what, int error)
{
    return error < 0 ? hyper_failed(b, what, error) : 0;
}

void uuid_bytes(const char *text, uint8_t bytes[16])
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned value = 0;

        if (*text == '-')
            text++;
        sscanf(text, "%2x", &value);
        bytes[i] = value;
        text += 2;
    }
}

static int step_read_kernel(struct build *b)
{
    return kernel_elf_read(b->request->kernel_fd, &b->kernel, b->failure);
}

static int step_layout(struct build *b)
{
    struct layout_input in = {
        .virt_base = b->kernel.virt_base,
        .image_end = b->kernel.virt_end,
        .initrd_unmapped = b->kernel.mod_start_pfn,
        .init_p2m = b->kernel.init_p2m,
        .nr_pages = b->request->config->memory / PAGE,
    };
    struct stat st;

    if (b->request->initrd_fd >= 0) {
        if (fstat(b->request->initrd_fd, &st) < 0)
            return fail(b->failure, FAIL_IO, NULL, "/kernel/initrd", "cannot read the initrd: %s",
                        strerror(errno));
        b->initrd_size = in.initrd_size = st.st_size;
    }
    b->memory.nr_pages = b->out->nr_pages = in.nr_pages;
    return layout_compute(&in, &b->layout, b->failure);
}

static int step_create(struct build *b)
{
    uint8_t handle[16];
    int error;

    uuid_bytes(b->request->config->uuid, handle);
    error = hyper_create(b->hyper, handle, b->request->config->vcpus_max, &b->out->domid);
    if (error)
        return hyper_failed(b, "the hypervisor refused a new domain", error);
    b->created = true;
    b->memory.hyper = b->hyper;
    b->memory.domid = b->out->domid;
    return 0;
}

static int step_limits(struct build *b)
{
    const struct domain_config *c = b->request->config;

    if (need(b, "cannot set the number of vCPUs",
             hyper_max_vcpus(b->hyper, b->out->domid, c->vcpus_max)))
        return -1;
    return need(b, "cannot set the memory limit",
                hyper_max_memory(b->hyper, b->out->domid, (c->memory >> 10) + SLACK_KIB));
}

static int step_cpu(struct build *b)
{
    const struct domain_config *c = b->request->config;

    return cpu_share_set(b->hyper, b->out->domid, c->vcpus_max, &c->cpu, b->failure);
}

static int step_ports(struct build *b)
{
    uint32_t domid = b->out->domid, own = b->request->own_domid;

    if (need(b, "cannot make the store's event channel",
             hyper_alloc_unbound(b->hyper, domid, own, &b->out->store_port)))
        return -1;
    return need(b, "cannot make the console's event channel",
                hyper_alloc_unbound(b->hyper, domid, own, &b->out->console_port));
}

static int step_populate(struct build *b)
{
    int error;

    b->memory.p2m = calloc(b->memory.nr_pages, sizeof(uint64_t));
    if (!b->memory.p2m)
        return fail(b->failure, FAIL_RESOURCES, NULL, NULL, "out of memory");
    error = guest_populate(&b->memory);
    if (error == -ENOMEM) {
        fail(b->failure, FAIL_MEMORY_UNAVAILABLE, NULL, "/memory",
             "the hypervisor ran out of memory while it was given to the domain");
        return fail_hint(b->failure, "lower \"memory\" or stop another domain");
    }
    b->out->store_mfn = b->memory.p2m[b->layout.store_pfn];
    b->out->console_mfn = b->memory.p2m[b->layout.console_pfn];
    return need(b, "cannot give the domain its memory", error);
}

static int step_load_kernel(struct build *b)
{
    for (unsigned i = 0; i < b->kernel.nr_segments; i++) {
        const struct kernel_segment *s = &b->kernel.segments[i];
        int error = guest_write_file(&b->memory, 0, s->virt - b->kernel.virt_base,
                                     b->request->kernel_fd, s->file_offset, s->file_size);

        /* What lies beyond file_size is zero already: the hypervisor hands out scrubbed frames. */
        if (error)
            return fail(b->failure, FAIL_IO, NULL, "/kernel/path", "cannot load the kernel: %s",
                        strerror(-error));
    }
    return 0;
}

static int step_load_initrd(struct build *b)
{
    int error;

    if (b->request->initrd_fd < 0)
        return 0;
    error = guest_write_file(&b->memory, b->layout.initrd.pfn, 0, b->request->initrd_fd, 0,
                             b->initrd_size);
    if (error)
        return fail(b->failure, FAIL_IO, NULL, "/kernel/initrd", "cannot load the initrd: %s",
                    strerror(-error));
    return 0;
}

static int step_p2m_list(struct build *b)
{
    return need(b, "cannot write the list of frames",
                guest_write(&b->memory, b->layout.p2m.pfn, 0, b->memory.p2m,
                            b->memory.nr_pages * sizeof(uint64_t)));
}

static int step_page_tables(struct build *b)
{
    const struct layout *l = &b->layout;
    uint64_t count = l->tables.count + l->p2m_tables.count;
    uint64_t *tables = calloc(count, PAGE);
    int error;

    if (!tables)
        return fail(b->failure, FAIL_RESOURCES, NULL, NULL, "out of memory");
    error = page_tables_build(l, b->memory.p2m, tables) ? -EINVAL : 0;
    if (!error)
        error = guest_write(&b->memory, l->tables.pfn, 0, tables, l->tables.count * PAGE);
    if (!error && l->p2m_tables.count)
        error = guest_write(&b->memory, l->p2m_tables.pfn, 0, tables + l->tables.count * 512,
                            l->p2m_tables.count * PAGE);
    free(tables);
    return need(b, "cannot write the bootstrap page tables", error);
}

static int step_start_info(struct build *b)
{
    const struct layout *l = &b->layout;
    start_info_t *info = calloc(1, sizeof(*info));
    domain_info now;
    int error = hyper_info(b->hyper, b->out->domid, &now);

    if (!info || error) {
        free(info);
        return error ? hyper_failed(b, "cannot ask about the new domain", error)
                     : fail(b->failure, FAIL_RESOURCES, NULL, NULL, "out of memory");
    }
    b->shared_info_mfn = now.shared_info_frame;
    snprintf(info->magic, sizeof(info->magic), "xen-3.0-x86_64");
    info->nr_pages = l->nr_pages;
    info->shared_info = b->shared_info_mfn * PAGE;
    info->flags = l->initrd_unmapped ? SIF_MOD_START_PFN : 0;
    info->store_mfn = b->out->store_mfn;
    info->store_evtchn = b->out->store_port;
    info->console.domU.mfn = b->out->console_mfn;
    info->console.domU.evtchn = b->out->console_port;
    info->pt_base = layout_virt(l, l->tables.pfn);
    info->nr_pt_frames = l->tables.count;
    info->mfn_list = l->p2m_virt;
    info->mod_start = l->initrd_start;
    info->mod_len = b->initrd_size;
    if (l->nr_maps > 1) {
        info->first_p2m_pfn = l->p2m.pfn;
        info->nr_p2m_frames = l->p2m.count + l->p2m_tables.count;
    }
    snprintf((char *)info->cmd_line, sizeof(info->cmd_line), "%s",
             b->request->config->kernel.cmdline);
    error = guest_write(&b->memory, l->start_info_pfn, 0, info, sizeof(*info));
    free(info);
    return need(b, "cannot write start_info", error);
}

static int step_shared_info(struct build *b)
{
    shared_info_t *shared = guest_map_frame(&b->memory, b->shared_info_mfn);

    if (!shared)
        return hyper_failed(b, "cannot map the shared info page", -errno);
    memset(shared, 0, sizeof(*shared));
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        shared->vcpu_info[i].evtchn_upcall_mask = 1;
    xenforeignmemory_unmap(b->hyper->foreign, shared, 1);
    return 0;
}

static int step_hypercall_page(struct build *b)
{
    uint64_t pfn;

    if (b->kernel.hypercall_page == KERNEL_NO_ADDRESS)
        return 0;
    pfn = (b->kernel.hypercall_page - b->kernel.virt_base) / PAGE;
    return need(b, "cannot write the hypercall page",
                hyper_hypercall_page(b->hyper, b->out->domid, b->memory.p2m[pfn]));
}

static void set_grant(grant_entry_v1_t *entry, uint32_t to, uint64_t mfn)
{
    entry->domid = to;
    entry->frame = mfn;
    __atomic_thread_fence(
        __ATOMIC_RELEASE); /* flags last: an entry is valid or absent, never half */
    entry->flags = GTF_permit_access;
}

/* Grants 0 and 1 let the store and console daemons map their rings without privilege over the
 * domain. */
static int step_grants(struct build *b)
{
    xenforeignmemory_resource_handle *resource;
    void *table = NULL;

    resource = xenforeignmemory_map_resource(
        b->hyper->foreign, b->out->domid, XENMEM_resource_grant_table,
        XENMEM_resource_grant_table_id_shared, 0, 1, &table, PROT_READ | PROT_WRITE, 0);
    if (!resource)
        return hyper_failed(b, "cannot map the grant table", -errno);
    set_grant((grant_entry_v1_t *)table + GNTTAB_RESERVED_CONSOLE, b->request->own_domid,
              b->out->console_mfn);
    set_grant((grant_entry_v1_t *)table + GNTTAB_RESERVED_XENSTORE, b->request->own_domid,
              b->out->store_mfn);
    xenforeignmemory_unmap_resource(b->hyper->foreign, resource);
    return 0;
}

static int step_pin(struct build *b)
{
    return need(b, "the hypervisor refused the bootstrap page tables",
                hyper_pin_l4(b->hyper, b->out->domid, b->memory.p2m[b->layout.tables.pfn]));
}

static int step_context(struct build *b)
{
    const struct layout *l = &b->layout;
    struct vcpu_guest_context *c = calloc(1, sizeof(*c));
    int error;

    if (!c)
        return fail(b->failure, FAIL_RESOURCES, NULL, NULL, "out of memory");
    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = b->kernel.entry;
    c->user_regs.rsp = layout_virt(l, l->stack_pfn) + PAGE;
    c->user_regs.rsi = layout_virt(l, l->start_info_pfn);
    c->user_regs.rflags = EFLAGS_IF;
    c->user_regs.ds = c->user_regs.es = FLAT_KERNEL_DS;
    c->user_regs.fs = c->user_regs.gs = FLAT_KERNEL_DS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->kernel_ss = c->user_regs.ss;
    c->kernel_sp = c->user_regs.rsp;
    c->ctrlreg[3] = xen_pfn_to_cr3(b->memory.p2m[l->tables.pfn]);
    c->debugreg[6] = DR6_DEFAULT;
    c->debugreg[7] = DR7_DEFAULT;
    error = hyper_set_context(b->hyper, b->out->domid, 0, c);
    free(c);
    return need(b, "the hypervisor refused the first vCPU's state", error);
}

static const struct step {
    const char *name;
    const char *where; /* the key of the document that a failure most likely means */
    int (*run)(struct build *b);
} steps[] = {
    /* decode: nothing exists yet */
    {"read-kernel", "/kernel/path", step_read_kernel},
    {"layout", "/memory", step_layout},
    /* perform */
    {"create-domain", "", step_create},
    {"set-limits", "/memory", step_limits},
    {"set-cpu", "/cpu", step_cpu},
    {"make-ports", "", step_ports},
    {"populate", "/memory", step_populate},
    {"load-kernel", "/kernel/path", step_load_kernel},
    {"load-initrd", "/kernel/initrd", step_load_initrd},
    {"write-p2m", "", step_p2m_list},
    {"write-page-tables", "", step_page_tables},
    {"write-start-info", "", step_start_info},
    {"write-shared-info", "", step_shared_info},
    {"hypercall-page", "/kernel/path", step_hypercall_page},
    {"seed-grants", "", step_grants},
    {"pin-page-tables", "", step_pin},
    {"set-context", "", step_context},
};

static unsigned long milliseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000UL + t.tv_nsec / 1000000;
}

void built_note_time(struct built_domain *built, const char *step, unsigned long took)
{
    size_t used = strlen(built->times);

    if (took >= 5)
        snprintf(built->times + used, sizeof(built->times) - used, "%s%s %lu", used ? ", " : "",
                 step, took);
}

int domain_build(struct hyper *h, const struct build_request *request, struct built_domain *built,
                 struct failure *failure)
{
    struct build b = {.hyper = h, .request = request, .out = built, .failure = failure};
    int result = 0;

    *built = (struct built_domain){0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && result == 0; i++) {
        unsigned long begin = milliseconds();

        result = steps[i].run(&b);
        built_note_time(built, steps[i].name, milliseconds() - begin);
        if (result) {
            snprintf(failure->step, sizeof(failure->step), "%s", steps[i].name);
            if (!failure->where[0])
                snprintf(failure->where, sizeof(failure->where), "%s", steps[i].where);
        }
    }
    free(b.memory.p2m);
    if (result && b.created)
        hyper_destroy(h, built->domid);
    return result;
}
