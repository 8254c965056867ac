/* SPDX-License-Identifier: MIT */
/*
 * store_load.c: clients that keep a daemon busy and believe nothing that they did not check.
 *
 * usage: store-load THREADS ROUNDS [shared] [exact]
 * Each thread writes rising numbers to a node of its own and reads each back, and raises a
 * counter in transactions that also touch its siblings' parent. A watcher must have seen every
 * thread's last number in the end. ROUNDS 0: until standard input ends. shared: one handle for all.
 * exact: each counter was raised as often as that was acknowledged, not more often either (a client
 * that has to connect again repeats a commit whose answer it missed). Written for <xenstore.h>: it
 * runs with libmullionstore and with Debian's libxenstore; daemons may be killed meanwhile, with
 * ours keepers too. Prints what it did; exit status 1: something acknowledged was lost.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

static int threads, rounds;
static bool exact;
static volatile bool stop;
static int *last; /* what each thread wrote last */
static struct xs_handle *shared;
static atomic_int wrong;
static atomic_long operations, conflicts;

static void complain(int id, const char *what)
{
    fprintf(stderr, "store-load: thread %d: %s: %s\n", id, what, strerror(errno));
    wrong++;
}

static long read_number(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    unsigned int len;
    char *text = xs_read(h, t, path, &len);
    long value = text ? strtol(text, NULL, 10) : -1;

    free(text);
    operations++;
    return value;
}

static bool write_number(struct xs_handle *h, xs_transaction_t t, const char *path, long value)
{
    char text[24];

    snprintf(text, sizeof(text), "%ld", value);
    operations++;
    return xs_write(h, t, path, text, (unsigned int)strlen(text));
}

/* Returns how often the commit was tried. */
static int raise_counter(struct xs_handle *h, int id, const char *path)
{
    for (int tries = 1;; tries++) {
        xs_transaction_t t = xs_transaction_start(h);
        long value;

        if (t == XBT_NULL) {
            complain(id, "start a transaction");
            return tries;
        }
        value = read_number(h, t, path);
        if (!write_number(h, t, path, value < 0 ? 1 : value + 1)) {
            complain(id, "write in a transaction");
            xs_transaction_end(h, t, true);
            return tries;
        }
        operations += 2;
        if (xs_transaction_end(h, t, false))
            return tries;
        if (errno != EAGAIN) {
            complain(id, "commit");
            return tries;
        }
        conflicts++;
    }
}

static void *client(void *arg)
{
    int id = (int)(intptr_t)arg;
    struct xs_handle *h = shared ? shared : xs_open(0);
    char path[64], counter[64];
    long raised = 0;

    snprintf(path, sizeof(path), "/load/node/%d", id);
    snprintf(counter, sizeof(counter), "/load/counter/%d", id);
    for (int i = 1; h && (rounds ? i <= rounds : !stop); i++) {
        if (!write_number(h, XBT_NULL, path, i))
            complain(id, "write");
        last[id] = i;
        if (read_number(h, XBT_NULL, path) != i)
            complain(id, "read back");
        if (i % 8 == 0) {
            raise_counter(h, id, counter);
            raised++;
        }
        if (wrong > 10)
            break;
    }
    if (!h)
        complain(id, "open");
    else if (raised) {
        long found = read_number(h, XBT_NULL, counter);

        if (found < raised || (exact && found != raised))
            complain(id, "counter");
    }
    if (!shared)
        xs_close(h);
    return NULL;
}

/* Wait until the watcher has seen every thread's last number; false after 30 s without news. */
static bool see_all(struct xs_handle *h)
{
    bool *seen = calloc((size_t)threads, sizeof(*seen));
    int missing = threads;

    while (missing) {
        char **event = xs_check_watch(h);
        int id;

        if (!event) {
            struct pollfd p = {.fd = xs_fileno(h), .events = POLLIN};

            if (errno != EAGAIN || poll(&p, 1, 30000) <= 0)
                break;
            continue;
        }
        if (sscanf(event[XS_WATCH_PATH], "/load/node/%d", &id) == 1 && !seen[id] &&
            read_number(h, XBT_NULL, event[XS_WATCH_PATH]) == last[id]) {
            seen[id] = true;
            missing--;
        } else if (!strcmp(event[XS_WATCH_PATH], "/load")) { /* "look at all of it" */
            for (id = 0; id < threads; id++) {
                char path[64];

                snprintf(path, sizeof(path), "/load/node/%d", id);
                if (!seen[id] && read_number(h, XBT_NULL, path) == last[id]) {
                    seen[id] = true;
                    missing--;
                }
            }
        }
        free(event);
    }
    free(seen);
    return missing == 0;
}

int main(int argc, char **argv)
{
    struct xs_handle *watcher = xs_open(0);
    struct timespec a, b;
    pthread_t *thread;
    double seconds;

    if (argc < 3 || !watcher) {
        fprintf(stderr, "usage: store-load THREADS ROUNDS [shared]; needs a daemon\n");
        return 2;
    }
    threads = atoi(argv[1]);
    rounds = atoi(argv[2]);
    for (int i = 3; i < argc; i++) {
        exact |= !strcmp(argv[i], "exact");
        if (!strcmp(argv[i], "shared"))
            shared = xs_open(0);
    }
    last = calloc((size_t)threads, sizeof(*last));
    thread = calloc((size_t)threads, sizeof(*thread));
    xs_rm(watcher, XBT_NULL, "/load");
    if (!xs_watch(watcher, "/load", "token"))
        complain(-1, "watch");
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < threads; i++)
        pthread_create(&thread[i], NULL, client, (void *)(intptr_t)i);
    for (char c; !rounds && !stop;)
        stop = read(0, &c, 1) <= 0;
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    if (!see_all(watcher))
        complain(-1, "an event was lost");
    clock_gettime(CLOCK_MONOTONIC, &b);
    seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    printf("%ld requests in %.2f s (%.0f/s), %ld commits repeated, %d wrong\n", operations, seconds,
           (double)operations / seconds, conflicts, wrong);
    xs_close(watcher);
    xs_close(shared);
    free(thread);
    free(last);
    return wrong != 0;
}
