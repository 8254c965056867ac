/* SPDX-License-Identifier: MIT */
/* main.c: runs every suite of the xenstore's unit tests; fails if one assertion did. */
#include <CUnit/Basic.h>

#include "suites.h"

static CU_SuiteInfo suites[] = {
    {"wire", NULL, NULL, NULL, NULL, wire_tests},
    {"kids", NULL, NULL, NULL, NULL, kids_tests},
    {"nodes", NULL, NULL, NULL, NULL, node_tests},
    {"transactions", NULL, NULL, NULL, NULL, txn_tests},
    {"watches", NULL, NULL, NULL, NULL, watch_tests},
    {"quotas", NULL, NULL, NULL, NULL, quota_tests},
    {"rings", NULL, NULL, NULL, NULL, ring_tests},
    {"journal", NULL, NULL, NULL, NULL, journal_tests},
    CU_SUITE_INFO_NULL,
};

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0); /* so that a crash shows in which test */
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return 2;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
