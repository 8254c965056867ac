/* SPDX-License-Identifier: MIT */
/*
 * A hostile child beside a neighbour, with dom0 as the judge.
 *
 *   static const struct attack attacks[] = {{"stack in the hypervisor", fn, SHUTDOWN_crash}, …};
 *   attack_all(attacks, ARRAY_SIZE(attacks), 1);
 *
 * Each attack is the main program of a child of its own, which is not privileged. Its CHECKs print
 * into its memory; dom0 shows them and counts those that failed. After each attack the child must
 * have ended as foretold, the neighbour's heart beats and neither it nor dom0 finds another hash of
 * its memory; after the last, memory, domains and dom0's own pages are exactly those of before.
 */
#ifndef RT_ATTACK_H
#define RT_ATTACK_H

#include <rt/child.h>

#define ATTACK_EITHER 0x100 /* the child may end well or be crashed: both are an answer */

struct attack {
    const char *name;
    void (*run)(void);
    unsigned int ends; /* SHUTDOWN_poweroff (the default), SHUTDOWN_crash, or ATTACK_EITHER */
    void (*prepare)(struct child *c);   /* in dom0, before it runs; may be NULL */
    void (*meanwhile)(struct child *c); /* in dom0, while it runs; may be NULL */
};

/** Runs them one after the other, each in a child with `vcpus` vCPUs. */
void attack_all(const struct attack *attacks, unsigned int n, unsigned int vcpus);
/** The same without the measure of the machine before and after. */
void attack_each(const struct attack *attacks, unsigned int n, unsigned int vcpus);

/** For .meanwhile: pauses and unpauses the child as fast as it can, a thousand times, so that what
 * the child asks for is interrupted at the next of the hypervisor's checks. */
void attack_interrupt(struct child *c);

/* The pieces, for tests that run their children themselves. */
struct baseline {
    uint64_t free_pages, dom0_pages;
    unsigned int domains;
};
/** Starts the neighbour if it is not there, and takes the measure of the machine. */
void baseline_take(struct baseline *b);
/** The machine is as it was: waits up to five seconds until it is. */
void baseline_check(const struct baseline *b);
/** The neighbour's heart beats, it was never longer than two seconds silent, and its memory is
 * whole. */
void neighbour_check(void);
/** The neighbour, as something to aim at: its number, and frames of its hashed memory. */
domid_t neighbour_id(void);
mfn_t neighbour_frame(unsigned int i);
/** Shows what the child said; counts its failures. */
void child_absorb_console(struct child *c);
/** Free pages of the machine, now. */
uint64_t free_pages_now(void);
#endif
