/* SPDX-License-Identifier: MIT */
/*
 * The judge of hostile children: the neighbour, the measure of the machine, and one attack after
 * the other. See rt/attack.h.
 *
 * The neighbour is a child that fills its free pages with a pattern, and in each beat (5 ms) hashes
 * them and its text. dom0 hashes the same frames through foreign mappings, so that neither side
 * has to believe the other.
 */
#include <rt/attack.h>
#include <rt/test.h>
#include <xen/sysctl.h>

#define SECOND        1000000000ull
#define BEAT          5000000
#define GAP_MAX       (2 * SECOND)
#define ATTACK_TIME   (20 * SECOND)
#define INTERRUPTIONS 1000 /* of an attack: then it is left to end */

/* Written by the neighbour in its copy, read by dom0. */
static struct {
    volatile uint64_t beats, gap_ns, hash, broken;
} heart __attribute__((aligned(64)));
static struct child neighbour;
static bool neighbour_lives;
static uint64_t hash_at_birth;

extern const char guest_text_start[], guest_text_end[];

static uint64_t hash_page(uint64_t h, const uint64_t *page)
{
    for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*page); i++)
        h = (h ^ page[i]) * 0x100000001b3;
    return h;
}

/* In the neighbour. */
static uint64_t own_hash(void)
{
    uint64_t h = 0xcbf29ce484222325;

    for (const char *p = guest_text_start; p < guest_text_end; p += PAGE_SIZE)
        h = hash_page(h, (const uint64_t *)p);
    for (unsigned int i = 0; i < CHILD_FREE_PAGES; i++)
        h = hash_page(h, child_page(i));
    return h;
}

static void neighbour_main(void)
{
    uint64_t last, first;

    for (unsigned int i = 0; i < CHILD_FREE_PAGES; i++)
        for (unsigned int j = 0; j < 512; j++)
            ((uint64_t *)child_page(i))[j] = (i * 512 + j + 1) * 0x9e3779b97f4a7c15;
    first = own_hash();
    for (last = time_ns();;) {
        uint64_t now, h = own_hash();

        if (h != first)
            heart.broken++;
        heart.hash = h;
        sched_poll(NULL, 0, last + BEAT);
        now = time_ns();
        if (now - last > heart.gap_ns)
            heart.gap_ns = now - last;
        last = now;
        heart.beats++;
    }
}

static uint64_t hash_from_outside(void)
{
    uint64_t h = 0xcbf29ce484222325;

    for (unsigned int i = 0; i < neighbour.nr_pages; i++) {
        const char *va = pfn_to_va(CHILD_FIRST_PFN + i);
        void *view;

        if (!(va >= guest_text_start && va < guest_text_end) &&
            i < neighbour.nr_pages - CHILD_FREE_PAGES)
            continue;
        view = child_view(&neighbour, (void *)va);
        h = hash_page(h, view);
        child_unview(view);
    }
    return h;
}

/* Waits until it has beaten `n` times more. */
static bool wait_beats(unsigned int n)
{
    typeof(heart) *view = child_view(&neighbour, &heart);
    uint64_t wanted = view->beats + n, end = time_ns() + GAP_MAX;

    while (view->beats < wanted && time_ns() < end)
        sched_poll(NULL, 0, time_ns() + 1000000);
    n = view->beats >= wanted;
    child_unview(view);
    return n;
}

static void neighbour_start(void)
{
    struct child warm_up;

    if (neighbour_lives)
        return;
    /* Once through everything, so that what the hypervisor keeps for the next time is there. */
    if (child_create(&warm_up, neighbour_main) || child_run(&warm_up) || child_destroy(&warm_up))
        guest_die("the first child does not live");
    if (child_create(&neighbour, neighbour_main) || child_run(&neighbour))
        guest_die("the neighbour does not live");
    neighbour_lives = true;
    if (!wait_beats(2))
        guest_die("the neighbour's heart does not beat");
    hash_at_birth = hash_from_outside();
}

void neighbour_check(void)
{
    typeof(heart) *view;

    CHECK(wait_beats(2));
    view = child_view(&neighbour, &heart);
    CHECK_EQ(view->broken, 0);
    CHECK_EQ(view->hash, hash_at_birth);
    if (!CHECK(view->gap_ns < GAP_MAX))
        printf("  %lu ms between two beats of the neighbour\n", view->gap_ns / 1000000);
    child_unview(view);
    CHECK_EQ(hash_from_outside(), hash_at_birth);
}

domid_t neighbour_id(void)
{
    return neighbour.id;
}

