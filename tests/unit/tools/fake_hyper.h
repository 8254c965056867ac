/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor for the builder's test: the functions of hyper.h and the foreign mappings of
 * libxenforeignmemory over an array of frames in this process. It keeps the rules that matter to a
 * builder: every frame belongs to one domain, a pinned table must not be mapped by us, a destroyed
 * domain's frames come back. Any single call can be made to fail.
 */
#ifndef MULLION_TESTS_FAKE_HYPER_H
#define MULLION_TESTS_FAKE_HYPER_H

#include <stdbool.h>

#include "hyper.h"

#define FAKE_FRAMES 65536
#define FAKE_DOMID  7

struct fake {
    unsigned calls, fail_at; /* fail_at: number of the call that fails; 0: none */
    int fail_with;           /* positive errno */
    unsigned superpages;     /* how many 2 MiB extents there are before only pages are left */
    uint64_t next_frame, used;
    unsigned created, destroyed, mappings;
    bool unpaused;
    uint64_t pinned, hypercall_page, shared_info;
    uint32_t max_vcpus;
    uint64_t max_kib;
    uint16_t weight, cap;
    uint32_t room_us, budget_us;
    unsigned affinities;
    struct cpu_set hard, soft;
    uint8_t handle[16];
    struct vcpu_guest_context context;
    uint8_t (*frames)[4096];
    uint8_t *owned; /* per frame */
    uint64_t *m2p;  /* per frame */
    uint8_t grants[4096];
};

extern struct fake fake;

void fake_reset(unsigned fail_at, int fail_with);
void fake_free(void);

#endif
