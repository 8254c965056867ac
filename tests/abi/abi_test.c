/* SPDX-License-Identifier: MIT */
/* Sizes, offsets and numbers of the public ABI (layout.h) against the installed headers. */
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <stdio.h>
#include <CUnit/Basic.h>

#include "layout.h"

static void compare(const char *file, int line, const char *what, unsigned long got,
                    unsigned long want)
{
    char text[256];

    snprintf(text, sizeof(text), "%s is %lu, expected %lu", what, got, want);
    CU_assertImplementation(got == want, line, text, file, "", CU_FALSE);
}

#define STRUCT(type, want, ...)                                        \
    {                                                                  \
        typedef type T __attribute__((unused));                        \
        compare(__FILE__, __LINE__, "sizeof " #type, sizeof(T), want); \
        EACH(__VA_ARGS__)                                              \
    }
#define EACH(...) __VA_OPT__(__VA_ARGS__;)
#define AT(member, want) \
    compare(__FILE__, __LINE__, "offset of " #member, offsetof(T, member), want)
#define IS(name, want) compare(__FILE__, __LINE__, #name, name, want);

static void test_start_of_day(void)
{
    LAYOUT_START_OF_DAY(STRUCT, AT)
}

static void test_callbacks_and_scheduling(void)
{
    LAYOUT_CALLBACKS_AND_SCHEDULING(STRUCT, AT)
}

static void test_vcpu_op(void)
{
    LAYOUT_VCPU_OP(STRUCT, AT)
}

static void test_event_channels(void)
{
    LAYOUT_EVENT_CHANNELS(STRUCT, AT)
}

static void test_grant_tables(void)
{
    LAYOUT_GRANT_TABLES(STRUCT, AT)
}

static void test_memory_op(void)
{
    LAYOUT_MEMORY_OP(STRUCT, AT)
}

static void test_xen_version(void)
{
    LAYOUT_XEN_VERSION(STRUCT, AT)
}

static void test_physdev_op(void)
{
    LAYOUT_PHYSDEV_OP(STRUCT, AT)
}

static void test_platform_op(void)
{
    LAYOUT_PLATFORM_OP(STRUCT, AT)
}

static void test_domctl(void)
{
    LAYOUT_DOMCTL(STRUCT, AT)
}

static void test_sysctl(void)
{
    LAYOUT_SYSCTL(STRUCT, AT)
}

static void test_rings(void)
{
    LAYOUT_RINGS(STRUCT, AT)
}

static void test_constants(void)
{
    LAYOUT_CONSTANTS(IS)
}

int main(void)
{
    static CU_TestInfo tests[] = {
        {"start_of_day", test_start_of_day},
        {"callbacks_and_scheduling", test_callbacks_and_scheduling},
        {"vcpu_op", test_vcpu_op},
        {"event_channels", test_event_channels},
        {"grant_tables", test_grant_tables},
        {"memory_op", test_memory_op},
        {"xen_version", test_xen_version},
        {"physdev_op", test_physdev_op},
        {"platform_op", test_platform_op},
        {"domctl", test_domctl},
        {"sysctl", test_sysctl},
        {"rings", test_rings},
        {"constants", test_constants},
        CU_TEST_INFO_NULL,
    };
    static CU_SuiteInfo suites[] = {
        {"abi", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    unsigned int failures;

    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS) {
        fprintf(stderr, "abi: cannot set up CUnit: %s\n", CU_get_error_msg());
        return 2;
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
