/* SPDX-License-Identifier: MIT */
/*
 * Any kernel file that people have → the ELF that a PV domain starts from.
 *
 * Accepts an ELF (copied), a bzImage (its payload unpacked), or a packed ELF (vmlinux.gz …). The
 * result is checked to be a 64-bit PV kernel before it is accepted, so what the builder later opens
 * has been read once with care.
 */
#ifndef MULLION_BUILD_UNPACK_H
#define MULLION_BUILD_UNPACK_H

#include "failure.h"

enum kernel_kind { KERNEL_UNKNOWN, KERNEL_ELF, KERNEL_BZIMAGE, KERNEL_PACKED };

/* What the first bytes of the file say; KERNEL_UNKNOWN sets no failure. */
enum kernel_kind kernel_kind(int fd);

/* Unpack from `in` to `out` (a regular file, empty); both are read and written by offset. 0, or -1
 * and a failure. Runs in the calling process: enter the sandbox first where the input is not one's
 * own. */
int unpack_kernel(int in, int out, struct failure *failure);

#endif
