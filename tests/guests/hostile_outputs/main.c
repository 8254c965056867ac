/* SPDX-License-Identifier: MIT */
/*
 * hostile_outputs: THREATS 30, what calls write to the guest beside their answers.
 *
 * How this guest would break the hypervisor: it reads what the hypervisor's stack or heap held
 * before, in the padding of structures, in the half of a union that was not filled, behind the end
 * of a string, or behind the end of the answer (XSA-122, XSA-132). Before each call the stack is
 * stained with a long list of requests, and the call is made over memory of two patterns: a byte
 * that is the same after both was written by the hypervisor, and must be 0 where no field is;
 * others must be as they were.
 */
#include <rt/attack.h>
#include <rt/test.h>
#include <xen/physdev.h>
#include <xen/sysctl.h>

#define MAX_SIZE 6144
#define BEHIND   256 /* bytes after the structure that are looked at too */

struct gap {
    uint16_t at, len;
};

struct output {
    const char *name;
    void (*call)(void *out); /* fills the inputs in and makes the call */
    unsigned int size;
    struct gap gaps[6];
};

static uint8_t answer[2][MAX_SIZE + BEHIND] __attribute__((aligned(64)));

/* Requests that are copied to the hypervisor's stack, and refused at the first. */
static void stain(void)
{
    static mmu_update_t junk[32];
    static multicall_entry_t calls[8];

    memset(junk, 0x5e, sizeof(junk));
    CHECK(hv_mmu_update(junk, 32, NULL, DOMID_SELF) < 0);
    memset(calls, 0x5e, sizeof(calls));
    CHECK_RC(hv_multicall(calls, 8), 0);
}

static bool in_gap(const struct output *o, unsigned int i)
{
    for (unsigned int g = 0; g < ARRAY_SIZE(o->gaps); g++)
        if (i >= o->gaps[g].at && i < o->gaps[g].at + o->gaps[g].len)
            return true;
    return false;
}

static void one_output(const struct output *o)
{
    static const uint8_t pattern[2] = {0xa5, 0x5a};
    unsigned int written = 0;

    for (unsigned int n = 0; n < 2; n++) {
        memset(answer[n], pattern[n], sizeof(answer[n]));
        stain();
        o->call(answer[n]);
    }
    for (unsigned int i = 0; i < o->size + BEHIND; i++) {
        bool kept = answer[0][i] == pattern[0] && answer[1][i] == pattern[1];
        bool zero = !answer[0][i] && !answer[1][i];

        written += !kept;
        if (i < o->size && !in_gap(o, i))
            continue;
        if (!CHECK(kept || (zero && i < o->size)))
            printf("  %s: byte %u: %#x, %#x\n", o->name, i, answer[0][i], answer[1][i]);
    }
    if (!CHECK(written))
        printf("  %s: nothing was written\n", o->name);
}

/* --- what a child may ask -----------------------------------------------------------------------
 */

static evtchn_port_t closed, unbound, ipi, virq, looped;

static void status_of(void *out, evtchn_port_t port)
{
    struct evtchn_status *s = out;

    s->dom = DOMID_SELF;
    s->port = port;
    CHECK_RC(hv_evtchn_op(EVTCHNOP_status, s), 0);
}

static void status_closed(void *out)
{
    status_of(out, closed);
}

static void status_unbound(void *out)
{
    status_of(out, unbound);
}

static void status_ipi(void *out)
{
    status_of(out, ipi);
}

static void status_virq(void *out)
{
    status_of(out, virq);
}

static void status_interdomain(void *out)
{
    status_of(out, looped);
}

static void query_size(void *out)
{
    ((struct gnttab_query_size *)out)->dom = DOMID_SELF;
    CHECK_RC(hv_grant_op(GNTTABOP_query_size, out, 1), 0);
}

static void get_version(void *out)
{
    ((struct gnttab_get_version *)out)->dom = DOMID_SELF;
    CHECK_RC(hv_grant_op(GNTTABOP_get_version, out, 1), 0);
}

static void setup_table(void *out)
{
    static xen_pfn_t frames[4];
    struct gnttab_setup_table *s = out;

    s->dom = DOMID_SELF;
    s->nr_frames = 1;
    set_xen_guest_handle(s->frame_list, frames);
    CHECK_RC(hv_grant_op(GNTTABOP_setup_table, out, 1), 0);
}

static void map_refused(void *out)
{
    struct gnttab_map_grant_ref *m = out;

    m->host_addr = 0;
    m->flags = GNTMAP_host_map;
    m->ref = 77;
    m->dom = 0x7fe0;
    CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, out, 1), 0);
}

