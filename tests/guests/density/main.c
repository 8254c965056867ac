/* SPDX-License-Identifier: MIT */
/*
 * density: what the hypervisor spends on a domain beyond the domain's own memory, row 23 of the
 * performance table.
 *
 * Builds 50 domains of one vCPU, whole but never started, and reads from the machine's free memory
 * what went, less the pages that the domains own. `row 23 memory, each of N domains: bytes`. It is
 * a test, too: what went comes back when they are destroyed.
 */
#include <rt/child.h>
#include <rt/test.h>
#include <xen/sysctl.h>

enum { DOMAINS = 50 };

static uint64_t free_pages(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    uint64_t end = time_ns() + 3000000000, now = 0, last;
    unsigned int same = 0;

    do { /* freed memory is scrubbed before it counts */
        last = now;
        CHECK_RC(hv_sysctl(&op), 0);
        now = op.u.physinfo.free_pages;
        same = now == last ? same + 1 : 0;
        sched_poll(NULL, 0, time_ns() + 10000000);
    } while (same < 10 && time_ns() < end);
    return now;
}

static uint64_t owned_pages(domid_t id)
{
    struct xen_domctl op = {0};

    return CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, id), 0) ? op.u.getdomaininfo.tot_pages
                                                                  : 0;
}

static void nothing(void)
{
}

static void test_domains(void)
{
    static struct child c; /* one is built after the other; only the number is kept */
    domid_t ids[DOMAINS];
    uint64_t before, owned = 0, gone;

    /* The first use of a kind may leave memory with the hypervisor's own allocator. */
    REQUIRE(CHECK_RC(child_create(&c, nothing), 0) && CHECK_RC(child_destroy(&c), 0));
    before = free_pages();
    for (unsigned int n = 1; n <= DOMAINS; n++) {
        REQUIRE(CHECK_RC(child_create(&c, nothing), 0));
        ids[n - 1] = c.id;
        owned += owned_pages(c.id);
        if (n != 1 && n != 10 && n != DOMAINS)
            continue;
        gone = before - free_pages();
        if (CHECK(gone > owned))
            printf("row 23 memory, each of %u domain%s: %lu\n", n, n > 1 ? "s" : "",
                   (gone - owned) * PAGE_SIZE / n);
    }
    for (unsigned int n = 0; n < DOMAINS; n++) {
        c.id = ids[n];
        CHECK_RC(child_destroy(&c), 0);
    }
    CHECK_EQ(free_pages(), before);
}

GUEST("density", TEST(domains));
