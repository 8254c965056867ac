/* SPDX-License-Identifier: MIT */
/*
 * test_journal.c: a store and the one that its successor reads from the journal are the same, with
 * its open transactions; and a domain on a ring does not notice that its daemon is killed, again
 * and again, at any point: every request is answered once, every commit counts once and the first
 * time, every event arrives.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "harness.h"
#include "journal.h"
#include "kids.h"
#include "ring.h"
#include "suites.h"
#include "txn.h"

static char dir[64];

static void begin_dir(void)
{
    strcpy(dir, "/dev/shm/xs-journal-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
}

static void end_dir(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void world_end_kept(struct store *s)
{
    struct journal *j = s->journal;

    world_end(s);
    journal_close(j);
}

static bool same_tree(const struct node *a, const struct node *b)
{
    struct kids_iter ia = {0}, ib = {0};
    const struct node *ka, *kb;

    if (strcmp(a->name, b->name) || a->gen != b->gen || a->perms->n != b->perms->n ||
        a->perms->stamp != b->perms->stamp ||
        memcmp(a->perms->p, b->perms->p, a->perms->n * sizeof(a->perms->p[0])))
        return false;
    if (!a->value != !b->value ||
        (a->value &&
         (a->value->len != b->value->len || memcmp(a->value->data, b->value->data, a->value->len))))
        return false;
    do {
        ka = kids_next(a->kids, &ia);
        kb = kids_next(b->kids, &ib);
        if (!ka != !kb || (ka && !same_tree(ka, kb)))
            return false;
    } while (ka);
    return true;
}

/* Everything of the store that a successor must have, made by random operations. */
static void same_state(void)
{
    struct store one, two;
    struct client *c;
    bool found;
    long compactions = 0;
    size_t size = 0;

    begin_dir();
    store_init(&one);
    CU_ASSERT_EQUAL_FATAL(journal_open(&one, dir, NULL, &found), 0);
    CU_ASSERT(!found);
    c = client_new(&one, 0);
    do_ask(c, XS_RM, 0, "/tool|");
    srandom(7);
    for (int i = 0; i < 60000; i++) {
        uint32_t t = random() % 4 ? 0 : txn_start(c);
        unsigned int d = (unsigned int)(random() % 30), k = (unsigned int)(random() % 40);

        if (random() % 8 == 0)
            do_ask(c, XS_RM, t, "/local/domain/%u|", d);
        do_ask(c, XS_WRITE, t, "/local/domain/%u/k%u/x|%d%0*d", d, k, i, (int)(random() % 300), 1);
        if (random() % 4 == 0)
            do_ask(c, XS_SET_PERMS, t, "/local/domain/%u/k%u|n%u|r%u|", d, k, d, k);
        if (t)
            do_ask(c, XS_TRANSACTION_END, t, random() % 4 ? "T|" : "F|");
        if (random() % 100 == 0)
            do_ask(c, XS_INTRODUCE, 0, "%u|1|%d|", d + 1, i + 1);
        if (random() % 300 == 0)
            do_ask(c, XS_RELEASE, 0, "%u|", d + 1);
        compactions += journal_size(one.journal) < size;
        size = journal_size(one.journal);
    }
    CU_ASSERT(compactions > 0);
    do_ask(c, XS_SET_PERMS, 0, "@releaseDomain|n0|r5|");
    do_ask(c, XS_CONTROL, 0, "quota|set|nodes|77|");
    do_ask(c, XS_CONTROL, 0, "quota|set|watches|99|5|");

    store_init(&two); /* the first is not closed: it was killed */
    CU_ASSERT_EQUAL_FATAL(journal_open(&two, dir, NULL, &found), 0);
    CU_ASSERT(found);
    CU_ASSERT(same_tree(one.root, two.root));
    CU_ASSERT(two.gen >= one.gen);
    for (int i = 0; i < 50; i++) {
        struct domain *a = domain_known(&one, i), *b = domain_known(&two, i);

        CU_ASSERT_EQUAL(!a, !b);
        if (!a || !b)
            continue;
        CU_ASSERT_EQUAL(a->nodes, b->nodes);
        CU_ASSERT_EQUAL(a->bytes, b->bytes);
        CU_ASSERT_EQUAL(a->introduced, b->introduced);
        CU_ASSERT_EQUAL(a->remote_port, b->remote_port);
    }
    CU_ASSERT_EQUAL(two.special[SPECIAL_RELEASE]->n, 2);
    CU_ASSERT_EQUAL(two.quota.limit[QUOTA_NODES], 77);
    CU_ASSERT_EQUAL(domain_limit(&two, domain_known(&two, 5), QUOTA_WATCHES), 99);
    client_free(c);
    world_end_kept(&two);
    world_end_kept(&one);
    end_dir();
}

