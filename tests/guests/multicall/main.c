/* SPDX-License-Identifier: MIT */
/*
 * multicall: a list of hypercalls in one.
 *
 * How a guest would break the hypervisor: by nesting multicalls (stack), by an iret in the list
 * that changes the frame under the loop (XSA-213), by a list in the hypervisor's addresses, on a
 * page that ends in the middle, or in memory that one of the calls takes away, and by entries whose
 * arguments another entry rewrites after they were read.
 */
#include <rt/test.h>

static multicall_entry_t version_call(void)
{
    return (multicall_entry_t){.op = __HYPERVISOR_xen_version, .args = {XENVER_version, 0}};
}

static void test_results(void)
{
    multicall_entry_t list[64];

    for (unsigned int i = 0; i < 64; i++)
        list[i] = version_call();
    list[7].op = 63;                        /* unknown */
    list[9].args[0] = 999;                  /* unknown sub-operation */
    list[11].args[0] = XENVER_capabilities; /* to a null pointer */
    list[13].op = 0x100000000ul | __HYPERVISOR_xen_version;
    CHECK_RC(hv_multicall(list, 64), 0);
    for (unsigned int i = 0; i < 64; i++)
        CHECK_EQ(list[i].result, i == 7 || i == 9 ? -XEN_ENOSYS
                                 : i == 11        ? -XEN_EFAULT
                                 : i == 13        ? -XEN_ENOSYS
                                                  : 0x40011);
    CHECK_EQ(list[0].op, __HYPERVISOR_xen_version);
}

static void test_empty(void)
{
    CHECK_RC(hv_multicall(NULL, 0), 0);
    CHECK_RC(hv_multicall((void *)0x1000, 0), 0);
    /* Where it would begin is looked at all the same, and how long it would be. */
    CHECK_RC(hv_multicall((void *)0xffff830000000000, 0), -XEN_EFAULT);
    CHECK_RC(hv_multicall((void *)0x800000000000, 0), -XEN_EFAULT);
    CHECK_RC(hv_multicall((void *)0xffff880000000000, 0), 0);
    CHECK_RC(hypercall2(__HYPERVISOR_multicall, 0x1000, ~0ul / 64), -XEN_EFAULT);
    CHECK_RC(hypercall2(__HYPERVISOR_multicall, 0x1000, ~0ul), -XEN_EFAULT);
}

static void test_nested(void)
{
    multicall_entry_t inner[2] = {version_call(), version_call()};
    multicall_entry_t outer[2] = {{.op = __HYPERVISOR_multicall, .args = {(unsigned long)inner, 2}},
                                  version_call()};

    inner[0].result = inner[1].result = 0x55;
    CHECK_RC(hv_multicall(outer, 2), 0);
    CHECK_EQ(outer[0].result, -XEN_EINVAL);
    CHECK_EQ(outer[1].result, 0x40011);
    CHECK_EQ(inner[0].result, 0x55);
}

/* Makes the multicall with an iret frame (to 1:, rax %rdx) where the iret hypercall looks for it. */
ASM_FUNCTION(multicall_on_frame, "mov %rsp, %rcx; push $0xe02b; push %rcx; push $2; push $0xe030\n"
                                 "lea 1f(%rip), %rax; push %rax; push $0; push $0; push $0\n"
                                 "push %rdx; mov $13, %eax; syscall\n"
                                 "ud2\n" /* it came back: refused */
                                 "1: ret");

/*
 * (XSA-213) iret inside a list is performed and ends the list, whatever its rax: no later entry runs in the state
 * that it made. The multicall answers that rax as an int.
 */
static void test_iret(void)
{
    static const unsigned long rax[] = {0x1234, 0, -5ul, 0x1234567890ul, 0x80000000ul};
    long (*call)(multicall_entry_t *, unsigned long, unsigned long) = (void *)multicall_on_frame;

    for (unsigned int i = 0; i < ARRAY_SIZE(rax); i++) {
        multicall_entry_t list[3] = {version_call(), {.op = __HYPERVISOR_iret}, version_call()};

        list[2].result = 0x77;
        CHECK_EQ(call(list, 3, rax[i]), (unsigned long)(int)rax[i]);
        CHECK_EQ(list[0].result, 0x40011);
        CHECK_EQ(list[1].result, rax[i]);
        CHECK_EQ(list[2].result, 0x77);
        /* The vCPU is not in a multicall any more. */
        CHECK_RC(hv_multicall(list, 1), 0);
    }
}

/* The same to user mode: nothing of the list may run with the user's page tables. */
ASM_FUNCTION(multicall_to_user, "push $0xe02b; push %rdx; push $0x202; push $0xe033\n"
                                "lea 1f(%rip), %rax; push %rax; push $0; push $0; push $0\n"
                                "push $0x1234; mov $13, %eax; syscall\n"
                                "1: ud2");
