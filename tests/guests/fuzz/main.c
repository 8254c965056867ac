/* SPDX-License-Identifier: MIT */
/*
 * fuzz: random hypercalls from two vCPUs, beside a neighbour.
 *
 * How this guest would break the hypervisor: by everything that nobody thought of. An unprivileged
 * child makes every call that the dispatch tables know, with its own frames, ports, references and
 * page-table entries as arguments and a hostile word among them now and then; its second vCPU makes
 * calls too, and rewrites the first one's structures while they are being read. When the child is
 * crashed by its own deed the next one goes on with the next seed.
 *
 * `calls=N` and `seed=N` on the command line (a million, 1). Tests run it with counted instructions
 * (table.json): the same seed is then the same run; without them the two vCPUs race. Each child is printed with its seed
 * before it runs, so that after a host fault the last one can be made again: `seed=S calls=1`
 * makes that one child. A neighbour's hash, heartbeat and the machine's counts are checked.
 */
#include "generate.h"
#include <rt/attack.h>
#include <rt/test.h>

#define CALLS_PER_CHILD 20000
#define CALLS_LEAST     200 /* a child, on average */
#define STUCK_NS        100000000ull
#define CHECK_EVERY     16 /* children between two looks at the counts */

static struct {
    uint64_t seed;
    uint64_t others[4]; /* frames of dom0's and the neighbour's */
    volatile uint64_t done[2];
    volatile uint64_t last[2][8]; /* number, arguments: what it was doing */
} fuzz PAGE_ALIGNED;

static uint64_t area[2][AREA_WORDS] PAGE_ALIGNED;

/* --- in the child --- */

static bool quiet(struct cpu_user_regs *regs)
{
    struct vcpu_info *vi = my_vcpu_info();

    if (regs->entry_vector == VEC_EVENT) {
        vi->evtchn_upcall_mask = 1;
        vi->evtchn_upcall_pending = 0;
        return true;
    }
    if (regs->entry_vector == X86_EXC_DB) {
        regs->rflags &= ~(uint64_t)X86_EFLAGS_TF;
        hv_set_debugreg(7, 0);
        return true;
    }
    child_exit(SHUTDOWN_crash);
}

static void collect_material(void)
{
    static const uint64_t hypervisor[] = {0xffff800000000000, 0xffff82d040200000,
                                          0xffff830000000000, 0xffff87fffffffff8,
                                          0x0000800000000000, 0xffff880000000000};
    struct material *m = &material;
    unsigned int n = 0;

    for (unsigned int i = 0; i < 16; i++) {
        m->pages[i] = (uint64_t)child_page(i);
        m->entries[i] = pte_place_of(child_page(i), 1).maddr;
        m->frames[n++] = mfn_of(child_page(i));
    }
    m->frames[n++] = m->entries[0] >> 12; /* its real L1 */
    m->frames[n++] = current_l4_mfn();
    for (unsigned int i = 0; i < 4; i++)
        m->frames[n++] = fuzz.others[i];
    m->frames[n++] = start_info->shared_info >> 12;
    m->frames[n] = pte_mfn(pte_get(grant_table));
    memcpy(m->hypervisor, hypervisor, sizeof(hypervisor));
    m->domids[0] = DOMID_SELF;
}

/* Some of the spare pages are tables, so that there is a tree to break. */
static void plant_tree(void)
{
    for (unsigned int level = 1; level <= 4; level++) {
        uint64_t *table = child_page(7 + level);

        if (level == 1)
            for (unsigned int i = 0; i < 8; i++)
                table[i] = pte_make(mfn_of(child_page(i)), i & 1 ? PTE_RO_FLAGS : PTE_RW_FLAGS);
        else
            table[3] = pte_make(mfn_of(child_page(6 + level)), PTE_TABLE_FLAGS);
        page_set_readonly(table);
    }
    mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(child_page(11)));
    for (unsigned int ref = 0; ref < 24; ref++)
        grant_set(ref, material.domids[ref & 3], mfn_of(child_page(ref & 7)),
                  GTF_permit_access | (ref & 4 ? GTF_readonly : 0));
    for (unsigned int i = 0; i < 4; i++) {
        evtchn_port_t port;

        event_alloc_unbound(DOMID_SELF, material.domids[i], &port);
    }
}

static void one_call(unsigned int cpu, uint64_t *state)
{
    volatile uint64_t *last = fuzz.last[cpu];
    struct call c;

    call_make(state, area[cpu], &c);
    last[0] = c.what->nr;
    for (unsigned int i = 0; i < 6; i++)
        last[1 + i] = c.args[i];
    hypercall5(c.what->nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4]);
    fuzz.done[cpu]++;
    if (fuzz.done[cpu] % 256 == 0)
        hv_vcpu_op(VCPUOP_up, !cpu, NULL);
}

