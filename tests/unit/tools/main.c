/* SPDX-License-Identifier: MIT */
/* Runs every suite; the exit status says whether all passed. */
#include <locale.h>

#include "tests.h"

int main(void)
{
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    add_json_suite();
    add_config_suite();
    add_schema_suite();
    add_kernel_suite();
    add_layout_suite();
    add_api_suite();
    add_libvirt_suite();
    add_policy_suite();
    add_process_suite();
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    return failures != 0;
}
