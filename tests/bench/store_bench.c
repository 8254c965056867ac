/* SPDX-License-Identifier: MIT */
/*
 * store_bench.c: how many requests a second a xenstore daemon answers, and whether that stays so as
 * it fills.
 *
 * usage: store-bench SOCKET PID read|write|txn CLIENTS SECONDS
 *            requests (or transactions) a second; microseconds of the daemon's processor time for
 * one store-bench SOCKET PID siblings CLIENTS COUNT each client makes or removes its node beside
 * the others', in COUNT transactions: how many there were, how many had to be repeated, seconds
 *        store-bench SOCKET PID domains COUNT 0
 *            COUNT domains, each of 120 nodes in one transaction and 6 watches; a line for each 50:
 * their number, microseconds that one took (median), the daemon's own of them, its memory in KiB
 * One thread; each client has one request under way.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

enum { DOMAINS_STEP = 50, NODES = 120, WATCHES = 6 };

struct client {
    int fd, id;
    int step; /* of a transaction: what is under way */
    unsigned int tx;
    long done, repeated;
    char in[8192];
    size_t in_len;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void dial(struct client *c, const char *path, int id)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    *c = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM, 0), .id = id};
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)))
        die(path);
}

static size_t put(char *at, unsigned int type, unsigned int tx, const char *body, size_t len)
{
    struct xsd_sockmsg hdr = {.type = type, .tx_id = tx, .len = (uint32_t)len};

    memcpy(at, &hdr, sizeof(hdr));
    memcpy(at + sizeof(hdr), body, len);
    return sizeof(hdr) + len;
}

