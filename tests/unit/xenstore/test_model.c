/* SPDX-License-Identifier: MIT */
/*
 * test_model.c: random operations of eight clients, with transactions, watches and permissions,
 * against the model of model.h; and every few thousand of them the store is given up as it is, as
 * by kill -9, and its successor goes on from the journal in mid-transaction.
 *
 * usage: test-xenstore-model [OPERATIONS [SEED]]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "journal.h"
#include "journal_log.h"
#include "model.h"
#include "txn.h"

enum { CLIENTS = 8, TXNS = 3, WATCHES = 6, CALLS = 24 };

static const uint16_t domid_of[CLIENTS] = {0, 0, 0, 1, 2, 3, 4, 5};

struct mtxn {
    uint32_t id; /* 0: none */
    bool wrote;
    unsigned int calls;
    struct mtree began, tree;
    struct mcall call[CALLS];
};

struct mclient {
    struct client *client;
    struct mtxn txn[TXNS];
    int watch[WATCHES];             /* the node; -1: none. Its token is its place here */
    uint32_t expected[MODEL_NODES]; /* bit per watch: an event of that node is due */
};

static struct store *store;
static struct mtree now;
static struct mclient all[CLIENTS];
static uint64_t version, seed;
static long done, commits, conflicts, refused, events_seen, lives;
static char dir[64] = "/dev/shm/xs-model-XXXXXX";

static uint32_t any(uint32_t n) /* xorshift: the same everywhere */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

#define must(what, ...)                                                  \
    do {                                                                 \
        if (!(what)) {                                                   \
            fprintf(stderr, "operation %ld: not so: %s: ", done, #what); \
            fprintf(stderr, __VA_ARGS__);                                \
            fputc('\n', stderr);                                         \
            abort();                                                     \
        }                                                                \
    } while (0)

/* Those who watch `at`, and whom one of the lists lets read, are to be told of `node`. */
static void expect(int at, int node, const struct mnode *a, const struct mnode *b,
                   const struct mnode *c)
{
    for (int i = 0; i < CLIENTS; i++) {
        bool told = domid_of[i] == 0 || (a && (model_rights(a, domid_of[i]) & XSW_PERM_READ)) ||
                    (b && (model_rights(b, domid_of[i]) & XSW_PERM_READ)) ||
                    (c && (model_rights(c, domid_of[i]) & XSW_PERM_READ));

        for (int w = 0; told && w < WATCHES; w++)
            if (all[i].watch[w] == at)
                all[i].expected[node] |= 1u << w;
    }
}

static void expect_above(int node, const struct mnode *a, const struct mnode *b,
                         const struct mnode *c)
{
    for (int at = node; at >= 0; at = model_parent(at))
        expect(at, node, a, b, c);
}

static const struct mnode *there(const struct mtree *t, int node)
{
    return node >= 0 && t->node[node].there ? &t->node[node] : NULL;
}

/* The deepest node there is strictly above. */
static const struct mnode *above(const struct mtree *t, int node)
{
    for (node = model_parent(node); node >= 0; node = model_parent(node))
        if (there(t, node))
            return &t->node[node];
    return NULL;
}

static void expect_removed(const struct mtree *was, int node, const struct mnode *parent)
{
    for (int i = node + 1; i < MODEL_NODES; i++)
        if (model_within(i, node) && there(was, i))
            expect(i, i, &was->node[i], NULL, &was->node[model_parent(i)]);
    expect_above(node, &was->node[node], NULL, parent);
}

static bool changes(const struct mcall *c)
{
    return !c->rc && c->op > M_GET_PERMS;
}

/* What a change that counts at once causes. */
static void expect_call(const struct mtree *was, const struct mcall *c)
{
    if (!changes(c))
        return;
    if (c->op == M_RM && there(was, c->node))
        expect_removed(was, c->node, there(&now, model_parent(c->node)));
    if (c->op == M_WRITE || (c->op == M_MKDIR && !there(was, c->node)))
        expect_above(c->node, NULL, &now.node[c->node], above(was, c->node));
    if (c->op == M_SET_PERMS)
        expect_above(c->node, &was->node[c->node], &now.node[c->node], above(&now, c->node));
}

/* What a commit causes: one event for each node that was named in a change. */
static void expect_commit(const struct mtxn *t)
{
    bool named[MODEL_NODES] = {false}, removed[MODEL_NODES] = {false};
    struct mtree then = t->began;

    for (unsigned int i = 0; i < t->calls; i++) {
        struct mcall c = t->call[i];
        bool was = then.node[c.node].there;

        if (!changes(&c))
            continue;
        model_do(&then, &c, 0);
        if ((c.op == M_MKDIR && was) || (c.op == M_RM && !was))
            continue;
        named[c.node] = true;
        removed[c.node] |= c.op == M_RM;
    }
    for (int i = 0; i < MODEL_NODES; i++) {
        const struct mnode *was = there(&t->began, i), *is = there(&now, i);

        if (named[i] && removed[i] && was)
            expect_removed(&t->began, i, above(&now, i));
        if (named[i] && (is || !was || !removed[i]))
            expect_above(i, was, is, above(&now, i));
    }
}

static int node_at(const char *path)
{
    for (int i = 0; i < MODEL_NODES; i++)
        if (!strcmp(model_path(i), path))
            return i;
    return -1;
}

/* Every client has got the events that are due, and no others. */
static void check_events(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        uint32_t got[MODEL_NODES] = {0};
        const char *e;

        while ((e = event(all[i].client))) {
            char path[16];
            int w, node;

            must(sscanf(e, "%15s t%d", path, &w) == 2, "%s", e);
            node = node_at(path);
            must(node >= 0 && w < WATCHES, "client %d: %s", i, e);
            must(all[i].expected[node] >> w & 1, "client %d was told of %s", i, e);
            got[node] |= 1u << w;
            events_seen++;
        }
        for (int n = 0; n < MODEL_NODES; n++)
            must(got[n] == all[i].expected[n], "client %d was not told of %s: %x of %x", i,
                 model_path(n), got[n], all[i].expected[n]);
        memset(all[i].expected, 0, sizeof(all[i].expected));
    }
}

