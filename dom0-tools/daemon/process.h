/* SPDX-License-Identifier: MIT */
/*
 * A supervised program that outlives its supervisor.
 *
 * Who runs is decided by a lock file: the child locks it before exec, writes its pid into it, and
 * keeps the descriptor, so the lock lives exactly as long as the program. A new mulliond finds the
 * lock held, opens a pidfd for the pid in the file, sees that the lock is *still* held (so the pid
 * was no reused one) and has adopted it. No pid file can be stale, and no two copies can run.
 *
 * States: IDLE → RUNNING → (end) → WAITING with backoff → RUNNING …; process_stop() leads back to
 * IDLE.
 */
#ifndef MULLION_DAEMON_PROCESS_H
#define MULLION_DAEMON_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "loop.h"

enum process_state { PROCESS_IDLE, PROCESS_RUNNING, PROCESS_WAITING };

/* How a program ended, by its exit status (docs/architecture.md, "mulliond and backends"). */
enum process_end {
    ENDED_DONE,    /* 0: nothing left to do */
    ENDED_CONFIG,  /* 2: its configuration is wrong, another start would fail again */
    ENDED_CRASHED, /* anything else, or a signal */
    ENDED_UNKNOWN, /* it was adopted: its status went to init */
};

struct process {
    char name[48]; /* names the lock file too: letters, digits, dashes */
    char program[128];
    char argument[2][96]; /* an empty one ends the list */
    /* Asked when the program has ended: true = start it again. */
    bool (*restart)(struct process *p, enum process_end end);
    /* ours */
    enum process_state state;
    bool adopted, stopping;
    pid_t pid;
    unsigned restarts, quick_ends;
    uint64_t started;
    struct watcher watcher; /* on the pidfd */
    struct timer timer;     /* backoff, or the wait before SIGKILL */
};

/* Folder of the lock files. */
void process_set_folder(const char *path);

/* Adopt the running copy or start one. */
void process_start(struct process *p);

/* Ask it to end (SIGTERM), make it end after `grace` ms (SIGKILL); `restart` is not asked. Nothing
 * when IDLE. */
void process_stop(struct process *p, unsigned grace);

/* Forget it: close the pidfd, disarm timers. The program itself is left alone. */
void process_release(struct process *p);

/* Milliseconds to wait before start number `quick_ends` in a row: 0, 100, 200 … 10000. Pure. */
unsigned process_backoff(unsigned quick_ends);

#endif