static void copy_refused(void *out)
{
    struct gnttab_copy *c = out;

    c->source.domid = 0x7fe0;
    c->flags = GNTCOPY_source_gref;
    CHECK_RC(hv_grant_op(GNTTABOP_copy, out, 1), 0);
}

static void runstate(void *out)
{
    CHECK_RC(hv_vcpu_op(VCPUOP_get_runstate_info, 0, out), 0);
}

/* Written for as long as it is registered: at the next switch, and when it is asked for. */
static void runstate_area(void *out)
{
    struct vcpu_register_runstate_memory_area area = {.addr.p = (uint64_t)out};

    CHECK_RC(hv_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area), 0);
    sched_poll(NULL, 0, time_ns() + 1000000);
    area.addr.p = 0;
    CHECK_RC(hv_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area), 0);
}

static void time_area(void *out)
{
    struct vcpu_register_time_memory_area area = {.addr.p = (uint64_t)out};

    CHECK_RC(hv_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &area), 0);
    sched_poll(NULL, 0, time_ns() + 1000000);
    area.addr.p = 0;
    hv_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &area);
}

static void memory_map(void *out)
{
    struct xen_memory_map m = {.nr_entries = 8};

    set_xen_guest_handle(m.buffer, out);
    hv_memory_op(XENMEM_memory_map, &m);
    *(uint32_t *)out = m.nr_entries;
}

static void machphys_mapping(void *out)
{
    CHECK_RC(hv_memory_op(XENMEM_machphys_mapping, out), 0);
}

#define VERSION_CALL(name, command)                 \
    static void name(void *out)                     \
    {                                               \
        CHECK(hv_xen_version(command, out) >= 0);   \
        for (char *p = out; *p; p++) /* the text */ \
            *p = 1;                                 \
    }
VERSION_CALL(extraversion, XENVER_extraversion)
VERSION_CALL(changeset, XENVER_changeset)
VERSION_CALL(capabilities, XENVER_capabilities)

/* Four texts in one structure. */
static void compile_info(void *out)
{
    struct xen_compile_info *c = out;
    char *text[] = {c->compiler, c->compile_by, c->compile_domain, c->compile_date};

    CHECK_RC(hv_xen_version(XENVER_compile_info, c), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(text); i++)
        for (char *p = text[i]; *p && p < (char *)(c + 1); p++)
            *p = 0;
}

static const struct output childs[] = {
    {"evtchn_status, closed", status_closed, sizeof(struct evtchn_status), {{2, 2}, {16, 8}}},
    {"evtchn_status, unbound", status_unbound, sizeof(struct evtchn_status), {{2, 2}, {18, 6}}},
    {"evtchn_status, IPI", status_ipi, sizeof(struct evtchn_status), {{2, 2}, {16, 8}}},
    {"evtchn_status, VIRQ", status_virq, sizeof(struct evtchn_status), {{2, 2}, {20, 4}}},
    {"evtchn_status, interdomain",
     status_interdomain,
     sizeof(struct evtchn_status),
     {{2, 2}, {18, 2}}},
    {"gnttab_query_size", query_size, sizeof(struct gnttab_query_size), {{2, 2}, {14, 2}}},
    {"gnttab_get_version", get_version, sizeof(struct gnttab_get_version), {{2, 2}}},
    {"gnttab_setup_table", setup_table, sizeof(struct gnttab_setup_table), {{2, 2}, {10, 6}}},
    {"gnttab_map_grant_ref", map_refused, sizeof(struct gnttab_map_grant_ref), {{20, 12}}},
    {"gnttab_copy", copy_refused, sizeof(struct gnttab_copy), {{12, 4}, {28, 4}, {38, 2}}},
    {"runstate", runstate, sizeof(struct vcpu_runstate_info), {{4, 4}}},
    {"runstate area", runstate_area, sizeof(struct vcpu_runstate_info), {{4, 4}}},
    {"time area", time_area, sizeof(struct vcpu_time_info), {{4, 4}, {30, 2}}},
    {"memory map", memory_map, 8 * 20, {{0, 0}}},
    {"machphys_mapping", machphys_mapping, sizeof(struct xen_machphys_mapping), {{0, 0}}},
    {"extraversion", extraversion, sizeof(xen_extraversion_t), {{8, 8}}},
    {"changeset", changeset, sizeof(xen_changeset_info_t), {{60, 4}}},
    {"capabilities", capabilities, sizeof(xen_capabilities_info_t), {{200, 824}}},
    {"compile_info", compile_info, sizeof(struct xen_compile_info), {{0, 144}}},
};

