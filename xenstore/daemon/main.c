/* SPDX-License-Identifier: MIT */
/*
 * main.c: mullion-xenstored: options, start, stop.
 *
 * The process that is started becomes the keeper (keeper.h), its child the daemon. Order of its
 * start: inherited descriptors, journal (a predecessor's state), hypervisor and rings, sockets.
 * Stopping by a signal, dying and a live update are the same to a successor: everything is in the
 * journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inherit.h"
#include "journal.h"
#include "keeper.h"
#include "loop.h"
#include "records.h"
#include "request.h"
#include "say.h"
#include "socket.h"
#include "store.h"
#include "xen.h"

#define LOCK_SECONDS 5

struct options {
    const char *socket_dir;
    const char *pid_file;
    const char *journal;
    const char *log;
    int ready_fd; /* -1: nobody waits */
    bool no_journal;
    bool no_domains;
    bool no_keeper;
};

static const struct option long_options[] = {
    {"socket-dir", required_argument, NULL, 's'}, {"pid-file", required_argument, NULL, 'p'},
    {"journal", required_argument, NULL, 'j'},    {"log", required_argument, NULL, 'l'},
    {"no-domains", no_argument, NULL, 'n'},       {"foreground", no_argument, NULL, 'f'},
    {"quota", required_argument, NULL, 'q'},      {"no-journal", no_argument, NULL, 'J'},
    {"ready-fd", required_argument, NULL, 'r'},   {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},          {"journal-version", no_argument, NULL, 'v'},
    {"no-keeper", no_argument, NULL, 'K'},        {NULL, 0, NULL, 0},
};

static void usage(FILE *to)
{
    fputs("usage: mullion-xenstored [options]\n"
          "  --socket-dir DIR    where `socket` is made (/run/xenstored)\n"
          "  --journal DIR       keep the state in DIR (a tmpfs), to survive being killed\n"
          "                      (`journal` in the socket's directory)\n"
          "  --no-journal        keep nothing\n"
          "  --ready-fd N        write a newline to descriptor N, and close it, when serving\n"
          "  --pid-file FILE     write the process id to FILE\n"
          "  --log FILE          append messages to FILE instead of standard error\n"
          "  --quota NAME=VALUE  a limit for every domain; `xenstore-control quota` lists them\n"
          "  --no-domains        no hypervisor: serve the socket only\n"
          "  --no-keeper         one process (for debuggers): sockets do not outlive it\n"
          "  --foreground        stay in the foreground (always so)\n"
          "  --journal-version   print the version of the journal's format (for live updates)\n"
          "  --help, --version\n",
          to);
}

/* NAME=VALUE into the store's global quotas. */
static bool set_quota(struct store *s, const char *text)
{
    const char *equals = strchr(text, '=');
    int q = equals ? quota_find(text, (size_t)(equals - text), false) : -1;
    char *end;
    unsigned long value;

    if (q < 0) {
        fprintf(stderr, "xenstored: --quota %s: want NAME=VALUE, with one of the names", text);
        for (q = 0; q < QUOTA_COUNT; q++)
            fprintf(stderr, quota_defs[q].soft ? "" : " %s", quota_defs[q].name);
        fputc('\n', stderr);
        return false;
    }
    value = strtoul(equals + 1, &end, 10);
    if (*end || !equals[1] || value > UINT32_MAX) {
        fprintf(stderr, "xenstored: --quota %s: the value is not a number\n", text);
        return false;
    }
    s->quota.limit[q] = (uint32_t)value;
    return true;
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct options *o, struct store *s)
{
    int c;

    *o = (struct options){.socket_dir = "/run/xenstored", .ready_fd = -1};
    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (c) {
        case 's':
            o->socket_dir = optarg;
            break;
        case 'p':
            o->pid_file = optarg;
            break;
        case 'j':
            o->journal = optarg;
            break;
        case 'l':
            o->log = optarg;
            break;
        case 'n':
            o->no_domains = true;
            break;
        case 'K':
            o->no_keeper = true;
            break;
        case 'J':
            o->no_journal = true;
            break;
        case 'r':
            o->ready_fd = atoi(optarg);
            break;
        case 'f':
            break;
        case 'q':
            if (!set_quota(s, optarg))
                return 2;
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'V':
            puts("mullion-xenstored " MULLION_VERSION);
            return 0;
        case 'v':
            printf("%s\n", LIVE_UPDATE_ANSWER);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "xenstored: unexpected argument '%s'\n", argv[optind]);
    return 2;
}

static struct store store;
static struct options opt;
static struct loop loop;
static int lock_fd;

static bool signalled(struct source *src, uint32_t events)
{
    loop.stop = true;
    return true;
}

