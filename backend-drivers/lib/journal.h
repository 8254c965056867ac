/* SPDX-License-Identifier: MIT */
/*
 * Memory that outlives the process: a small file on tmpfs
 * (/run/mullion/backend/<class>-<domid>-<devid>), mapped shared.
 *
 * A backend keeps in it what a successor cannot find in the guest's ring: the requests that were
 * taken and not yet answered (responses overwrite ring slots). After kill -9 the kernel keeps the
 * file's pages, in program order, so plain stores followed by a compiler barrier are enough.
 * Invariant: the contents belong to one connection, named by `epoch`, which the device's
 * `connection` node repeats; any other contents are void.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "report.h"

#define JOURNAL_DIR "/run/mullion/backend"

struct journal_head {
    uint64_t epoch; /* 0: no connection */
    uint32_t bytes; /* of the whole file, so that another layout's file is void */
    uint32_t pad;
};

struct journal {
    struct journal_head *head; /* the start of the mapped file */
    size_t bytes;
    char path[128];
};

/*
 * Opens or creates `dir`/`name`, `bytes` long, owned by `uid`:`gid`, and maps it. What a stranger
 * could have put there (a link, another owner's file) is refused.
 */
int journal_open(struct journal *j, const char *dir, const char *name, size_t bytes, uid_t uid,
                 gid_t gid, struct reason *why);
/* Starts a connection: clears the contents and returns its new epoch (never 0). */
uint64_t journal_begin(struct journal *j);
/* The contents are of no further use. */
void journal_end(struct journal *j);
/* Removes the file: the device is gone for good. */
void journal_remove(struct journal *j);
void journal_close(struct journal *j);
