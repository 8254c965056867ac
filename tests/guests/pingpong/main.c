/* SPDX-License-Identifier: MIT */
/*
 * pingpong: an event to another domain and its answer, row 10 of the performance table.
 *
 * dom0 and a child each send, and block until the other's event has come: on one CPU that is two
 * switches of domains and two upcalls, on two CPUs two wake-ups of a sleeping CPU. Both do the least
 * that the ABI asks for (an upcall that only acknowledges). Under -icount one tick is one executed
 * instruction, of whichever CPU. As a test: no event is lost, none is counted twice.
 */
#include <rt/child.h>
#include <rt/test.h>
#include <xen/sysctl.h>

enum { ROUNDS = 5, N = 256 };

static volatile uint64_t taken;
static volatile evtchn_port_t port; /* the child's copy holds dom0's until it has its own */

/* The least upcall there is: acknowledge, count, return. Offsets: vcpu_info[0] and the port's word.
 */
ASM_FUNCTION(event_and_back, "movb $0, shared_info(%rip); movq $0, shared_info+8(%rip)\n"
                             "movq $0, shared_info+2048(%rip); incq taken(%rip)\n"
                             "pop %rcx; pop %r11; pushq $0; push %rcx; push %r11; push %rax\n"
                             "mov $23, %eax; syscall; ud2");

static bool take_events(void (*handler)(void))
{
    struct callback_register reg = {.type = CALLBACKTYPE_event, .address = (unsigned long)handler};

    return hv_callback_op(CALLBACKOP_register, &reg) == 0;
}

/* Blocks, events masked, until `so_many` have come; they are masked again when it returns. */
static void await(uint64_t so_many)
{
    while (taken < so_many) {
        hv_sched_op(SCHEDOP_block, NULL); /* unmasks */
        events_disable();
    }
}

static void answer(void)
{
    evtchn_port_t mine;

    if (!take_events(event_and_back) || event_bind_interdomain(0, port, &mine) || mine >= 64)
        child_exit(SHUTDOWN_crash);
    event_unmask(mine);
    hv_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    event_send(mine); /* "I am here" */
    for (uint64_t n = 1;; n++) {
        await(n);
        event_send(mine);
    }
}

static bool pin(domid_t dom, uint8_t cpu)
{
    struct xen_domctl op = {0};
    uint8_t map = (uint8_t)(1u << cpu);

    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, &map);
    return CHECK_RC(domctl(&op, XEN_DOMCTL_setvcpuaffinity, dom), 0);
}

static unsigned int cpus(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    return CHECK_RC(hv_sysctl(&op), 0) ? op.u.physinfo.nr_cpus : 0;
}

/* The child, bound to our port, on the last CPU; 0 when a check failed. */
static bool start(struct child *c, unsigned int nr_cpus)
{
    evtchn_port_t ours;
    void *view;

    if (!CHECK_RC(child_create(c, answer), 0) ||
        !CHECK_RC(event_alloc_unbound(DOMID_SELF, c->id, &ours), 0) || !CHECK(ours < 64) ||
        !pin(0, 0) || !pin(c->id, (uint8_t)(nr_cpus - 1)))
        return false;
    port = ours;
    view = child_view(c, (void *)&port);
    *(volatile evtchn_port_t *)view = ours;
    child_unview(view);
    event_unmask(ours);
    return CHECK(take_events(event_and_back)) && CHECK_RC(child_run(c), 0);
}

static void test_round_trip(void)
{
    struct child c;
    uint64_t best = ~0ul, sent = 1;
    unsigned int nr_cpus = cpus();
    long bad = 0;

    hv_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    REQUIRE(nr_cpus && start(&c, nr_cpus));
    await(sent);
    for (unsigned int round = 0; round < ROUNDS; round++) {
        uint64_t from = rdtsc(), took;

        for (unsigned int i = 0; i < N; i++) {
            bad += event_send(port);
            await(++sent);
        }
        took = rdtsc() - from;
        best = took < best ? took : best;
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(taken, 1 + ROUNDS * N);
    CHECK(take_events(entry_event));
    CHECK_RC(child_destroy(&c), 0);
    CHECK_RC(event_close(port), 0);
    printf("row 10 there and back, %s: %lu\n", nr_cpus == 1 ? "one CPU" : "two CPUs", best / N);
}

GUEST("pingpong", TEST(round_trip));
