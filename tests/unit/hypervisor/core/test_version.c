/* SPDX-License-Identifier: MIT */
/*
 * xen_version: no byte of an answer is what the hypervisor's stack held before (THREATS 30;
 * XSA-122, 132).
 */
#include <hv/string.h>
#include <xen/version.h>
#include "fake.h"
#include "tests.h"

static __attribute__((noinline)) void dirty_stack(void)
{
    volatile char old[16384];

    for (unsigned i = 0; i < sizeof(old); i++)
        old[i] = 0x5a;
}

static void padding(void)
{
    static const struct {
        unsigned op;
        size_t size;
    } text[] = {
        {XENVER_extraversion, sizeof(xen_extraversion_t)},
        {XENVER_capabilities, sizeof(xen_capabilities_info_t)},
        {XENVER_changeset, sizeof(xen_changeset_info_t)},
        {XENVER_commandline, sizeof(xen_commandline_t)},
    };
    struct xen_compile_info info;
    static char answer[2048];

    fake_machine(1);
    fake_become(fake_domain(1, 1, false)->vcpu[0]);
    for (unsigned i = 0; i < ARRAY_SIZE(text); i++) {
        size_t len;

        memset(answer, 0x77, sizeof(answer));
        dirty_stack();
        CU_ASSERT_EQUAL(call(do_xen_version, text[i].op, PTR(answer), 0), 0);
        len = strlen(answer);
        CU_ASSERT(len < text[i].size);
        for (size_t k = len; k < text[i].size; k++)
            CU_ASSERT_EQUAL(answer[k], 0);
        CU_ASSERT_EQUAL(answer[text[i].size], 0x77);
    }
    dirty_stack();
    CU_ASSERT_EQUAL(call(do_xen_version, XENVER_compile_info, PTR(&info), 0), 0);
    for (size_t k = strlen(info.compile_by); k < sizeof(info.compile_by); k++)
        CU_ASSERT_EQUAL(info.compile_by[k], 0);
    for (size_t k = strlen(info.compile_date); k < sizeof(info.compile_date); k++)
        CU_ASSERT_EQUAL(info.compile_date[k], 0);
    struct domain *d = current->domain;
    fake_become(this_cpu()->idle);
    fake_kill(d);
    fake_machine_down();
}

CU_TestInfo version_tests[] = {
    {"no answer shows the stack", padding},
    CU_TEST_INFO_NULL,
};
