/* SPDX-License-Identifier: MIT */
/* Where the control tools keep their things (docs/architecture.md, "Programs and where they are
 * installed"). */
#ifndef MULLION_DAEMON_PATHS_H
#define MULLION_DAEMON_PATHS_H

#define PATH_DEFINITIONS "/var/lib/mullion/domains"
#define PATH_KERNELS     "/var/cache/mullion/kernels"
#define PATH_LOG         "/var/log/mullion/mulliond.log"
#define PATH_CONSOLE_LOG "/var/log/mullion/console"
#define PATH_RUN         "/run/mullion"
#define PATH_RECORDS     "/run/mullion/domains"
#define PATH_PROCESSES   "/run/mullion/process"
#define PATH_SOCKET      "/run/mullion/api.sock"
#define PATH_LIBEXEC     "/usr/libexec/mullion"

/* libvirt's: there when it is installed; where its driver for Xen keeps what runs. */
#define PATH_LIBVIRT       "/etc/libvirt"
#define PATH_LIBVIRT_STATE "/run/libvirt/libxl"

#endif
