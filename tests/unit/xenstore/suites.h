/* SPDX-License-Identifier: MIT */
/* suites.h: the suites of test-xenstore, one per file. */
#ifndef XS_SUITES_H
#define XS_SUITES_H

#include <CUnit/CUnit.h>

extern CU_TestInfo wire_tests[], kids_tests[], node_tests[], txn_tests[], watch_tests[],
    quota_tests[], ring_tests[], journal_tests[];

#endif
