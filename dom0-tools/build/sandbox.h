/* SPDX-License-Identifier: MIT */
/*
 * The least a decompressor needs: read, write, seek and memory, on files that are open already.
 * After sandbox_enter() every other system call ends the process, so a hostile image that takes
 * over a decoder holds nothing but its own input and output.
 */
#ifndef MULLION_BUILD_SANDBOX_H
#define MULLION_BUILD_SANDBOX_H

#include "failure.h"

/* Irrevocable for this process. 0, or -1 with a failure. */
int sandbox_enter(struct failure *failure);

#endif