static int watch_signals(struct source *src)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    src->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    src->ready = signalled;
    return src->fd < 0 ? errno : loop_add(&loop, src, EPOLLIN);
}

static void give_up_waiting(int sig)
{
}

/*
 * One keeper per socket directory. The lock ends with the process, whatever ends it; a
 * predecessor that was killed may still be on its way out, so wait for it a little. A live
 * update's program finds that it has the lock already.
 */
static int lock(const char *dir)
{
    struct sigaction act = {.sa_handler = give_up_waiting};
    char path[256];
    int fd;

    mkdir(dir, 0755);
    snprintf(path, sizeof(path), "%s/lock", dir);
    fd = inherit_file(path);
    if (fd < 0)
        fd = open(path, O_RDWR | O_CREAT, 0600);
    sigaction(SIGALRM, &act, NULL);
    alarm(LOCK_SECONDS);
    if (fd < 0 || flock(fd, LOCK_EX)) {
        fprintf(stderr, "xenstored: cannot lock %s: %s\n", path,
                errno == EINTR ? "another daemon is serving there" : strerror(errno));
        return -1;
    }
    alarm(0);
    return fd;
}

static bool write_pid(const char *file)
{
    FILE *f = file ? fopen(file, "w") : NULL;
    bool ok = !file || (f && fprintf(f, "%d\n", getpid()) > 0);

    if (f && fclose(f))
        ok = false;
    if (!ok)
        fprintf(stderr, "xenstored: cannot write %s: %s\n", file, strerror(errno));
    return ok;
}

/* The journal's directory in buf, unless there is to be none. */
static const char *journal_dir(const struct options *o, char *buf, size_t size)
{
    if (o->no_journal)
        return NULL;
    snprintf(buf, size, "%s/journal", o->socket_dir);
    return o->journal ? o->journal : buf;
}

static void say_ready(int fd)
{
    if (fd < 0)
        return;
    if (write(fd, "\n", 1) != 1)
        say("--ready-fd %d: %s", fd, strerror(errno));
    close(fd);
}

static int start(struct store *s, const struct options *o, struct keeper *k, struct source *signals)
{
    const int keep_open[] = {lock_fd, o->ready_fd};
    struct inherited inherited;
    struct sockaddr_un addr;
    char buf[256];
    const char *dir = journal_dir(o, buf, sizeof(buf));
    bool found = false;
    int rc = socket_address(&addr, o->socket_dir);

    if (rc)
        return rc;
    inherit_sockets(&inherited, addr.sun_path, keep_open, 2);
    k->io_fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    rc = loop_init(&loop);
    if (!rc)
        rc = watch_signals(signals);
    if (!rc && dir)
        rc = journal_open(s, dir, &k->last, &found);
    if (!rc && control_trace(s))
        say("cannot trace requests to %s: %s", s->trace_to, strerror(errno));
    if (!rc && !o->no_domains)
        rc = xen_open(s, &loop, &s->platform);
    if (!rc && s->platform)
        rc = xen_start(s->platform);
    if (!rc)
        rc = socket_serve(s, &loop, o->socket_dir, &inherited);
    if (!rc && found)
        say("took over from the journal in %s, %u sockets", dir, inherited.n);
    if (!rc && dir)
        streams_count_from_here(journal_streams(s->journal), k->io_fd);
    return rc;
}

/* The daemon, until its end. */
static int serve(struct keeper *k)
{
    struct source signals;

    if (k->started)
        opt.ready_fd = -1; /* said already, and closed */
    if (start(&store, &opt, k, &signals))
        return 1;
    k->served = true;
    say_ready(opt.ready_fd);
    loop_run(&loop, &store);
    journal_commit(store.journal); /* and all ends with the process, for a successor to take up */
    if (!store.update[0])
        return 0;
    strcpy(k->next, store.update);
    return KEEPER_UPDATE;
}

/* As many clients as the administrator lets us have. */
static void all_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    int rc;

    store_init(&store);
    rc = parse(argc, argv, &opt, &store);
    if (rc >= 0)
        return rc;
    if (getenv(KEEPER_UPDATED)) {
        unsetenv(KEEPER_UPDATED);
        opt.ready_fd = -1;
    }
    if (opt.log && !freopen(opt.log, "a", stderr)) {
        printf("xenstored: cannot open %s: %s\n", opt.log, strerror(errno));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    all_descriptors();
    lock_fd = lock(opt.socket_dir);
    if (lock_fd < 0 || !write_pid(opt.pid_file))
        return 1;
    if (opt.no_journal || opt.no_keeper)
        rc = serve(&(struct keeper){.io_fd = -1});
    else
        rc = keep(serve, argv);
    if (opt.pid_file)
        unlink(opt.pid_file);
    return rc;
}
