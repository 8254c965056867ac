/* SPDX-License-Identifier: MIT */
/* domain.c: domains coming and going; see domain.h. */
#include <errno.h>
#include <stdlib.h>

#include "alloc.h"
#include "conn.h"
#include "domain.h"
#include "journal.h"
#include "kids.h"
#include "say.h"
#include "store.h"
#include "watch.h"

struct domain *domain_known(const struct store *s, uint16_t domid)
{
    struct domain **group = s->domains[domid / DOMAIN_GROUP];

    return group ? group[domid % DOMAIN_GROUP] : NULL;
}

struct domain *domain_from(const struct store *s, unsigned int domid)
{
    while (domid < DOMAIN_COUNT) {
        struct domain **group = s->domains[domid / DOMAIN_GROUP];

        if (group && group[domid % DOMAIN_GROUP])
            return group[domid % DOMAIN_GROUP];
        domid = group ? domid + 1 : (domid / DOMAIN_GROUP + 1) * DOMAIN_GROUP;
    }
    return NULL;
}

void domain_forget(struct store *s, struct domain *d)
{
    s->domains[d->domid / DOMAIN_GROUP][d->domid % DOMAIN_GROUP] = NULL;
    free(d);
}

/* @return false if a node's owner is not known. */
static bool count_nodes(const struct store *s, const struct node *node)
{
    struct domain *owner = domain_known(s, node->perms->p[0].domid);
    struct kids_iter it = {0};
    const struct node *child;
    bool ok = owner != NULL;

    if (owner)
        owner->found++;
    while ((child = kids_next(node->kids, &it)))
        ok &= count_nodes(s, child);
    return ok;
}

bool domain_check(struct store *s, void (*wrong)(void *arg, const struct domain *d), void *arg)
{
    struct domain *d;
    bool ok;

    for (d = domain_from(s, 0); d; d = domain_from(s, d->domid + 1u))
        d->found = 0;
    ok = count_nodes(s, s->root);
    for (d = domain_from(s, 0); d; d = domain_from(s, d->domid + 1u)) {
        if (d->found == d->nodes)
            continue;
        ok = false;
        wrong(arg, d);
    }
    return ok;
}

struct domain *domain_get(struct store *s, uint16_t domid)
{
    struct domain *d = domain_known(s, domid), ***group = &s->domains[domid / DOMAIN_GROUP];

    if (d)
        return d;
    if (domid && s->platform && !s->platform->exists(s->platform, domid))
        return NULL;
    d = xzalloc(sizeof(*d));
    d->domid = domid;
    d->birth = s->platform ? store_next_gen(s) : 0;
    if (!*group)
        *group = xzalloc(DOMAIN_GROUP * sizeof(**group));
    (*group)[domid % DOMAIN_GROUP] = d;
    journal_domain(s->journal, d);
    return d;
}

bool domain_existed(const struct store *s, uint16_t domid, uint64_t stamp)
{
    const struct domain *d = domain_known(s, domid);

    return d ? d->birth <= stamp : !s->platform;
}

void domain_soft_quota(const struct store *s, struct domain *d)
{
    uint32_t limit = domain_limit(s, d, QUOTA_MEMORY_SOFT);
    bool over = d->domid && limit && d->bytes > (int64_t)limit;

    if (over == d->over_soft)
        return;
    d->over_soft = over;
    say("domain %u is %s its soft quota of memory%s", d->domid, over ? "over" : "below",
        over ? "" : " again");
}

uint32_t domain_limit(const struct store *s, const struct domain *d, enum quota_name q)
{
    return quota_limit(&s->quota, d ? &d->quota : NULL, q);
}

int domain_introduce(struct store *s, uint16_t domid, uint32_t port)
{
    struct domain *d = domain_get(s, domid);
    bool first;
    int rc = 0;

    if (!d)
        return ENOENT;
    first = !d->introduced;
    d->remote_port = port;
    if (s->platform)
        rc = first ? s->platform->connect(s->platform, d) : s->platform->rebind(s->platform, d);
    if (rc)
        return rc;
    d->introduced = true;
    d->shutdown = false;
    journal_domain(s->journal, d);
    if (first && domid)
        watch_fire_special(s, SPECIAL_INTRODUCE, domid);
    return 0;
}

/* A dead domain must not stay the owner of, or named in, who may watch special paths. */
static void leave_specials(struct store *s, uint16_t domid)
{
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        struct perms *old = s->special[i], *now;
        uint32_t n = 1;

        now = perms_new(old->p, old->n, old->stamp);
        if (now->p[0].domid == domid)
            now->p[0].domid = 0;
        for (uint32_t k = 1; k < old->n; k++)
            if (old->p[k].domid != domid)
                now->p[n++] = old->p[k];
        if (n != old->n || now->p[0].domid != old->p[0].domid) {
            now->n = n;
            s->special[i] = now;
            perms_unref(old);
            journal_special(s->journal, i, now);
        } else {
            perms_unref(now);
        }
    }
}

void domain_remove(struct store *s, struct domain *d)
{
    bool introduced = d->introduced;
    uint16_t domid = d->domid;

    if (d->conn) { /* it may be in use further up: freed when the round ends */
        conn_reset(d->conn);
        d->conn->broken = true;
        conn_touch(d->conn);
        d->conn->domain = NULL;
    }
    store_remove_owned(s, d);
    leave_specials(s, domid);
    domain_forget(s, d);
    journal_domain_gone(s->journal, domid);
    if (introduced)
        watch_fire_special(s, SPECIAL_RELEASE, domid);
}
