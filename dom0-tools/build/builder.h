/* SPDX-License-Identifier: MIT */
/*
 * Build a 64-bit PV domain, paused, ready for its first instruction; or leave nothing.
 *
 * The caller has checked the document and the files; the builder turns them into a domain through
 * hypercalls only and does not touch xenstore. Every step has a name, which a failure carries.
 */
#ifndef MULLION_BUILD_BUILDER_H
#define MULLION_BUILD_BUILDER_H

#include "domain_config.h"
#include "hyper.h"
#include "kernel_elf.h"

struct build_request {
    const struct domain_config *config;
    int kernel_fd;      /* an ELF */
    int initrd_fd;      /* -1: none */
    uint32_t own_domid; /* the domain that serves store and console */
};

struct built_domain {
    uint32_t domid;
    uint64_t nr_pages;
    uint64_t store_mfn, console_mfn;
    evtchn_port_t store_port, console_port;
    char times[224]; /* which steps took how long, for the log */
};

/* 0, or -1 with a failure; then the domain that had begun to exist is destroyed again. */
int domain_build(struct hyper *h, const struct build_request *request, struct built_domain *built,
                 struct failure *failure);

/* Adds a step that took `took` milliseconds to built->times, unless it was too short to matter. */
void built_note_time(struct built_domain *built, const char *step, unsigned long took);

/* "1b4e28ba-…" → 16 bytes. */
void uuid_bytes(const char *text, uint8_t bytes[16]);

#endif
