/* SPDX-License-Identifier: MIT */
/*
 * A small second domain, for tests of what one domain may do to another: dom0 only.
 *
 * A child runs the same image at the same addresses: its pages are copies of ours up to the end of
 * .bss (the page pool is left out), so that a function of the test can be its main program and
 * its variables are its own. It has one vCPU (or as many as asked for: its main program starts the
 * others with vcpu_start()), a start-info page, a p2m and page tables, no store and no console: it
 * speaks through its own memory, which child_view() shows to the parent.
 *
 *   child_create(&c, fn);  child_run(&c);  child_wait(&c) == SHUTDOWN_poweroff;  child_destroy(&c);
 */
#ifndef RT_CHILD_H
#define RT_CHILD_H

#include <rt/page.h>
#include <xen/domctl.h>

#define CHILD_FREE_PAGES 16
#define CHILD_MAX_PAGES  256
#define CHILD_FIRST_PFN  0x100

struct child {
    domid_t id;
    unsigned int nr_pages; /* frames[i] is the child's pfn CHILD_FIRST_PFN + i */
    xen_pfn_t frames[CHILD_MAX_PAGES];
    mfn_t l4;
    mfn_t shared_info;
    vcpu_guest_context_t *context; /* as given to the hypervisor, for tests that change it */
};

/** A domctl with the right version; the hypercall's result. */
long domctl(struct xen_domctl *op, uint32_t cmd, domid_t dom);

/** Creates the domain and all of its memory, paused; 0, or the errno of the first call that failed.
 */
long child_create(struct child *c, void (*main)(void));
/** The same, but without giving it the vCPU's context. */
long child_build(struct child *c, void (*main)(void));
/** child_build() with room for this many vCPUs. */
long child_build_smp(struct child *c, void (*main)(void), unsigned int vcpus);
/** child_build_smp() with room for 256 handles of others' grants in each of these frames. */
long child_build_large(struct child *c, void (*main)(void), unsigned int vcpus,
                       unsigned int maptrack_frames);
/** Gives c->context to the hypervisor again (after a test changed it); its errno. */
long child_set_context(struct child *c);
long child_run(struct child *c);
/** Waits at most five seconds for it to stop: the SHUTDOWN_ reason, or ~0 when it still runs. */
unsigned int child_wait(struct child *c);
unsigned int child_wait_ns(struct child *c, uint64_t ns);
/** Destroys it; it may stay in the hypervisor's list while somebody has pages of it. */
long child_kill(struct child *c);
/** Destroys it and waits until the hypervisor knows it no more; 0, or an errno. */
long child_destroy(struct child *c);

/** The child's copy of our variable at `va`, mapped writable until child_unview(). */
void *child_view(struct child *c, void *va);
void child_unview(void *view);
/** The child's frame of our address. */
mfn_t child_mfn(const struct child *c, const void *va);

/** In the child: set up traps and events (done before `main` runs). One free page of its own: */
void *child_page(unsigned int index);
/** In the child: end, with this reason. */
void child_exit(unsigned int reason) __attribute__((noreturn));
#endif
