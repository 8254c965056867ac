/* SPDX-License-Identifier: MIT */
/* What each test program of this folder ends with: run its table of tests, print CUnit's summary,
 * exit 0 if all passed. */
#ifndef MM_SUITE_H
#define MM_SUITE_H

#include <CUnit/Basic.h>

struct test {
    const char *name;
    void (*fn)(void);
};

static inline int run_suite(const char *name, const struct test *tests, unsigned n)
{
    unsigned failed;
    CU_pSuite suite;

    setvbuf(stdout, NULL, _IONBF, 0); /* so that a crash shows in which test */
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    suite = CU_add_suite(name, NULL, NULL);
    for (unsigned i = 0; i < n; i++)
        if (!suite || !CU_add_test(suite, tests[i].name, tests[i].fn))
            return 2;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}

/* Like CU_ASSERT_EQUAL, but says both numbers. */
#define EQ(a, b)                                                                               \
    do {                                                                                       \
        unsigned long long a_ = (unsigned long long)(a), b_ = (unsigned long long)(b);         \
        if (a_ != b_)                                                                          \
            fprintf(stderr, "\n    %s:%d: %s is %#llx, not %#llx", __FILE__, __LINE__, #a, a_, \
                    b_);                                                                       \
        CU_ASSERT(a_ == b_);                                                                   \
    } while (0)

#endif