static void write_much(struct client *c, int n)
{
    for (int i = 0; i < n; i++)
        do_ask(c, XS_WRITE, 0, "/much/%d|%0200d", i % 50, i);
}

/*
 * Transactions open at a kill: each sees its own tree, conflicts with what came after its start and
 * with nothing else, and brings over what it did, whether the log was written anew meanwhile or
 * not.
 */
static void open_transactions(void)
{
    for (int anew = 0; anew < 2; anew++) {
        struct store one, two;
        struct client *a, *b, *c;
        struct message m;
        uint32_t t[6];
        size_t before;
        bool found;

        begin_dir();
        store_init(&one);
        CU_ASSERT_EQUAL_FATAL(journal_open(&one, dir, NULL, &found), 0);
        a = client_new(&one, 0);
        b = client_new(&one, 0);
        do_ask(a, XS_WRITE, 0, "/x|0");
        do_ask(a, XS_WRITE, 0, "/dir/one|1");
        do_ask(a, XS_WRITE, 0, "/gone/soon|1");
        for (int i = 0; i < 6; i++) {
            t[i] = txn_start(a);
            do_ask(b, XS_WRITE, 0, "/between/%d|%d", i, i);
        }
        CU_ASSERT(reads(a, t[0], "/x", "0")); /* will conflict: x changes */
        CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t[0], "/y|0"), 0);
        CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t[1], "/dir/two/deep|2"), 0); /* will merge */
        CU_ASSERT_EQUAL(do_ask(a, XS_SET_PERMS, t[1], "/dir/one|n3|r4|"), 0);
        CU_ASSERT_EQUAL(do_ask(a, XS_RM, t[2], "/gone|"), 0); /* will merge: a removal */
        CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t[2], "/gone/again|3"), 0);
        CU_ASSERT_EQUAL(do_ask(a, XS_DIRECTORY, t[3], "/between|"), 0); /* will conflict: a child */
        CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t[3], "/z|0"), 0);
        CU_ASSERT_EQUAL(do_ask(a, XS_WRITE, t[4], "/dropped|4"), 0); /* will be aborted */
        do_ask(b, XS_WRITE, 0, "/x|1");
        do_ask(b, XS_WRITE, 0, "/between/more|1");
        for (before = 0; anew && journal_size(one.journal) >= before;) {
            before = journal_size(one.journal);
            write_much(b, 1000);
            CU_ASSERT_FATAL(before < 100 << 20); /* it never is */
        }

        store_init(&two); /* the first was killed */
        CU_ASSERT_EQUAL_FATAL(journal_open(&two, dir, NULL, &found), 0);
        c = client_adopt(journal_conn_find(two.journal, a->conn->id));
        CU_ASSERT_EQUAL_FATAL(c->conn->txn_count, 6);
        CU_ASSERT(same_tree(one.root, two.root));
        for (struct txn *x = a->conn->txns; x; x = x->next) {
            struct txn *y = conn_find_txn(c->conn, x->id);

            CU_ASSERT_FATAL(y != NULL);
            CU_ASSERT(same_tree(x->base, y->base));
            CU_ASSERT(same_tree(x->root, y->root));
            CU_ASSERT_EQUAL(x->n, y->n);
        }
        CU_ASSERT(reads(c, t[1], "/dir/two/deep", "2"));
        CU_ASSERT(reads(c, t[5], "/x", "0"));
        CU_ASSERT_EQUAL(do_ask(c, XS_READ, t[0], "/between/0|"), ENOENT);
        CU_ASSERT_EQUAL(do_ask(c, XS_TRANSACTION_END, t[0], "T|"), EAGAIN);
        CU_ASSERT_EQUAL(do_ask(c, XS_TRANSACTION_END, t[1], "T|"), 0);
        CU_ASSERT_EQUAL(do_ask(c, XS_TRANSACTION_END, t[2], "T|"), 0);
        CU_ASSERT_EQUAL(do_ask(c, XS_TRANSACTION_END, t[3], "T|"), EAGAIN);
        CU_ASSERT_EQUAL(do_ask(c, XS_TRANSACTION_END, t[4], "F|"), 0);
        CU_ASSERT_EQUAL(do_ask(c, XS_TRANSACTION_END, t[5], "T|"), 0);
        CU_ASSERT(reads(c, 0, "/dir/two/deep", "2"));
        CU_ASSERT(reads(c, 0, "/gone/again", "3"));
        CU_ASSERT_EQUAL(do_ask(c, XS_READ, 0, "/gone/soon|"), ENOENT);
        CU_ASSERT_EQUAL(do_ask(c, XS_READ, 0, "/dropped|"), ENOENT);
        CU_ASSERT_EQUAL(domain_known(&two, 3)->nodes, 1);
        CU_ASSERT_EQUAL(ask(c, XS_CONTROL, 0, &m, "check|"), 0);
        CU_ASSERT_STRING_EQUAL(m.body, "OK");
        client_free(c);
        client_free(a);
        client_free(b);
        world_end_kept(&two);
        world_end_kept(&one);
        end_dir();
    }
}

