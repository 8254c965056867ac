/* SPDX-License-Identifier: MIT */
/*
 * domain.h: the domains that the store knows: what they own and whether they are connected.
 *
 * A domain is *known* as soon as it is named in a permission list or introduced, and until it is
 * gone from the hypervisor; then its nodes are removed and what names it stops to count. It is
 * *introduced* between INTRODUCE and RELEASE (or its death), and then has a ring, except in a
 * daemon without a hypervisor.
 */
#ifndef XSD_DOMAIN_H
#define XSD_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "quota.h"

struct conn;
struct store;

#define DOMAIN_COUNT 65536
#define DOMAIN_GROUP 256 /* domids are looked up in two steps */

struct domain {
    uint16_t domid;
    bool introduced;
    bool shutdown; /* @releaseDomain was already fired for its shutdown */
    bool has_target;
    uint16_t target;
    uint64_t birth;       /* generation at which we came to know it */
    uint32_t remote_port; /* the domain's own event channel, as INTRODUCE named it */
    int32_t nodes;        /* nodes it owns */
    int64_t bytes;        /* what they and its watches weigh */
    bool over_soft;       /* was said to be over its soft quota of memory */
    uint32_t watches;
    int32_t found; /* domain_check() only */
    struct quota quota;
    struct conn *conn; /* its ring, or NULL */
};

/**
 * What the daemon asks of a hypervisor. A store without one (tests, --no-domains) has NULL, then
 * every domid exists and none has a ring.
 */
struct platform {
    /** Does the hypervisor have this domain? */
    bool (*exists)(struct platform *p, uint16_t domid);
    /** Connect a domain's ring; d->remote_port is set. On success d->conn is. 0 or an errno. */
    int (*connect)(struct platform *p, struct domain *d);
    /** Bind a new event channel to the ring that is there, and empty the ring. 0 or an errno. */
    int (*rebind)(struct platform *p, struct domain *d);
};

/** The domain if it is known, or NULL. */
struct domain *domain_known(const struct store *s, uint16_t domid);

/** The first known domain with at least this domid, or NULL: for (d = domain_from(s, 0); d; d =
 * domain_from(s, d->domid + 1)). */
struct domain *domain_from(const struct store *s, unsigned int domid);

/** Forget a domain's struct (everything else about it is gone). */
void domain_forget(struct store *s, struct domain *d);

/**
 * Count the tree's nodes per owner and compare with the accounts.
 * @param wrong  called for each that differs (d->found against d->nodes)
 * @return false if any differs, or an owner is not known.
 */
bool domain_check(struct store *s, void (*wrong)(void *arg, const struct domain *d), void *arg);

/** The domain; made known if it exists. NULL: there is no such domain. */
struct domain *domain_get(struct store *s, uint16_t domid);

/** Was the domain known when generation `stamp` was current (and is it still)? */
bool domain_existed(const struct store *s, uint16_t domid, uint64_t stamp);

/** INTRODUCE: connect its ring and fire @introduceDomain, or renew its event channel. errno. */
int domain_introduce(struct store *s, uint16_t domid, uint32_t port);

/** Forget a domain: its ring, watches, transactions and nodes. Fires @releaseDomain if introduced.
 */
void domain_remove(struct store *s, struct domain *d);

/** Say so if its memory crossed the soft quota. */
void domain_soft_quota(const struct store *s, struct domain *d);

/** The limit on q for this domain (NULL: the global one); 0: unlimited. */
uint32_t domain_limit(const struct store *s, const struct domain *d, enum quota_name q);

#endif