static void send_all(struct client *c, const char *msg, size_t len)
{
    if (send(c->fd, msg, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("send");
}

static void ask(struct client *c, unsigned int type, unsigned int tx, const char *body, size_t len)
{
    char msg[4200];

    send_all(c, msg, put(msg, type, tx, body, len));
}

/* The next message that is not an event, in place, or NULL: read more. */
static struct xsd_sockmsg *take(struct client *c, size_t *used)
{
    for (;;) {
        struct xsd_sockmsg *hdr = (void *)(c->in + *used);

        if (c->in_len - *used < sizeof(*hdr) || c->in_len - *used < sizeof(*hdr) + hdr->len)
            return NULL;
        *used += sizeof(*hdr) + hdr->len;
        if (hdr->type != XS_WATCH_EVENT)
            return hdr;
    }
}

static void more(struct client *c, size_t *used)
{
    ssize_t n;

    memmove(c->in, c->in + *used, c->in_len - *used);
    c->in_len -= *used;
    *used = 0;
    n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
    if (n <= 0)
        die("the daemon hung up");
    c->in_len += (size_t)n;
}

/* Send the step that comes next. A transaction: start, read, write, end. */
static void next(struct client *c, const char *mode)
{
    char path[64], body[96];
    int len = snprintf(path, sizeof(path), mode[0] == 's' ? "/bench/s%d" : "/bench/%d/node", c->id);

    if (mode[0] == 'r') {
        ask(c, XS_READ, 0, path, (size_t)len + 1);
    } else if (mode[0] == 'w') {
        len = snprintf(body, sizeof(body), "%s%c%ld", path, 0, c->done);
        ask(c, XS_WRITE, 0, body, (size_t)len);
    } else if (c->step == 0) {
        ask(c, XS_TRANSACTION_START, 0, "", 1);
    } else if (c->step == 1 && mode[0] == 's') {
        ask(c, XS_READ, c->tx, "/bench", 7);
    } else if (c->step == 1) {
        ask(c, XS_READ, c->tx, path, (size_t)len + 1);
    } else if (c->step == 2 && mode[0] == 's' && c->done % 2) {
        ask(c, XS_RM, c->tx, path, (size_t)len + 1);
    } else if (c->step == 2) {
        len = snprintf(body, sizeof(body), "%s%c%ld", path, 0, c->done);
        ask(c, XS_WRITE, c->tx, body, (size_t)len);
    } else {
        ask(c, XS_TRANSACTION_END, c->tx, "T", 2);
    }
}

/* An answer came. */
static void answered(struct client *c, const struct xsd_sockmsg *m, const char *mode)
{
    const char *body = (const char *)(m + 1);

    if (mode[0] == 'r' || mode[0] == 'w') {
        c->done++;
        return;
    }
    if (c->step == 0)
        c->tx = (unsigned int)strtoul(body, NULL, 10);
    if (c->step == 3) {
        bool again = m->type == XS_ERROR && !strcmp(body, "EAGAIN");

        c->repeated += again;
        c->done += !again;
    } else if (m->type == XS_ERROR) {
        fprintf(stderr, "%s\n", body);
        exit(1);
    }
    c->step = (c->step + 1) % 4;
}

/* All clients go on until a time, or each until it has done `count`. */
static void loop(struct client *c, int n, const char *mode, double until, long count)
{
    int ep = epoll_create1(0), left = n;
    struct epoll_event ev[64];

    for (int i = 0; i < n; i++) {
        ev[0] = (struct epoll_event){.events = EPOLLIN, .data.ptr = &c[i]};
        epoll_ctl(ep, EPOLL_CTL_ADD, c[i].fd, &ev[0]);
        next(&c[i], mode);
    }
    while (left && (!until || seconds() < until)) {
        int ready = epoll_wait(ep, ev, 64, 100);

        for (int i = 0; i < ready; i++) {
            struct client *k = ev[i].data.ptr;
            struct xsd_sockmsg *m;
            size_t used = 0;

            more(k, &used);
            while ((m = take(k, &used))) {
                answered(k, m, mode);
                if (count && k->done >= count)
                    left--;
                else
                    next(k, mode);
            }
            memmove(k->in, k->in + used, k->in_len - used);
            k->in_len -= used;
        }
    }
    close(ep);
}

static struct client *clients(const char *path, int n)
{
    struct client *c = calloc((size_t)n, sizeof(*c));

    for (int i = 0; i < n; i++) {
        char body[64];
        size_t used = 0;

        dial(&c[i], path, i);
        ask(&c[i], XS_WRITE, 0, body,
            (size_t)snprintf(body, sizeof(body), "/bench/%d/node%c0", i, 0));
        do
            more(&c[i], &used);
        while (!take(&c[i], &used));
        c[i].in_len = 0;
    }
    return c;
}

/* A process's own time, in microseconds, and memory, in KiB. */
static void usage(int pid, double *us, long *kib)
{
    char path[64];
    long long ns = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
    f = fopen(path, "r");
    if (!f || fscanf(f, "%lld", &ns) != 1)
        die(path);
    fclose(f);
    *us = (double)ns / 1000;
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    f = fopen(path, "r");
    if (!f || fscanf(f, "%*d %ld", kib) != 1)
        die(path);
    fclose(f);
    *kib *= 4;
}

static void rate(const char *path, int pid, const char *mode, int n, double length)
{
    struct client *c = clients(path, n);
    double began, before, after;
    long done = 0, kib;

    usage(pid, &before, &kib);
    began = seconds();
    loop(c, n, mode, began + length, 0);
    began = seconds() - began;
    usage(pid, &after, &kib);
    for (int i = 0; i < n; i++)
        done += c[i].done;
    printf("%.0f %.2f\n", (double)done / began, (after - before) / (double)done);
}

static void siblings(const char *path, int n, long count)
{
    struct client *c = clients(path, n);
    long repeated = 0;
    double began = seconds();

    loop(c, n, "siblings", 0, count);
    for (int i = 0; i < n; i++)
        repeated += c[i].repeated;
    printf("%ld %ld %.2f\n", n * count, repeated, seconds() - began);
}

/* Send what is in buf and wait for n replies; the first one's text is a transaction's number. */
static unsigned int exchange(struct client *c, const char *buf, size_t len, int n)
{
    struct xsd_sockmsg *m = NULL;
    unsigned int first = 0;
    size_t used = 0;

    send_all(c, buf, len);
    for (int got = 0; got < n; got++) {
        while (!(m = take(c, &used)))
            more(c, &used);
        if (m->type == XS_ERROR) {
            fprintf(stderr, "%s\n", (char *)(m + 1));
            exit(1);
        }
        if (!got)
            first = (unsigned int)strtoul((char *)(m + 1), NULL, 10);
    }
    memmove(c->in, c->in + used, c->in_len - used);
    c->in_len -= used;
    return first;
}

static void create(struct client *c, int domid)
{
    static char buf[64 << 10];
    char body[128];
    unsigned int tx;
    size_t len = 0;
    int n;

    tx = exchange(c, buf, put(buf, XS_TRANSACTION_START, 0, "", 1), 1);
    for (int i = 0; i < NODES - 20; i++) { /* and ten above them */
        n = snprintf(body, sizeof(body), "/local/domain/%d/device/vbd/%d/key%d%cvalue-%d", domid,
                     i / 10, i % 10, 0, i);
        len += put(buf + len, XS_WRITE, tx, body, (size_t)n);
    }
    exchange(c, buf, len, NODES - 20);
    for (len = 0, n = 0; n < 9; n++) {
        int size = snprintf(body, sizeof(body), "/local/domain/%d/%d%cvalue", domid, n, 0);

        len += put(buf + len, XS_WRITE, tx, body, (size_t)size);
    }
    exchange(c, buf, len, 9);
    exchange(c, buf, put(buf, XS_TRANSACTION_END, tx, "T", 2), 1);
    for (len = 0, n = 0; n < WATCHES; n++) {
        int size =
            snprintf(body, sizeof(body), "/local/domain/%d/device/vbd/%d%cw%d", domid, n, 0, domid);

        len += put(buf + len, XS_WATCH, 0, body, (size_t)size + 1);
    }
    exchange(c, buf, len, WATCHES);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void domains(const char *path, int count, int pid)
{
    double took[DOMAINS_STEP], before, after;
    struct client c;
    long kib;

    dial(&c, path, 0);
    usage(pid, &before, &kib);
    printf("0 0 0 %ld\n", kib);
    for (int i = 0; i < count; i++) {
        double began = seconds();

        create(&c, i + 1);
        took[i % DOMAINS_STEP] = (seconds() - began) * 1e6;
        if ((i + 1) % DOMAINS_STEP)
            continue;
        usage(pid, &after, &kib);
        qsort(took, DOMAINS_STEP, sizeof(took[0]), by_value);
        printf("%d %.0f %.0f %ld\n", i + 1, took[DOMAINS_STEP / 2], (after - before) / DOMAINS_STEP,
               kib);
        before = after;
    }
}

int main(int argc, char **argv)
{
    int pid;

    if (argc != 6) {
        fputs("usage: store-bench SOCKET PID read|write|txn|siblings|domains N M\n", stderr);
        return 2;
    }
    pid = atoi(argv[2]);
    if (!strcmp(argv[3], "domains"))
        domains(argv[1], atoi(argv[4]), pid);
    else if (!strcmp(argv[3], "siblings"))
        siblings(argv[1], atoi(argv[4]), atol(argv[5]));
    else
        rate(argv[1], pid, argv[3], atoi(argv[4]), atof(argv[5]));
    return 0;
}