/* A watch whose event found no room is looked after by the successor. */
static void marked_watch(void)
{
    struct store one, two;
    struct client *a, *b, *c;
    bool found;
    int seen = 0;

    begin_dir();
    store_init(&one);
    CU_ASSERT_EQUAL_FATAL(journal_open(&one, dir, NULL, &found), 0);
    a = client_new(&one, 0);
    b = client_new(&one, 0);
    do_ask(a, XS_WATCH, 0, "/many|t|");
    do_ask(a, XS_WATCH, 0, "/last|u|");
    a->drain = false;
    for (int i = 0; i < 3000; i++)
        do_ask(b, XS_WRITE, 0, "/many/a-name-of-some-length-%d|1", i);
    CU_ASSERT_EQUAL(a->conn->overdue, 1);
    do_ask(b, XS_WRITE, 0, "/last|1");
    CU_ASSERT_EQUAL(a->conn->overdue, 2);
    store_init(&two);
    CU_ASSERT_EQUAL_FATAL(journal_open(&two, dir, NULL, &found), 0);
    c = client_adopt(journal_conn_find(two.journal, a->conn->id));
    conn_touch(c->conn);
    conn_flush_all(&two);
    for (const char *e; (e = event(c));)
        seen |= strcmp(e, "/many t") == 0 ? 1 : strcmp(e, "/last u") == 0 ? 2 : 0;
    CU_ASSERT_EQUAL(seen, 3);
    client_free(c);
    client_free(a);
    client_free(b);
    world_end_kept(&two);
    world_end_kept(&one);
    end_dir();
}

/* A log that is cut or damaged anywhere is refused or read, never more. */
static void damaged(void)
{
    struct store one;
    struct client *c;
    char path[100], *log;
    bool found;
    long len;
    FILE *f;
    uint64_t tail;
    int refused = 0;

    begin_dir();
    store_init(&one);
    CU_ASSERT_EQUAL_FATAL(journal_open(&one, dir, NULL, &found), 0);
    c = client_new(&one, 0);
    for (int i = 0; i < 20; i++)
        do_ask(c, XS_WRITE, 0, "/local/domain/%d/x|%d", i, i);
    do_ask(c, XS_INTRODUCE, 0, "5|1|7|");
    client_free(c);
    world_end_kept(&one);
    snprintf(path, sizeof(path), "%s/log", dir);
    f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    log = malloc(1 << 20);
    len = (long)fread(log, 1, 1 << 20, f);
    fclose(f);
    memcpy(&tail, log + 16, sizeof(tail));
    CU_ASSERT(len > 0 && tail < (uint64_t)len);

    fflush(stderr);
    CU_ASSERT_PTR_NOT_NULL(freopen("/dev/null", "w", stderr)); /* it says why, very often */
    srandom(11);
    for (int i = 0; i < 600; i++) {
        char was;
        size_t at = 8 + (size_t)random() % (size_t)(tail - 8);

        was = log[at];
        log[at] = (char)random();
        f = fopen(path, "w");
        fwrite(log, 1, (size_t)len, f);
        fclose(f);
        store_init(&one);
        refused += journal_open(&one, dir, NULL, &found) != 0;
        world_end_kept(&one);
        log[at] = was;
    }
    CU_ASSERT_PTR_NOT_NULL(freopen("/dev/stderr", "w", stderr));
    CU_ASSERT(refused > 50);
    free(log);
    end_dir();
}

