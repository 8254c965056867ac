/* SPDX-License-Identifier: MIT */
/*
 * The fake machine that common/ runs on under CUnit: CPUs that the test steps, a clock that the
 * test turns, frames with counted references, and mappings that are only remembered. What a test
 * may set and read is here.
 */
#ifndef FAKE_H
#define FAKE_H

#include <hv/domain.h>
#include <hv/frame.h>
#include <hv/vcpu.h>
#include <setjmp.h>

#define FAKE_FRAMES 256

struct fake_frame {
    domid_t owner;
    unsigned refs, typed; /* references; of them with FT_WRITABLE */
    bool is_table;        /* refuses FT_WRITABLE */
    char *page;
};

struct fake_mapping { /* a PTE that pv_grant_map_pte wrote */
    struct domain *d;
    uint64_t addr; /* 0: none */
    mfn_t frame;
    bool readonly;
};

extern struct fake_frame fake_frames[FAKE_FRAMES];
extern uint64_t fake_now;                /* ns */
extern uint64_t fake_deadline[MAX_CPUS]; /* what timer_hw_set was last told */
extern unsigned fake_ipis[MAX_CPUS];
extern unsigned fake_flushes;
extern uint64_t fake_flush_refs;      /* references to all frames when the last flush came */
extern uint64_t fake_forbidden;       /* guest accesses to [this, + page) fault; 0: none */
extern uint64_t fake_guest, fake_guest_size; /* size not 0: accesses outside of this range fault */
extern long fake_alloc_budget;        /* allocations that still succeed; < 0: all */
extern jmp_buf *fake_machine_end;     /* where machine_restart() and its like go */
extern const char *fake_machine_word; /* "off", "restart", "halt" */
extern char fake_log[512];            /* the last line logged */
extern bool fake_map_fails;           /* the next pv_grant_map_pte fails */
extern void (*fake_on_put)(mfn_t f);  /* called before a reference goes; NULL: nobody looks */

/* A machine with n CPUs, the system domains and their idle vCPUs. */
void fake_machine(unsigned n);
void fake_machine_down(void);
void fake_run_on(unsigned cpu);
/* Handle this CPU's softirqs, as its exit path would. */
void fake_softirqs(void);
/* Move the clock to `to`, stopping at each CPU's deadlines and letting all CPUs do what is due. */
void fake_advance(uint64_t to);
/* A running, paused or not, domain with vCPUs that are up. */
struct domain *fake_domain(domid_t id, unsigned vcpus, bool run);
/* Make v current on this CPU without the scheduler. */
void fake_become(struct vcpu *v);
void fake_kill(struct domain *d);
mfn_t fake_frame_of(struct domain *d); /* a new frame of d's, with its allocation reference */
unsigned fake_nr_mappings(void);
const struct fake_mapping *fake_mapping_at(uint64_t addr);
uint64_t fake_total_refs(void);

#endif