static const uint32_t type_of[M_OPS] = {
    [M_READ] = XS_READ,          [M_DIRECTORY] = XS_DIRECTORY, [M_GET_PERMS] = XS_GET_PERMS,
    [M_WRITE] = XS_WRITE,        [M_MKDIR] = XS_MKDIR,         [M_RM] = XS_RM,
    [M_SET_PERMS] = XS_SET_PERMS};

/* Ask the daemon the same; its answer must be the model's. */
static void compare(struct client *client, uint32_t tx, const struct mcall *c)
{
    static const char letter[] = "nrwb";
    struct message m;
    char perms[64] = "", *end = perms;
    int rc;

    for (uint32_t i = 0; c->op == M_SET_PERMS && i < c->perms; i++)
        end += sprintf(end, "%c%u|", letter[c->perm[i].bits & 3], c->perm[i].domid);
    if (c->op == M_WRITE)
        rc = ask(client, XS_WRITE, tx, &m, "%s|%d", model_path(c->node), c->value);
    else
        rc = ask(client, type_of[c->op], tx, &m, "%s|%s", model_path(c->node), perms);
    must(rc == c->rc, "op %d of %u on %s: %d, not %d", c->op, c->who, model_path(c->node), rc,
         c->rc);
    for (uint32_t i = 0; !rc && i < m.hdr.len; i++)
        m.body[i] = m.body[i] ? m.body[i] : '|';
    must(rc || !strcmp(m.body, c->result), "op %d on %s: %s, not %s", c->op, model_path(c->node),
         m.body, c->result);
}