static void test_iret_to_user(void)
{
    static multicall_entry_t list[3];
    void (*call)(multicall_entry_t *, unsigned long, uint64_t) = (void *)multicall_to_user;
    const struct trap *t = run_user(multicall_to_user, 0); /* makes the user tables known */

    CHECK(t != NULL);
    list[0] = list[2] = version_call();
    list[1] = (multicall_entry_t){.op = __HYPERVISOR_iret};
    list[2].result = 0x77;
    t = CATCH(call(list, 3, user_stack_top()));
    REQUIRE(CHECK_TRAP(t, X86_EXC_UD, 0));
    CHECK_EQ(t->regs.cs, FLAT_USER_CS64);
    CHECK_EQ(t->regs.rax, 0x1234);
    CHECK_EQ(list[0].result, 0x40011);
    CHECK_EQ(list[2].result, 0x77);
    CHECK_RC(hv_multicall(list, 1), 0);
}

static void test_bad_lists(void)
{
    char *pages = page_alloc_many(2);
    multicall_entry_t *last = (multicall_entry_t *)(pages + PAGE_SIZE) - 2;
    mfn_t hidden = mfn_of(pages + PAGE_SIZE);

    CHECK_RC(hv_multicall((void *)0xffff830000000000, 1), -XEN_EFAULT);
    CHECK_RC(hv_multicall((void *)0x1000, 1), -XEN_EFAULT);
    CHECK_RC(hv_multicall((void *)0x800000000000, 1), -XEN_EFAULT);
    CHECK_RC(hv_multicall((void *)0xffff7fffffffffc0, 3), -XEN_EFAULT);

    /* Two entries, then the list runs into nothing: what could be done is done. */
    CHECK_RC(hv_update_va_mapping(pages + PAGE_SIZE, 0, UVMF_INVLPG), 0);
    last[0] = last[1] = version_call();
    CHECK_RC(hv_multicall(last, 3), -XEN_EFAULT);
    CHECK_EQ(last[0].result, 0x40011);
    CHECK_EQ(last[1].result, 0x40011);

    /* Results cannot be written to a read-only page, yet the first call was made. */
    evtchn_port_t a, b;

    REQUIRE(event_loop(&a, &b));
    event_clear(b);
    struct evtchn_send send = {.port = a};

    last[0] = (multicall_entry_t){.op = __HYPERVISOR_event_channel_op,
                                  .args = {EVTCHNOP_send, (unsigned long)&send}};
    CHECK_RC(page_set_readonly(pages), 0);
    CHECK_RC(hv_multicall(last, 2), -XEN_EFAULT);
    CHECK(event_is_pending(b));
    CHECK_RC(page_set_writable(pages), 0);
    CHECK_RC(hv_update_va_mapping(pages + PAGE_SIZE, pte_make(hidden, PTE_RW_FLAGS), 0), 0);
    event_close(a);
    event_close(b);
}

/* The list takes its own page away: the entry after cannot be read, and nothing else happens. */
static void test_unmaps_itself(void)
{
    multicall_entry_t *list = page_alloc();
    mfn_t mfn = mfn_of(list);

    list[0] = (multicall_entry_t){.op = __HYPERVISOR_update_va_mapping,
                                  .args = {(unsigned long)list, 0, UVMF_INVLPG}};
    list[1] = version_call();
    list[1].result = 0x77;
    CHECK_RC(hv_multicall(list, 2), -XEN_EFAULT);
    CHECK_RC(hv_update_va_mapping(list, pte_make(mfn, PTE_RW_FLAGS), UVMF_INVLPG), 0);
    CHECK_EQ(list[1].result, 0x77);
    page_free(list);
}

/* An entry that changes a later one: it is read when its turn comes. */
static void test_rewrites_later(void)
{
    static multicall_entry_t list[2] PAGE_ALIGNED;
    xen_feature_info_t *fi = (xen_feature_info_t *)&list[1].args[0];

    /* get_features writes its answer over the later entry's arguments. */
    list[1] = version_call();
    fi->submap_idx = 0;
    list[0] = (multicall_entry_t){.op = __HYPERVISOR_xen_version,
                                  .args = {XENVER_get_features, (unsigned long)fi}};
    CHECK_RC(hv_multicall(list, 2), 0);
    CHECK_RC(list[0].result, 0);
    CHECK(list[1].args[0] >> 32 != 0); /* the features */
    CHECK_EQ(list[1].result, 0x40011); /* the low half is still sub-operation 0 */
}

/* Long lists may be preempted; the guest cannot tell. */
static void test_long(void)
{
    static multicall_entry_t list[1000];
    unsigned int wrong = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
        list[i] = version_call();
    events_enable();
    for (unsigned int round = 0; round < 20; round++) {
        for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
            list[i].result = 0;
        CHECK_RC(hv_multicall(list, ARRAY_SIZE(list)), 0);
        for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
            wrong += list[i].result != 0x40011;
    }
    events_disable();
    CHECK_EQ(wrong, 0);
}

GUEST("multicall", TEST(results), TEST(empty), TEST(nested), TEST(iret), TEST(iret_to_user),
      TEST(bad_lists), TEST(unmaps_itself), TEST(rewrites_later), TEST(long));
