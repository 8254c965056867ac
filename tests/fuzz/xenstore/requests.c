/* SPDX-License-Identifier: MIT */
/*
 * requests.c: fuzz target: a store with dom0 and two guests, driven by the input as a program.
 *
 * Each operation takes a few bytes: who, which request, which transaction, a payload from a
 * dictionary or raw bytes. Watchers may stop draining and start again. In the end the accounts
 * must be those of the tree, and after everything is closed nothing may be left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "store.h"
#include "txn.h"
#include "watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLIENTS 4

static const char *const words[] = {
    "/",
    "/a",
    "/a/b",
    "/a/b/c",
    "/local/domain/1",
    "/local/domain/1/x",
    "/local/domain/2/y",
    "x",
    "x/y",
    "a",
    "/local/domain/",
    "@releaseDomain",
    "@introduceDomain",
    "@releaseDomain/1",
    "n0",
    "r1",
    "w2",
    "b1",
    "n1",
    "n2",
    "n99",
    "T",
    "F",
    "0",
    "1",
    "2",
    "3",
    "7",
    "32752",
    "65536",
    "token",
    "quota",
    "set",
    "nodes",
    "check",
    "memreport",
    "",
    "/a//b",
    "/a/",
    "log",
    "print",
};

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t next(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static bool draining[CLIENTS];
static struct conn *client[CLIENTS];
static char pending[CLIENTS][XSW_MESSAGE_MAX];
static size_t pending_len[CLIENTS];

static int which(const struct conn *c)
{
    return (int)(intptr_t)c->peer;
}

static int give(struct conn *c, const struct iovec *iov, int n)
{
    int w = which(c);
    size_t done = 0;

    for (int i = 0; i < n && pending_len[w]; i++) {
        size_t part = pending_len[w] < iov[i].iov_len ? pending_len[w] : iov[i].iov_len;

        memcpy(iov[i].iov_base, pending[w], part);
        memmove(pending[w], pending[w] + part, pending_len[w] - part);
        pending_len[w] -= part;
        done += part;
    }
    return (int)done;
}

static int drain(struct conn *c, const struct iovec *iov, int n)
{
    size_t done = 0;

    for (int i = 0; draining[which(c)] && i < n; i++)
        done += iov[i].iov_len;
    return (int)done;
}

static void nothing(struct conn *c, bool want_write)
{
}

static void closed(struct conn *c)
{
    client[which(c)] = NULL;
}

static const struct transport transport = {give, drain, nothing, closed};

static void join(struct store *s, int w)
{
    struct domain *d = w ? domain_get(s, (uint16_t)w) : NULL;

    pending_len[w] = 0;
    client[w] = conn_new(s, &transport, (void *)(intptr_t)w, d);
    if (d) {
        d->introduced = true;
        d->conn = client[w];
    }
}

static size_t payload(struct input *in, char *dst)
{
    uint8_t count = next(in) % 5;
    size_t len = 0;

    for (uint8_t i = 0; i < count; i++) {
        uint8_t word = next(in);

        if (word < 200) {
            const char *text = words[word % (sizeof(words) / sizeof(words[0]))];

            memcpy(dst + len, text, strlen(text) + 1);
            len += strlen(text) + 1;
        } else {
            uint8_t n = next(in);

            for (uint8_t k = 0; k < n; k++)
                dst[len++] = (char)(word & 1 ? next(in) : 'v');
            if (word & 2)
                dst[len++] = 0;
        }
    }
    return len;
}

static void operation(struct store *s, struct input *in)
{
    uint8_t what = next(in);
    int w = what % CLIENTS;
    uint32_t type, tx = 0;
    size_t len;

    if (!client[w])
        join(s, w);
    if (what >= 240)
        draining[w] = what & 4;
    type = next(in) % (XS_TYPE_COUNT + 1);
    for (uint8_t skip = next(in) % 4; skip; skip--)
        tx = skip == 1 && client[w]->txns ? client[w]->txns->id : 99;
    len = payload(in, pending[w] + XSW_HEADER_LEN);
    xsw_header_put(pending[w], type, 1, tx, (uint32_t)len);
    pending_len[w] = XSW_HEADER_LEN + len;
    conn_input(client[w]);
    conn_flush_all(s);
}

static void wrong(void *arg, const struct domain *d)
{
    fprintf(stderr, "domain %u: %d nodes counted, %d found\n", d->domid, d->nodes, d->found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct store s;

    store_init(&s);
    memset(client, 0, sizeof(client));
    for (int w = 0; w < CLIENTS; w++)
        draining[w] = true;
    while (in.left)
        operation(&s, &in);
    if (!domain_check(&s, wrong, NULL))
        abort();
    while (s.conns)
        conn_free(s.conns);
    if (s.watches || s.special_watches || s.root->refs != 1)
        abort();
    for (struct domain *d = domain_from(&s, 0); d; d = domain_from(&s, d->domid + 1u))
        if (d->watches)
            abort();
    store_free(&s);
    return 0;
}