mfn_t neighbour_frame(unsigned int i)
{
    return neighbour.frames[neighbour.nr_pages - 1 - i % CHILD_FREE_PAGES];
}

uint64_t free_pages_now(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    CHECK_RC(hv_sysctl(&op), 0);
    return op.u.physinfo.free_pages;
}

static void measure(struct baseline *b)
{
    static struct xen_domctl_getdomaininfo list[8];
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_getdomaininfolist,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
                            .u.getdomaininfolist.max_domains = ARRAY_SIZE(list)};

    set_xen_guest_handle(op.u.getdomaininfolist.buffer, list);
    CHECK_RC(hv_sysctl(&op), 0);
    b->domains = op.u.getdomaininfolist.num_domains;
    b->dom0_pages = list[0].tot_pages;
    b->free_pages = free_pages_now();
}

static bool same(const struct baseline *a, const struct baseline *b)
{
    return a->free_pages == b->free_pages && a->dom0_pages == b->dom0_pages &&
           a->domains == b->domains;
}

void baseline_take(struct baseline *b)
{
    struct baseline last;

    neighbour_start();
    measure(b);
    do { /* what the warm-up left is scrubbed and freed in the background */
        last = *b;
        sched_poll(NULL, 0, time_ns() + 100000000);
        measure(b);
    } while (!same(&last, b));
}

void baseline_check(const struct baseline *b)
{
    uint64_t end = time_ns() + 5 * SECOND;
    struct baseline now;

    measure(&now);
    while (!same(&now, b) && time_ns() < end) {
        sched_poll(NULL, 0, time_ns() + 10000000);
        measure(&now);
    }
    CHECK_EQ(now.free_pages, b->free_pages);
    CHECK_EQ(now.dom0_pages, b->dom0_pages);
    CHECK_EQ(now.domains, b->domains);
}

void child_absorb_console(struct child *c)
{
    struct console_memory *said = child_view(c, &console_memory);
    unsigned int begin = 0, used = said->used;

    for (unsigned int at = 0; at < used && at < sizeof(said->text); at++) {
        if (said->text[at] != '\n')
            continue;
        said->text[at] = 0;
        printf("%s\n", &said->text[begin]);
        if (!strncmp(&said->text[begin], "FAIL ", 5))
            test_count_failure();
        begin = at + 1;
    }
    child_unview(said);
}

void attack_interrupt(struct child *c)
{
    struct xen_domctl op = {0};

    for (unsigned int i = 0; i < INTERRUPTIONS; i++) {
        CHECK_RC(domctl(&op, XEN_DOMCTL_pausedomain, c->id), 0);
        CHECK_RC(domctl(&op, XEN_DOMCTL_unpausedomain, c->id), 0);
        CHECK_RC(domctl(&op, XEN_DOMCTL_getdomaininfo, c->id), 0);
        if (op.u.getdomaininfo.flags & XEN_DOMINF_shutdown)
            break;
    }
}

static const char *ending(unsigned int reason)
{
    return reason == SHUTDOWN_poweroff ? "ended well"
           : reason == SHUTDOWN_crash  ? "was crashed"
           : reason == ~0u             ? "still runs"
                                       : "ended otherwise";
}

static void attack(const struct attack *a, unsigned int vcpus)
{
    static struct child c;
    unsigned int reason;

    if (!CHECK_RC(child_build_smp(&c, a->run, vcpus), 0))
        return;
    if (a->prepare)
        a->prepare(&c);
    if (!CHECK_RC(child_set_context(&c), 0) || !CHECK_RC(child_run(&c), 0))
        return;
    if (a->meanwhile)
        a->meanwhile(&c);
    reason = child_wait_ns(&c, ATTACK_TIME);
    child_absorb_console(&c);
    if (a->ends == ATTACK_EITHER ? !CHECK(reason == SHUTDOWN_poweroff || reason == SHUTDOWN_crash)
                                 : !CHECK_EQ(reason, a->ends))
        printf("  %s: the child %s\n", a->name, ending(reason));
    CHECK_RC(child_destroy(&c), 0);
    neighbour_check();
}

void attack_each(const struct attack *attacks, unsigned int n, unsigned int vcpus)
{
    neighbour_start();
    for (unsigned int i = 0; i < n; i++)
        attack(&attacks[i], vcpus);
}

void attack_all(const struct attack *attacks, unsigned int n, unsigned int vcpus)
{
    struct baseline before;

    baseline_take(&before);
    attack_each(attacks, n, vcpus);
    baseline_check(&before);
}
