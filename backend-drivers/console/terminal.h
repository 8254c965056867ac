/* SPDX-License-Identifier: MIT */
/*
 * One guest's pseudo terminal: who opens its name reads what the guest has written, and types.
 *
 * As with xenconsoled, output waits for a reader who comes later: first in the kernel's queue, then
 * in `kept`. When both are full nobody reads, and the older half is dropped, so that a reader finds
 * the newest 64 KiB or more. For that the slave stays open here: without anybody at it, a terminal
 * keeps nothing. Never blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TERMINAL_KEPT 65536u

struct terminal {
    int master, slave; /* -1: not open */
    size_t n;          /* bytes kept, the oldest first */
    char kept[TERMINAL_KEPT];
};

/* A raw terminal; `name` is the path that readers open. 0 or a negative errno. */
int terminal_open(struct terminal *t, char *name, size_t size);
void terminal_close(struct terminal *t);
/* At most TERMINAL_KEPT bytes. */
void terminal_write(struct terminal *t, const char *text, size_t n);
/* The terminal takes again: goes on with what is kept. */
void terminal_flush(struct terminal *t);
/* What was typed; 0: nothing. */
size_t terminal_read(struct terminal *t, char *text, size_t room);
