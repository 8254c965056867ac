/* SPDX-License-Identifier: MIT */
/* One CUnit program: registers a table of tests, runs them, prints CUnit's summary; main() returns
 * suite_run(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <CUnit/Basic.h>

/* What the ring macros of <xen/io/ring.h> expect of a frontend. */
#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

struct test {
    const char *name;
    void (*run)(void);
};

static inline int suite_run(const char *name, const struct test *tests, unsigned n)
{
    unsigned failed = 1;
    CU_pSuite suite;

    setvbuf(stdout, NULL, _IONBF, 0); /* so that a crash shows in which test */
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    suite = CU_add_suite(name, NULL, NULL);
    for (unsigned i = 0; suite && i < n; i++)
        if (!CU_add_test(suite, tests[i].name, tests[i].run))
            suite = NULL;
    if (suite) {
        CU_basic_set_mode(CU_BRM_VERBOSE);
        CU_basic_run_tests();
        failed = CU_get_number_of_failures();
    }
    CU_cleanup_registry();
    return failed != 0;
}
