/* SPDX-License-Identifier: MIT */
/* Error numbers of the ABI (EPERM, EINVAL …), from <xen/errno.h>; the host build uses libc's, which are the same. */
#ifndef HV_ERRNO_H
#define HV_ERRNO_H

#if __STDC_HOSTED__
#include <errno.h>
#else
#define XEN_ERRNO(name, value) name = value,
enum {
#include <xen/errno.h>
};
#endif

/* Internal, never shown to a guest: a preemptible handler saved its progress and wants to be called again. */
#define HC_RESTART 4096

#endif
