/* SPDX-License-Identifier: MIT */
/*
 * A line on stderr that shows that something is being done and for how long, on a terminal only. It
 * appears when an operation takes longer than half a second and is gone when it ends.
 */
#ifndef MULLION_CLI_PROGRESS_H
#define MULLION_CLI_PROGRESS_H

void progress_begin(const char *what);
void progress_note(const char *text);
void progress_end(void);

#endif
