/* SPDX-License-Identifier: MIT */
/* What a backend gives up: see sandbox.h. */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <xen/xen.h>

/* The two Linux device files' requests, by number: their headers are not installed with the
 * libraries. */
#define GNTDEV(nr, size) _IOC(_IOC_NONE, 'G', nr, size)
#define EVTCHN(nr, size) _IOC(_IOC_NONE, 'E', nr, size)

/* Matched by type and number alone: the size part differs between requests with variable tails. */
#define IOC_TYPE_NR 0xffffu

static const unsigned long xen_ioctls[] = {
    GNTDEV(0, 0), /* map a grant reference */
    GNTDEV(1, 0), /* unmap */
    GNTDEV(2, 0), /* offset for an address */
    GNTDEV(3, 0), /* set max grants */
    GNTDEV(8, 0), /* grant copy */
    EVTCHN(1, 0), /* bind interdomain */
    EVTCHN(3, 0), /* unbind */
    EVTCHN(4, 0), /* notify */
};

/* What the main loop, libc's memory, io_uring and the store's reader thread need. */
static const int base_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(getrandom),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
    SCMP_SYS(sched_yield),
    SCMP_SYS(unlink),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(fcntl),
    SCMP_SYS(mprotect),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
};

/*
 * What the store's client library calls when its connection broke. It could not connect again from
 * here (the socket is root's), so this is the end of the process, and a successor's business, with
 * a line that says so.
 */
static const int reconnect_calls[] = {SCMP_SYS(socket), SCMP_SYS(inotify_init1)};

static void on_refused(int sig)
{
    static const char text[] = "mullion-backend: lost xenstore; starting again\n";

    ssize_t told = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)told;
    _exit(SANDBOX_LOST_STORE);
}

static int drop_user(uid_t uid)
{
    if (geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) || setresgid(SANDBOX_GID, SANDBOX_GID, SANDBOX_GID) ||
        setresuid(uid, uid, uid))
        return -errno;
    return 0;
}

static int allow_ioctl(scmp_filter_ctx f, unsigned long request)
{
    return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, IOC_TYPE_NR, request & IOC_TYPE_NR));
}

static int build(scmp_filter_ctx f, const struct sandbox *s)
{
    int err = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);

    for (size_t i = 0; !err && i < sizeof(base_calls) / sizeof(*base_calls); i++)
        err = seccomp_rule_add(f, SCMP_ACT_ALLOW, base_calls[i], 0);
    for (size_t i = 0; !err && i < sizeof(reconnect_calls) / sizeof(*reconnect_calls); i++)
        err = seccomp_rule_add(f, SCMP_ACT_TRAP, reconnect_calls[i], 0);
    for (const int *c = s->calls; !err && c && *c != -1; c++)
        err = seccomp_rule_add(f, SCMP_ACT_ALLOW, *c, 0);
    for (size_t i = 0; !err && i < sizeof(xen_ioctls) / sizeof(*xen_ioctls); i++)
        err = allow_ioctl(f, xen_ioctls[i]);
    for (const unsigned long *r = s->ioctls; !err && r && *r; r++)
        err = allow_ioctl(f, *r);
    return err ? err : seccomp_load(f);
}

int sandbox_enter(const struct sandbox *s, struct reason *why)
{
    scmp_filter_ctx filter;
    struct sigaction refused = {.sa_handler = on_refused};
    int err = drop_user(s->uid);

    if (err)
        return because(why, err, "cannot become user %u: %s", s->uid, strerror(-err));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return because(why, -errno, "cannot give up privileges: %s", strerror(errno));
    sigaction(SIGSYS, &refused, NULL);
    /* A refused call is an error, not a signal: another libc version costs a feature, never the
     * guest's disk. */
    filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return because(why, -ENOMEM, "cannot build the system call filter: out of memory");
    err = build(filter, s);
    seccomp_release(filter);
    if (err)
        return because(why, err, "cannot install the system call filter: %s", strerror(-err));
    return 0;
}