static void ask(void)
{
    evtchn_port_t other;

    CHECK_RC(event_alloc_unbound(DOMID_SELF, DOMID_SELF, &unbound), 0);
    CHECK_RC(event_bind_ipi(0, &ipi), 0);
    CHECK_RC(event_bind_virq(VIRQ_DEBUG, 0, &virq), 0);
    CHECK(event_loop(&looped, &other));
    CHECK_RC(event_alloc_unbound(DOMID_SELF, DOMID_SELF, &closed), 0);
    CHECK_RC(event_close(closed), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(childs); i++)
        one_output(&childs[i]);
}

/* The hypervisor's shared pages, as a new domain gets them: nothing of a former one. */
static void look_at_shared_pages(void)
{
    const uint8_t *info = pfn_to_va(pfn_of(&shared_info)), *table;
    unsigned int wrong = 0;

    for (unsigned int i = sizeof(shared_info); i < PAGE_SIZE; i++)
        wrong += info[i] != 0;
    CHECK_EQ(wrong, 0);
    for (unsigned int v = 1; v < XEN_LEGACY_MAX_VCPUS; v++)
        for (unsigned int i = 0; i < sizeof(struct arch_vcpu_info); i++)
            wrong += ((const uint8_t *)&shared_info.vcpu_info[v].arch)[i] != 0;
    CHECK_EQ(wrong, 0);
    CHECK_EQ(shared_info.vcpu_info[0].time.pad0, 0);
    CHECK_EQ(shared_info.vcpu_info[0].time.pad1[0] | shared_info.vcpu_info[0].time.pad1[1], 0);
    CHECK_RC(gnttab_init(), 0);
    table = (const uint8_t *)grant_table;
    for (unsigned int i = 16; i < sizeof(grant_table); i++) /* two are set up by the builder */
        wrong += table[i] != 0;
    CHECK_EQ(wrong, 0);
}

static void test_child(void)
{
    static const struct attack attacks[] = {
        {"padding of answers", ask},
        {"new shared pages", look_at_shared_pages},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

/* --- what a tool may ask, whose lists are made one by one ---------------------------------------
 */

static void domain_list(void *out)
{
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_getdomaininfolist,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
                           .u.getdomaininfolist.max_domains = 1};

    set_xen_guest_handle(s.u.getdomaininfolist.buffer, out);
    CHECK_RC(hv_sysctl(&s), 0);
}

static void cpu_topology(void *out)
{
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_cputopoinfo,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
                           .u.cputopoinfo.num_cpus = 1};

    set_xen_guest_handle(s.u.cputopoinfo.cputopo, out);
    CHECK_RC(hv_sysctl(&s), 0);
}

static void vcpu_context(void *out)
{
    struct xen_domctl d = {.u.vcpucontext.vcpu = 0};

    set_xen_guest_handle(d.u.vcpucontext.ctxt, out);
    CHECK_RC(domctl(&d, XEN_DOMCTL_getvcpucontext, neighbour_id()), 0);
    /* 256 gaps of four bytes: here they are looked at. */
    for (unsigned int i = 0; i < 256; i++) {
        uint8_t *trap = (uint8_t *)&((vcpu_guest_context_t *)out)->trap_ctxt[i];

        CHECK(!memcmp(trap + 4, "\0\0\0\0", 4) || !memcmp(trap + 4, "\xa5\xa5\xa5\xa5", 4) ||
              !memcmp(trap + 4, "\x5a\x5a\x5a\x5a", 4));
    }
}

#define REGS offsetof(vcpu_guest_context_t, user_regs)

static const struct output tools[] = {
    {"getdomaininfolist",
     domain_list,
     sizeof(struct xen_domctl_getdomaininfo),
     {{2, 2}, {offsetof(struct xen_domctl_getdomaininfo, pad2), 7}}},
    {"cputopoinfo", cpu_topology, sizeof(struct xen_sysctl_cputopo), {{0, 0}}},
    {"getvcpucontext",
     vcpu_context,
     sizeof(vcpu_guest_context_t),
     {{REGS + offsetof(struct cpu_user_regs, saved_upcall_mask) + 1, 3},
      {REGS + offsetof(struct cpu_user_regs, ss) + 2, 6}}},
};

static void test_tool(void)
{
    struct baseline before;

    baseline_take(&before); /* starts the neighbour */
    for (unsigned int i = 0; i < ARRAY_SIZE(tools); i++)
        one_output(&tools[i]);
    neighbour_check();
    baseline_check(&before);
}

GUEST("hostile_outputs", TEST(child), TEST(tool));
