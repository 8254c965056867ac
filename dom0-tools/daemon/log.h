/* SPDX-License-Identifier: MIT */
/*
 * /var/log/mullion/mulliond.log: one line per thing worth knowing, at most 8 MiB and one old copy.
 * Children write their stderr to the same file, which therefore is opened for appending and never
 * truncated.
 */
#ifndef MULLION_DAEMON_LOG_H
#define MULLION_DAEMON_LOG_H

int log_open(const char *path);
int log_fd(void);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
