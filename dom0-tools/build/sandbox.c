/* SPDX-License-Identifier: MIT */
/* A seccomp filter of a dozen calls plus a limit on memory; see sandbox.h. */
#include "sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/resource.h>

#define MEMORY_LIMIT (768ULL << 20) /* packed image + decoder window + slack */

int sandbox_enter(struct failure *failure)
{
    static const int allowed[] = {
        SCMP_SYS(read),   SCMP_SYS(pread64),    SCMP_SYS(write),        SCMP_SYS(lseek),
        SCMP_SYS(fstat),  SCMP_SYS(newfstatat), SCMP_SYS(mmap),         SCMP_SYS(munmap),
        SCMP_SYS(mremap), SCMP_SYS(brk),        SCMP_SYS(madvise),      SCMP_SYS(futex),
        SCMP_SYS(exit),   SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
    };
    struct rlimit memory = {MEMORY_LIMIT, MEMORY_LIMIT};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int error = filter ? 0 : -ENOMEM;

    for (unsigned i = 0; !error && i < sizeof(allowed) / sizeof(allowed[0]); i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (!error && setrlimit(RLIMIT_AS, &memory) < 0)
        error = -errno;
    if (!error)
        error = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    if (error)
        return fail(failure, FAIL_RESOURCES, "sandbox", NULL, "cannot enter the sandbox: %s",
                    strerror(-error));
    return 0;
}