/* The second vCPU: calls of its own, and the first one's arguments change under the hypervisor. */
static void disturb(void)
{
    uint64_t state = fuzz.seed * 0x9e3779b97f4a7c15 | 1;

    for (;;) {
        for (unsigned int i = 0; i < 12; i++) {
            uint64_t r = random_next(&state);

            WRITE_ONCE(area[0][(r >> 20) % (r & 1 ? 32 : AREA_WORDS)], random_word(&state));
        }
        one_call(1, &state);
    }
}

static void fuzz_main(void)
{
    uint64_t state = fuzz.seed | 1;

    trap_set_hook(quiet);
    if (gnttab_init())
        child_exit(SHUTDOWN_crash);
    collect_material();
    plant_tree();
    vcpu_start(1, disturb);
    while (fuzz.done[0] + fuzz.done[1] < CALLS_PER_CHILD)
        one_call(0, &state);
}

/* --- in dom0 --- */

static struct {
    uint64_t calls;
    unsigned int children, ended, crashed, stuck;
} sum;

static bool is_shut_down(struct child *c)
{
    struct xen_domctl op = {0};

    return domctl(&op, XEN_DOMCTL_getdomaininfo, c->id) ||
           (op.u.getdomaininfo.flags & XEN_DOMINF_shutdown);
}

/* Until it ends, or makes no call for a while. */
static void watch(struct child *c)
{
    typeof(fuzz) *f = child_view(c, &fuzz);
    uint64_t seen = 0, since = time_ns();

    while (!is_shut_down(c) && time_ns() - since < STUCK_NS) {
        sched_poll(NULL, 0, time_ns() + 5000000);
        if (f->done[0] + f->done[1] != seen) {
            seen = f->done[0] + f->done[1];
            since = time_ns();
        }
    }
    /* A multicall of 2³² entries may run over the counters: no child counts for more than its due.
     */
    seen = f->done[0] + f->done[1];
    sum.calls += seen < 2 * CALLS_PER_CHILD ? seen : 0;
    sum.children++;
    if (!is_shut_down(c))
        sum.stuck++;
    else if (f->done[0] + f->done[1] < CALLS_PER_CHILD)
        sum.crashed++;
    else
        sum.ended++;
    child_unview(f);
}

static bool one_child(uint64_t seed)
{
    static struct child c;
    typeof(fuzz) *f;
    struct material *m;

    printf("seed %lu\n", seed);
    if (!CHECK_RC(child_build_smp(&c, fuzz_main, 3), 0))
        return false;
    f = child_view(&c, &fuzz);
    f->seed = seed * 0x9e3779b97f4a7c15;
    f->others[0] = mfn_of(&fuzz);
    f->others[1] = neighbour_frame(0);
    f->others[2] = neighbour_frame(1);
    f->others[3] = 0xb8;
    child_unview(f);
    m = child_view(&c, &material);
    m->domids[1] = c.id;
    m->domids[2] = 0;
    m->domids[3] = neighbour_id();
    m->domids[4] = DOMID_IO;
    m->domids[5] = DOMID_XEN;
    m->domids[6] = DOMID_INVALID;
    m->domids[7] = 0x7fff;
    child_unview(m);
    if (!CHECK_RC(child_set_context(&c), 0) || !CHECK_RC(child_run(&c), 0))
        return false;
    watch(&c);
    return CHECK_RC(child_destroy(&c), 0);
}

/* What the hypervisor keeps for a grant table it makes at the first try, also at a try that fails,
 * and for as long as the table's owner lives: so that all of it is there before the counts are
 * taken. */
static void touch_grants(void)
{
    for (unsigned int ref = 0; ref < 40000; ref += 64)
        for (unsigned int i = 2; i < 4; i++) {
            struct gnttab_map_grant_ref map = {.host_addr = (uint64_t)child_page(0),
                                               .flags = GNTMAP_host_map,
                                               .ref = ref,
                                               .dom = material.domids[i]};

            hv_grant_op(GNTTABOP_map_grant_ref, &map, 1);
        }
}

static void test_calls(void)
{
    uint64_t wanted = cmdline_number("calls", 1000000), seed = cmdline_number("seed", 1);
    static const struct attack touch = {"touch", touch_grants};
    struct baseline before;

    baseline_take(&before);
    material.domids[3] = neighbour_id(); /* the child's copy has it */
    attack_each(&touch, 1, 1);
    baseline_take(&before);
    for (unsigned int n = 1; sum.calls < wanted; n++, seed++) {
        if (!one_child(seed))
            return;
        if (n % CHECK_EVERY && sum.calls < wanted)
            continue;
        neighbour_check();
        baseline_check(&before);
    }
    printf("%lu calls by %u children: %u ended, %u crashed, %u stuck\n", sum.calls, sum.children,
           sum.ended, sum.crashed, sum.stuck);
    /* A random guest that dies at once tests nothing. */
    CHECK(sum.calls / sum.children > CALLS_LEAST);
}

GUEST("fuzz", TEST(calls));
