/* SPDX-License-Identifier: MIT */
/*
 * What a backend gives up once its devices are open: its user, its capabilities, and every system
 * call that its main loop does not use. After that it can open no file, start no program and reach
 * no other process.
 *
 * Each guest's backends run under a user id of their own (SANDBOX_UID + domid; no account has it),
 * so that backends of two guests cannot touch each other either.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "report.h"

/* Far above what accounts, containers and user namespaces are given. */
#define SANDBOX_UID         0x7d750000u
#define SANDBOX_GID         0x7d750000u
#define SANDBOX_UID_CONSOLE (SANDBOX_UID + 0xffff)

/* Exit status when the store's client wants a new connection, which the sandbox has no way to make:
 * start again. */
#define SANDBOX_LOST_STORE 1

struct sandbox {
    uid_t uid;
    const int *calls;            /* further system calls to allow, ended by -1; may be NULL */
    const unsigned long *ioctls; /* further ioctl requests to allow, ended by 0; may be NULL */
};

/* Enters the sandbox with all threads; there is no way back. */
int sandbox_enter(const struct sandbox *s, struct reason *why);
