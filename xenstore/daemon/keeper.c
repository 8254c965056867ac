/* SPDX-License-Identifier: MIT */
/* keeper.c: see keeper.h. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inherit.h"
#include "keeper.h"
#include "say.h"

#define STACK       (1 << 20)
#define FAULT_PAUSE 100000 /* us after a daemon that ended by its own fault */

struct start {
    int (*serve)(struct keeper *k);
    struct keeper *k;
    pid_t keeper;
};

static int child(void *arg)
{
    struct start *s = arg;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != s->keeper) /* it died before */
        return 1;
    return s->serve(s->k);
}

/* Wait for the daemon's end without burying it; pass on a signal to stop. */
static void wait_for(pid_t pid, const sigset_t *set, bool *stop)
{
    siginfo_t info = {0};

    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && !info.si_pid) {
        int sig = sigwaitinfo(set, NULL);

        if (sig == SIGTERM || sig == SIGINT) {
            *stop = true;
            kill(pid, SIGTERM);
        }
    }
}

/* Start a daemon; return its wait status. */
static int one_life(struct start *s, char *stack, const sigset_t *set, bool *stop)
{
    struct keeper *k = s->k;
    int status = 0;
    pid_t pid;

    k->io_fd = -1;
    k->served = false;
    pid = clone(child, stack + STACK, CLONE_FILES | SIGCHLD, s);
    if (pid < 0) {
        say("cannot start: %s", strerror(errno));
        return W_EXITCODE(1, 0);
    }
    wait_for(pid, set, stop);
    if (k->served) /* else what the one before it moved last may not be made good yet */
        io_counts_read(k->io_fd, &k->last); /* of the dead: it is not buried yet */
    waitpid(pid, &status, 0);
    k->started++;
    return status;
}

int keep(int (*serve)(struct keeper *k), char **argv)
{
    struct start s = {.serve = serve, .keeper = getpid()};
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool stop = false;
    sigset_t set;

    s.k = mmap(NULL, sizeof(*s.k), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED || s.k == MAP_FAILED)
        return 1;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    while (!stop) {
        int status = one_life(&s, stack, &set, &stop);

        if (WIFEXITED(status) && WEXITSTATUS(status) == KEEPER_UPDATE) {
            inherit_pass_on();
            setenv(KEEPER_UPDATED, "1", 1);
            execv(s.k->next, argv);
            say("live update: cannot run %s: %s", s.k->next, strerror(errno));
        } else if (WIFEXITED(status) && WEXITSTATUS(status)) {
            return WEXITSTATUS(status);
        } else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
            say("the daemon ended by signal %d; starting the next", WTERMSIG(status));
            if (!s.k->served)
                return 1;
            usleep(FAULT_PAUSE);
        }
    }
    return 0;
}
