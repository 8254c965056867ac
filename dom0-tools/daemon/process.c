/* SPDX-License-Identifier: MIT */
/* Spawn, adopt, watch, restart; see process.h for the lock-file protocol. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

#define QUICK_MS     10000 /* an end sooner than this counts towards backoff */
#define BACKOFF_STEP 100
#define BACKOFF_MAX  10000

static void wait_and_retry(struct process *p, unsigned delay);

static char folder[96] = "/run/mullion/process";

void process_set_folder(const char *path)
{
    snprintf(folder, sizeof(folder), "%s", path);
}

unsigned process_backoff(unsigned quick_ends)
{
    unsigned delay = BACKOFF_STEP;

    if (quick_ends == 0)
        return 0;
    while (--quick_ends && delay < BACKOFF_MAX)
        delay *= 2;
    return delay < BACKOFF_MAX ? delay : BACKOFF_MAX;
}

static void lock_path(const struct process *p, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", folder, p->name);
}

/* Between fork and exec: only calls that are safe while another thread may have held a lock. The
 * lock came with the fork: it belongs to the open file, which the program keeps as descriptor 3. */
static void run_child(int lock, char *const *arguments)
{
    sigset_t none;
    char pid[16];
    int null, length;

    length = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(lock, 0) < 0 || pwrite(lock, pid, length, 0) != length)
        _exit(75);
    null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log_fd(), STDOUT_FILENO);
    dup2(log_fd(), STDERR_FILENO);
    if (lock != 3)
        dup2(lock, 3);
    else
        fcntl(lock, F_SETFD, 0);
    close_range(4, ~0U, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execv(arguments[0], arguments);
    _exit(127);
}

static void ended(struct process *p, enum process_end end)
{
    bool quick = now_ms() - p->started < QUICK_MS, again;

    loop_unwatch(&p->watcher);
    close(p->watcher.fd);
    timer_stop(&p->timer);
    p->state = PROCESS_IDLE;
    p->pid = 0;
    again = !p->stopping;
    p->stopping = false;
    if (!p->restart(p, end) || !again)
        return; /* `p` may be gone */
    p->restarts++;
    p->quick_ends = quick ? p->quick_ends + 1 : 0;
    wait_and_retry(p, process_backoff(p->quick_ends ? p->quick_ends - 1 : 0));
}

static void on_exit_event(struct watcher *w, uint32_t events)
{
    struct process *p = container_of(w, struct process, watcher);
    siginfo_t info = {0};
    enum process_end end;

    if (p->adopted) {
        log_line("%s (pid %d, adopted) ended", p->name, p->pid);
        ended(p, ENDED_UNKNOWN);
        return;
    }
    if (waitid(P_PIDFD, w->fd, &info, WEXITED) < 0)
        end = ENDED_UNKNOWN;
    else if (info.si_code != CLD_EXITED)
        end = ENDED_CRASHED;
    else
        end = info.si_status == 0 ? ENDED_DONE : info.si_status == 2 ? ENDED_CONFIG : ENDED_CRASHED;
    log_line("%s (pid %d) %s %d", p->name, p->pid,
             info.si_code == CLD_EXITED ? "ended with status" : "was killed by signal",
             info.si_status);
    ended(p, end);
}

static bool watch_pid(struct process *p, pid_t pid)
{
    int fd = pidfd_open(pid, 0);

    if (fd < 0)
        return false;
    p->watcher = (struct watcher){fd, on_exit_event};
    p->pid = pid;
    p->started = now_ms();
    p->state = PROCESS_RUNNING;
    loop_watch(&p->watcher, EPOLLIN);
    return true;
}

static bool take_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* The lock is held by somebody: watch the pid that it names. True when that was the holder. */
static bool adopt(struct process *p, int lock)
{
    char text[16] = "";

    if (pread(lock, text, sizeof(text) - 1, 0) <= 0 || atoi(text) <= 0 || !watch_pid(p, atoi(text)))
        return false;
    if (!take_lock(lock)) {
        p->adopted = true;
        log_line("%s runs already (pid %d): adopted", p->name, p->pid);
        return true;
    }
    /* It ended meanwhile; whatever the pid names now is not ours. */
    flock(lock, LOCK_UN);
    loop_unwatch(&p->watcher);
    close(p->watcher.fd);
    p->state = PROCESS_IDLE;
    return false;
}

static void retry(struct timer *t)
{
    struct process *p = container_of(t, struct process, timer);

    p->state = PROCESS_IDLE;
    process_start(p);
}

static void wait_and_retry(struct process *p, unsigned delay)
{
    p->state = PROCESS_WAITING;
    p->timer.fire = retry;
    timer_start(&p->timer, delay);
}

static int spawn(struct process *p, int lock)
{
    char *arguments[] = {p->program, p->argument[0], p->argument[1], NULL};
    pid_t pid;

    for (int i = 0; i < 2; i++)
        if (!p->argument[i][0]) {
            arguments[i + 1] = NULL;
            break;
        }
    pid = fork();
    if (pid == 0)
        run_child(lock, arguments);
    if (pid < 0 || !watch_pid(p, pid))
        return -errno;
    log_line("%s started (pid %d)", p->name, pid);
    return 0;
}

void process_start(struct process *p)
{
    char path[PATH_MAX];
    int lock, error = 0;

    if (p->state == PROCESS_RUNNING)
        return;
    timer_stop(&p->timer);
    p->adopted = p->stopping = false;
    lock_path(p, path, sizeof(path));
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        error = -errno;
    else if (take_lock(lock))
        error = spawn(p, lock);
    else if (!adopt(p, lock))
        wait_and_retry(p, BACKOFF_STEP); /* it has not written its pid yet, or has just ended */
    if (lock >= 0)
        close(lock); /* the lock stays with the child's copy */
    if (error) {
        log_line("cannot start %s: %s", p->name, strerror(-error));
        wait_and_retry(p, BACKOFF_MAX);
    }
}

static void kill_now(struct timer *t)
{
    struct process *p = container_of(t, struct process, timer);

    log_line("%s (pid %d) did not end when asked: killed", p->name, p->pid);
    pidfd_send_signal(p->watcher.fd, SIGKILL, NULL, 0);
}

void process_stop(struct process *p, unsigned grace)
{
    if (p->state == PROCESS_WAITING) {
        timer_stop(&p->timer);
        p->state = PROCESS_IDLE;
    }
    if (p->state != PROCESS_RUNNING || p->stopping)
        return;
    p->stopping = true;
    pidfd_send_signal(p->watcher.fd, SIGTERM, NULL, 0);
    p->timer.fire = kill_now;
    timer_start(&p->timer, grace);
}

void process_release(struct process *p)
{
    char path[PATH_MAX];

    timer_stop(&p->timer);
    if (p->state == PROCESS_RUNNING) {
        loop_unwatch(&p->watcher);
        close(p->watcher.fd);
    } else {
        lock_path(p, path, sizeof(path));
        unlink(path);
    }
    p->state = PROCESS_IDLE;
}
