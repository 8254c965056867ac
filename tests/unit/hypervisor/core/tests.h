/* SPDX-License-Identifier: MIT */
/* The suites of this program, and what they share. */
#ifndef TESTS_H
#define TESTS_H

#include <CUnit/CUnit.h>
#include <hv/hypercall.h>

extern CU_TestInfo timer_tests[], sched_tests[], evtchn_tests[], grant_tests[], multicall_tests[],
    domain_tests[], version_tests[];

/* Call a handler as the current vCPU would, again and again while it is preempted. */
long call(hypercall_fn *fn, uint64_t a0, uint64_t a1, uint64_t a2);
#define PTR(p) ((uint64_t)(p))

#endif
