/* SPDX-License-Identifier: MIT */
/*
 * A machine for the backends' unit tests: a hypervisor with one guest, and a xenstore, behind the
 * seams of lib/xen.h and lib/store.h.
 *
 * All of it lives in shared memory and eventfds made before fork(), so that a backend may be a
 * child process that a test kills. The guest's memory is a memfd: a mapped grant is really shared,
 * a copy is really bounded. Every misuse (a page mapped twice over, a write through a read-only
 * grant, a copy across a page) is counted in `misuse`, which each test asserts to be 0.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/grant_table.h>

#include "store.h"
#include "xen.h"

#define FAKE_DOMID  7u
#define FAKE_FRAMES 512u
#define FAKE_GRANTS 1024u
#define FAKE_PORTS  8u

struct fake_grant {
    uint8_t state; /* 0 none, 1 writable, 2 read-only */
    uint16_t frame;
};

struct fake_shared {
    struct fake_grant grant[FAKE_GRANTS];
    uint32_t to_back[FAKE_PORTS]; /* events pending for the backend, by port */
    bool bound[FAKE_PORTS];
    uint32_t unmasked[FAKE_PORTS]; /* how often */
    uint32_t misuse, mapped, copies, notified;
    uint32_t store_serial; /* of changes */
    uint32_t nodes;
    struct fake_node {
        char path[112];
        char value[160];
    } node[128];
};

struct fake {
    struct xen xen;
    struct store store;
    struct fake_shared *shared;
    uint8_t *memory; /* the guest's view of its frames */
    int memory_fd;
    int back_event;  /* eventfd: events for the backend */
    int front_event; /* eventfd: events for the frontend */
    int store_event; /* eventfd: the backend's watches */
    uint32_t seen_serial;
    void (*on_copy)(
        void *arg); /* called by each grant copy, as a guest that runs meanwhile; NULL: nobody */
    void *on_copy_arg;
};

struct fake *fake_new(void);
void fake_free(struct fake *f);

/* A frame of the guest, and a grant of it. */
void *fake_frame(struct fake *f, unsigned frame);
void fake_grant(struct fake *f, uint32_t ref, unsigned frame, bool read_only);
void fake_revoke(struct fake *f, uint32_t ref);
/* The frontend sends an event; the frontend waits for one (milliseconds), true when it came. */
void fake_kick(struct fake *f, unsigned port);
bool fake_wait(struct fake *f, int timeout_ms);

/* The toolstack's and the frontend's view of the store: every change fires the backend's watches.
 */
void fake_set(struct fake *f, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
const char *fake_get(struct fake *f, const char *path); /* NULL when absent */
void fake_rm(struct fake *f, const char *path);