/* The domain's page and the two directions of its event channel, shared with the daemons. */
static struct xenstore_domain_interface *page;
static int to_daemon, to_guest;

static void kick_guest(struct ring *r)
{
    uint64_t one = 1;

    if (write(to_guest, &one, sizeof(one)) < 0)
        _exit(3);
}

static void unmap_nothing(struct ring *r)
{
}

/* A daemon with one ring, until it is killed. */
static void daemon_main(void)
{
    static struct store s;
    static struct ring ring;
    struct domain *d;
    uint64_t n;
    bool found;

    store_init(&s);
    if (journal_open(&s, dir, NULL, &found))
        _exit(1);
    ring = (struct ring){.page = page, .notify = kick_guest, .unmap = unmap_nothing};
    d = domain_get(&s, 1);
    if (d->conn) {
        ring_take_over(d->conn, &ring);
    } else if (!found || !d->introduced) {
        struct view dom0 = {.store = &s};
        struct xsw_perm owner = {1, 0};

        store_mkdir(&dom0, "/local/domain/1", 15);
        store_set_perms(&dom0, "/local/domain/1", 15, &owner, 1);
        d->introduced = true;
        d->conn = conn_new(&s, NULL, NULL, d);
        ring_attach(d->conn, &ring, false); /* the guest may have sent something already */
        journal_domain(s.journal, d);
    } else {
        _exit(2); /* the connection was lost */
    }
    for (;;) {
        conn_flush_all(&s);
        if (!d->conn || read(to_daemon, &n, sizeof(n)) < 0)
            _exit(4);
        ring_event(d->conn);
    }
}

static pid_t child;
static volatile bool stop_killing;
static _Atomic unsigned answers; /* that the guest got */
static _Atomic int kills;
static int bad_ends;

static void start_daemon(void)
{
    child = fork();
    if (child == 0)
        daemon_main();
}

/*
 * Each life is a random time; after one without any answer the next may be longer: so the guest
 * gets on, however slow the machine is.
 */
static void *killer(void *arg)
{
    unsigned int seed = 5, longest = 3000, before = 0;
    int status;

    while (!stop_killing) {
        longest = answers != before ? 3000 : longest < 1000000 ? longest + longest / 8 : longest;
        before = answers;
        usleep((useconds_t)(rand_r(&seed) % (int)longest));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        bad_ends += !WIFSIGNALED(status);
        kills++;
        start_daemon();
    }
    return NULL;
}

static char received[4 * XSW_MESSAGE_MAX];
static size_t received_len;
static int events, strays;

/* Wait for the reply to req_id; count events on the way. */
static bool await(uint32_t req_id, struct message *m)
{
    for (;;) {
        struct xsw_frame f;
        uint64_t n;
        int used = xsw_frame_next(received, received_len, &f);

        if (used < 0)
            return false;
        if (used > 0) {
            m->hdr = f.hdr;
            memcpy(m->body, f.body, f.hdr.len);
            m->body[f.hdr.len] = 0;
            received_len -= (size_t)used;
            memmove(received, received + used, received_len);
            if (m->hdr.type == XS_WATCH_EVENT) {
                events++;
                continue;
            }
            if (m->hdr.req_id == req_id) {
                answers++;
                return true;
            }
            strays++;
            continue;
        }
        used = (int)guest_get(page, received + received_len, sizeof(received) - received_len);
        received_len += (size_t)used;
        n = 1;
        if (used && write(to_daemon, &n, sizeof(n)) < 0)
            return false;
        if (!used && read(to_guest, &n, sizeof(n)) < 0)
            return false;
    }
}