static void any_call(struct mcall *c, uint16_t who)
{
    *c = (struct mcall){.op = any(M_OPS), .who = who, .value = (int)any(1000)};
    do
        c->node = any(3) ? (int)any(13) : (int)any(MODEL_NODES);
    while (c->op == M_RM && c->node == 0);
    c->perms = 1 + any(MODEL_PERMS);
    for (uint32_t i = 0; i < c->perms; i++)
        c->perm[i] = (struct xsw_perm){.domid = (uint16_t)any(6), .bits = (uint8_t)any(4)};
    if (c->op == M_SET_PERMS && any(2))
        c->perm[0].domid = who;
}

static void one_call(struct mclient *k, uint16_t who, struct mtxn *t)
{
    struct mtree was = now;
    struct mcall c;

    any_call(&c, who);
    model_do(t ? &t->tree : &now, &c, ++version);
    compare(k->client, t ? t->id : 0, &c);
    refused += c.rc != 0;
    if (!t) {
        expect_call(&was, &c);
        return;
    }
    t->wrote |= changes(&c) && memcmp(&t->tree, &t->began, sizeof(t->tree));
    t->call[t->calls++] = c;
}

/* Was something changed that the transaction's operations could depend on? */
static bool touched(const struct mtxn *t)
{
    for (unsigned int i = 0; i < t->calls; i++)
        for (int n = 0; n < MODEL_NODES; n++)
            if ((model_within(n, t->call[i].node) || model_within(t->call[i].node, n)) &&
                now.node[n].version != t->began.node[n].version)
                return true;
    return false;
}

static void commit(struct mclient *k, struct mtxn *t)
{
    struct mtree then = now;
    bool same = true;
    int rc;

    for (unsigned int i = 0; i < t->calls; i++) {
        struct mcall c = t->call[i];

        model_do(&then, &c, ++version);
        same &= c.rc == t->call[i].rc && !strcmp(c.result, t->call[i].result);
    }
    rc = do_ask(k->client, XS_TRANSACTION_END, t->id, "T|");
    must(rc == 0 || rc == EAGAIN, "commit: %d", rc);
    if (rc)
        must(t->wrote && touched(t), "a conflict with nothing, after %u calls", t->calls);
    else if (t->wrote)
        must(same, "a conflict was missed, after %u calls", t->calls);
    commits += rc == 0;
    conflicts += rc != 0;
    if (!rc && t->wrote) {
        now = then;
        expect_commit(t);
    }
    t->id = 0;
}

static void transaction(struct mclient *k, uint16_t who)
{
    struct mtxn *t = &k->txn[any(TXNS)];

    if (!t->id) {
        t->id = txn_start(k->client);
        must(t->id, "no transaction");
        t->began = t->tree = now;
        t->wrote = false;
        t->calls = 0;
    } else if (t->calls == CALLS || any(6) == 0) {
        commit(k, t);
    } else if (any(20) == 0) {
        must(do_ask(k->client, XS_TRANSACTION_END, t->id, "F|") == 0, "abort");
        t->id = 0;
    } else {
        one_call(k, who, t);
    }
}

static void watch(struct mclient *k)
{
    int w = (int)any(WATCHES), node = (int)any(MODEL_NODES);

    if (k->watch[w] >= 0) {
        must(do_ask(k->client, XS_WATCH, 0, "%s|t%d|", model_path(k->watch[w]), w) == EEXIST,
             "watch twice");
        must(do_ask(k->client, XS_UNWATCH, 0, "%s|t%d|", model_path(k->watch[w]), w) == 0,
             "unwatch");
        k->watch[w] = -1;
        return;
    }
    must(do_ask(k->client, XS_UNWATCH, 0, "%s|t%d|", model_path(node), w) == ENOENT,
         "unwatch what is not");
    must(do_ask(k->client, XS_WATCH, 0, "%s|t%d|", model_path(node), w) == 0, "watch");
    k->watch[w] = node;
    k->expected[node] |= 1u << w;
}

