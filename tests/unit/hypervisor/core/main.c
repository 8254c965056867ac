/* SPDX-License-Identifier: MIT */
/* Runs the suites of the hypervisor's common half on the host, over hypervisor/arch/fake. */
#include <CUnit/Basic.h>
#include <hv/vcpu.h>
#include "tests.h"

long call(hypercall_fn *fn, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct hypercall *hc = &current->hc;
    long rc;

    *hc = (struct hypercall){.arg = {a0, a1, a2}};
    do
        rc = fn(hc);
    while (rc == -HC_RESTART);
    return rc;
}

int main(void)
{
    CU_SuiteInfo suites[] = {
        {"timers", NULL, NULL, NULL, NULL, timer_tests},
        {"scheduler", NULL, NULL, NULL, NULL, sched_tests},
        {"event channels", NULL, NULL, NULL, NULL, evtchn_tests},
        {"grants", NULL, NULL, NULL, NULL, grant_tests},
        {"multicall", NULL, NULL, NULL, NULL, multicall_tests},
        {"domains", NULL, NULL, NULL, NULL, domain_tests},
        {"version", NULL, NULL, NULL, NULL, version_tests},
        CU_SUITE_INFO_NULL,
    };
    unsigned failed;

    setvbuf(stdout, NULL, _IONBF, 0); /* so that a crash shows in which test */
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return 2;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed != 0;
}