static bool call(uint32_t type, uint32_t tx, const char *body, size_t len, struct message *m)
{
    static uint32_t req_id;
    char buf[XSW_MESSAGE_MAX];
    uint64_t one = 1;
    size_t put = 0;

    xsw_header_put(buf, type, ++req_id, tx, (uint32_t)len);
    memcpy(buf + XSW_HEADER_LEN, body, len);
    len += XSW_HEADER_LEN;
    while (put < len) {
        size_t part = guest_put(page, buf + put, len - put);

        put += part;
        if (write(to_daemon, &one, sizeof(one)) < 0)
            return false;
        if (!part && read(to_guest, &one, sizeof(one)) < 0)
            return false;
    }
    return await(req_id, m);
}

/* counter += 1 in a transaction; as often as it takes. */
static bool increment(int *retries)
{
    static const char path[] = "counter";
    struct message m;
    char body[64];
    uint32_t tx;
    int len;

    for (;;) {
        if (!call(XS_TRANSACTION_START, 0, "", 1, &m) || m.hdr.type != XS_TRANSACTION_START)
            return false;
        tx = (uint32_t)strtoul(m.body, NULL, 10);
        if (!call(XS_READ, tx, path, sizeof(path), &m))
            return false;
        len = snprintf(body, sizeof(body), "%s%c%ld", path, 0,
                       (m.hdr.type == XS_READ ? strtol(m.body, NULL, 10) : 0) + 1);
        if (!call(XS_WRITE, tx, body, (size_t)len, &m) || m.hdr.type != XS_WRITE)
            return false;
        if (!call(XS_TRANSACTION_END, tx, "T", 2, &m))
            return false;
        if (m.hdr.type == XS_TRANSACTION_END)
            return true;
        if (strcmp(m.body, "EAGAIN"))
            return false;
        ++*retries;
    }
}

static void killed_daemon(void)
{
    enum { ROUNDS = 4000 };
    static char big[1900];
    struct message m;
    pthread_t thread;
    int done = 0, retries = 0, writes = 0;
    char number[16];

    begin_dir();
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    to_daemon = eventfd(0, 0);
    to_guest = eventfd(0, 0);
    start_daemon();
    CU_ASSERT(call(XS_WATCH, 0, "w\0t", 4, &m) && m.hdr.type == XS_WATCH);
    pthread_create(&thread, NULL, killer, NULL);
    memcpy(big, "w\0", 2);
    memset(big + 2, 'x', sizeof(big) - 2);
    for (; done < ROUNDS || (kills <= 20 && done < 100 * ROUNDS); done++) {
        if (!increment(&retries))
            break;
        if (done % 8)
            continue;
        /* longer than the ring, and read back */
        if (!call(XS_WRITE, 0, big, sizeof(big), &m) || m.hdr.type != XS_WRITE)
            break;
        writes++;
        if (!call(XS_READ, 0, "w", 2, &m) || m.hdr.len != sizeof(big) - 2)
            break;
    }
    stop_killing = true;
    pthread_join(thread, NULL);
    CU_ASSERT(done >= ROUNDS);
    CU_ASSERT(call(XS_READ, 0, "counter", 8, &m));
    snprintf(number, sizeof(number), "%d", done);
    CU_ASSERT_STRING_EQUAL(m.body, number);
    CU_ASSERT_EQUAL(events, writes + 1);
    CU_ASSERT_EQUAL(strays, 0);
    CU_ASSERT_EQUAL(bad_ends, 0);
    CU_ASSERT_EQUAL(retries, 0);
    CU_ASSERT(kills > 20);
    printf(" (%d kills, %d transactions repeated)", kills, retries);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    munmap(page, 4096);
    close(to_daemon);
    close(to_guest);
    end_dir();
}

CU_TestInfo journal_tests[] = {
    {"a successor reads the same state", same_state},
    {"open transactions", open_transactions},
    {"a marked watch", marked_watch},
    {"damaged logs", damaged},
    {"a ring across kill -9", killed_daemon},
    CU_TEST_INFO_NULL,
};