static void reset(struct mclient *k)
{
    must(do_ask(k->client, XS_RESET_WATCHES, 0, "|") == 0, "reset");
    for (int w = 0; w < WATCHES; w++)
        k->watch[w] = -1;
    for (int t = 0; t < TXNS; t++)
        k->txn[t].id = 0;
}

static struct store *open_store(void)
{
    struct store *s = calloc(1, sizeof(*s));
    bool found;

    store_init(s);
    must(journal_open(s, dir, NULL, &found) == 0, "no journal");
    return s;
}

/* The store ends where it is; a successor reads the journal and takes its clients over. */
static void next_life(void)
{
    struct store *old = store;
    struct journal *j = old->journal;

    store = open_store();
    for (int i = 0; i < CLIENTS; i++) {
        struct conn *c = journal_conn_find(store->journal, all[i].client->conn->id);
        struct client *heir;

        must(c && c->who.domid == domid_of[i], "client %d is gone", i);
        heir = client_adopt(c);
        all[i].client->closed = false;
        j->replaying = true; /* the dead record nothing */
        client_free(all[i].client);
        all[i].client = heir;
        conn_touch(c);
    }
    conn_flush_all(store);
    world_end(old);
    journal_close(j);
    free(old);
    lives++;
}

/* All of the tree, seen by dom0. */
static void check_tree(void)
{
    struct message m;

    for (int n = 0; n < MODEL_NODES; n++) {
        for (int op = M_READ; op <= M_GET_PERMS; op++) {
            struct mcall c = {.op = op, .node = n};

            model_do(&now, &c, 0);
            compare(all[0].client, 0, &c);
        }
    }
    must(ask(all[0].client, XS_CONTROL, 0, &m, "check|") == 0 && !strcmp(m.body, "OK"), "%s",
         m.body);
}

static void begin(void)
{
    must(mkdtemp(dir) != NULL, "%s", dir);
    store = open_store();
    model_init(&now);
    for (int i = 0; i < CLIENTS; i++) {
        all[i].client = client_new(store, domid_of[i]);
        for (int w = 0; w < WATCHES; w++)
            all[i].watch[w] = -1;
    }
    for (int n = 1; n < 4; n++) { /* a beginning that others than dom0 can do something with */
        struct mcall c = {
            .op = M_SET_PERMS, .node = n, .perms = 1, .perm = {{(uint16_t)n, XSW_PERM_READ}}};
        struct mcall w = {.op = M_WRITE, .node = n};

        model_do(&now, &w, ++version);
        compare(all[0].client, 0, &w);
        model_do(&now, &c, ++version);
        compare(all[0].client, 0, &c);
    }
}

static void end(void)
{
    struct journal *j = store->journal;
    char command[128];

    check_tree();
    for (int i = 0; i < CLIENTS; i++)
        client_free(all[i].client);
    world_end(store);
    journal_close(j);
    free(store);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command))
        exit(1);
}

int main(int argc, char **argv)
{
    long operations = argc > 1 ? atol(argv[1]) : 1000000;

    seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    seed = seed * 2654435761u + 88172645463325252u;
    begin();
    for (; done < operations; done++) {
        int i = (int)any(CLIENTS);
        uint32_t what = any(100);

        if (what < 30)
            one_call(&all[i], domid_of[i], NULL);
        else if (what < 92)
            transaction(&all[i], domid_of[i]);
        else
            watch(&all[i]);
        if (any(5000) == 0)
            reset(&all[i]);
        check_events();
        if (any(3000) == 0)
            next_life();
        if (done % 1000 == 0)
            check_tree();
    }
    end();
    printf(
        "%ld operations, %ld of them refused; %ld commits, %ld conflicts; %ld events; %ld lives\n",
        operations, refused, commits, conflicts, events_seen, lives);
    return commits < operations / 100 || conflicts < operations / 1000 || lives < operations / 6000;
}
