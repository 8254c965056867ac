/* SPDX-License-Identifier: MIT */
/*
 * store_ops: what a xenstore request costs in dom0, row 17 of the performance table.
 *
 * It is /init of an initramfs that also has the daemons and the libraries they need (measure.py),
 * booted by the same kernel on both hypervisors. Its arguments are the daemon's command line, or
 * `floor`: then a child answers in the daemon's place, knowing nothing, with one read() and one
 * write() for each message; what that costs is the socket, the kernel and the client, whatever the
 * daemon.
 *
 * The client is Debian's libxenstore on the daemon's socket, or the library that the argument
 * `preload=FILE` before the command line names. Under QEMU's -icount shift=0 one tick
 * of the counter is one executed instruction of anybody: client, kernel, hypervisor, daemon. Each
 * line is `row 17 name: figure`, the least of several rounds. Whatever fails ends the program with
 * a line that begins with FAIL; the last line is `end of row 17`.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>
#include <xenstore.h>

#include "rounds.h"

enum { ROUNDS = 5, REPEATS = 100, GUESTS = 300, NODES = 120, WATCHES = 6 };

#define SOCKET "/run/xenstored/socket"
#define NODE   "/local/domain/1/device/vbd/51712/state"

static struct xs_handle *store;

/* Not reboot(): that waits for the kernel's own xenstore client, which without a daemon is waiting,
 * too. */
static void stop(void)
{
    int fd = open("/proc/sysrq-trigger", O_WRONLY);

    fflush(stdout);
    sleep(1); /* the console is slower than we are */
    while (write(fd, "b", 1) == 1)
        pause();
    _exit(1); /* and the kernel panics */
}

static void measure(const char *name, const char *where, void (*operation)(void))
{
    printf("row 17 %s%s: %lu\n", name, where, least(ROUNDS, REPEATS, operation) / REPEATS);
}

static void read_in(xs_transaction_t t)
{
    unsigned int len;
    char *value = xs_read(store, t, NODE, &len);

    need(value && len == 1, "xs_read");
    free(value);
}

static void write_in(xs_transaction_t t)
{
    need(xs_write(store, t, NODE, "4", 1), "xs_write");
}

static xs_transaction_t begin(void)
{
    xs_transaction_t t = xs_transaction_start(store);

    need(t != XBT_NULL, "xs_transaction_start");
    return t;
}

static void commit(xs_transaction_t t)
{
    need(xs_transaction_end(store, t, false), "xs_transaction_end");
}

static void read_one(void)
{
    read_in(XBT_NULL);
}

static void write_one(void)
{
    write_in(XBT_NULL);
}

static void empty_transaction(void)
{
    commit(begin());
}

static void read_modify_write(void)
{
    xs_transaction_t t = begin();

    read_in(t);
    write_in(t);
    commit(t);
}

static void measure_all(const char *where)
{
    measure("read", where, read_one);
    measure("write", where, write_one);
    measure("empty transaction", where, empty_transaction);
    measure("read-modify-write transaction", where, read_modify_write);
}

/* A host with guests: their nodes, and what a toolstack and backends watch of each. */
static void populate(void)
{
    struct xs_handle *toolstack = xs_open(0);
    char path[80], token[16];

    need(toolstack, "xs_open");
    for (int guest = 2; guest < GUESTS + 2; guest++) {
        for (int node = 0; node < NODES; node++) {
            snprintf(path, sizeof(path), "/local/domain/%d/device/%d/%d", guest, node / 12, node);
            need(xs_write(store, XBT_NULL, path, "4", 1), "xs_write");
        }
        for (int watch = 0; watch < WATCHES; watch++) {
            snprintf(path, sizeof(path), "/local/domain/%d/device/%d", guest, watch);
            snprintf(token, sizeof(token), "%d.%d", guest, watch);
            need(xs_watch(toolstack, path, token), "xs_watch");
        }
    }
}

/* What a daemon would say that had nothing to find out. */
static const char *const answers[] = {
    [XS_READ] = "4",
    [XS_WRITE] = "OK",
    [XS_TRANSACTION_START] = "1",
    [XS_TRANSACTION_END] = "OK",
};

static void answer_all(int fd)
{
    struct {
        struct xsd_sockmsg hdr;
        char body[XENSTORE_PAYLOAD_MAX];
    } m;
    size_t have = 0;

    for (ssize_t n; (n = read(fd, (char *)&m + have, sizeof(m) - have)) > 0;) {
        have += (size_t)n;
        if (have < sizeof(m.hdr) || have < sizeof(m.hdr) + m.hdr.len)
            continue;
        m.hdr.len = (uint32_t)strlen(answers[m.hdr.type]) + (m.hdr.type != XS_READ);
        memcpy(m.body, answers[m.hdr.type], m.hdr.len);
        have = 0;
        if (write(fd, &m, sizeof(m.hdr) + m.hdr.len) < 0)
            break;
    }
}

static void floor_daemon(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = SOCKET};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    /* A message is two or three write()s of libxenstore's: never woken but for the whole. */
    if (sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}) ||
        bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))
        _exit(1);
    for (;;)
        answer_all(accept(fd, NULL, NULL));
}

static void start(char **argv)
{
    pid_t child = fork();

    need(child >= 0, "fork");
    if (child)
        return;
    if (!strcmp(argv[0], "floor"))
        floor_daemon();
    execv(argv[0], argv);
    printf("FAIL %s: %m\n", argv[0]);
    fflush(stdout);
    _exit(1);
}

/* The modules, in the order of their names. */
static void load_modules(void)
{
    glob_t found;

    need(glob("/modules/*", 0, NULL, &found) == 0, "glob");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);

        need(fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0, found.gl_pathv[i]);
        close(fd);
    }
}

static void prepare(void)
{
    need(mount("dev", "/dev", "devtmpfs", 0, NULL) == 0 || errno == EBUSY, "mount /dev");
    need(mount("proc", "/proc", "proc", 0, NULL) == 0, "mount /proc");
    need(mount("run", "/run", "tmpfs", 0, "mode=755") == 0, "mount /run");
    load_modules();
    need(mount("xen", "/proc/xen", "xenfs", 0, NULL) == 0, "mount /proc/xen");
    need(mkdir("/run/xenstored", 0755) == 0, "mkdir");
}

/* Until somebody listens: without, libxenstore would take the kernel's ring. */
static void wait_for_socket(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = SOCKET};

    for (int tries = 0; tries < 1000; tries++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0),
            rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));

        close(fd);
        if (!rc)
            return;
        usleep(10000);
    }
    need(false, "connect to the daemon");
}

/* Start again with another library in libxenstore's place, for this program only. */
static void take_library(char **argv)
{
    static const char word[] = "preload=";

    unsetenv("LD_PRELOAD");
    if (strncmp(argv[1], word, sizeof(word) - 1))
        return;
    need(setenv("LD_PRELOAD", argv[1] + sizeof(word) - 1, 1) == 0, "setenv");
    argv[1] = argv[0];
    execv("/init", argv + 1);
    need(false, "execv /init");
}

int main(int argc, char **argv)
{
    need(argc > 1, "arguments: the daemon's command line");
    take_library(argv);
    prepare();
    start(argv + 1);
    wait_for_socket();
    store = xs_open(0);
    need(store, "xs_open");
    write_one();
    measure_all("");
    if (strcmp(argv[1], "floor") != 0) {
        populate();
        measure_all(" with 300 guests");
    }
    printf("end of row 17\n");
    stop();
}
