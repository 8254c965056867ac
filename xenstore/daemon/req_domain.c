/* SPDX-License-Identifier: MIT */
/* req_domain.c: the requests about domains: introducing, releasing, asking. */
#include <errno.h>
#include <stdint.h>
#include <xen/xen.h>

#include "conn.h"
#include "journal.h"
#include "request.h"
#include "xswire/path.h"

/* Argument i as a domid; false: it is none. */
static bool domid_arg(const struct request *r, int i, uint16_t *domid)
{
    uint32_t value;

    if (!xsw_parse_u32(r->arg[i].s, r->arg[i].len, &value) || value > UINT16_MAX)
        return false;
    *domid = (uint16_t)value;
    return true;
}

/* An introduced domain named by argument i. */
static int introduced_arg(const struct request *r, int i, struct domain **d)
{
    uint16_t domid;

    if (!domid_arg(r, i, &domid))
        return EINVAL;
    *d = domain_known(r->conn->store, domid);
    return *d && (*d)->introduced ? 0 : ENOENT;
}

/* <domid>|<gfn>|<port>|: the frame is not needed, grant GNTTAB_RESERVED_XENSTORE leads to it. */
int do_introduce(struct request *r)
{
    uint16_t domid;
    uint32_t port;
    int rc;

    if (!domid_arg(r, 0, &domid) || domid >= DOMID_FIRST_RESERVED ||
        !xsw_parse_u32(r->arg[2].s, r->arg[2].len, &port) || !port)
        return EINVAL;
    rc = domain_introduce(r->conn->store, domid, port);
    if (!rc)
        reply_ok(r);
    return rc;
}

int do_release(struct request *r)
{
    struct domain *d;
    int rc = introduced_arg(r, 0, &d);

    if (!rc && d->domid == 0)
        rc = EINVAL;
    if (rc)
        return rc;
    domain_remove(r->conn->store, d);
    reply_ok(r);
    return 0;
}

int do_resume(struct request *r)
{
    struct domain *d;
    int rc = introduced_arg(r, 0, &d);

    if (!rc && d->domid == 0)
        rc = EINVAL;
    if (rc)
        return rc;
    d->shutdown = false;
    reply_ok(r);
    return 0;
}

int do_set_target(struct request *r)
{
    struct domain *d, *target;
    int rc = introduced_arg(r, 0, &d);

    if (!rc)
        rc = introduced_arg(r, 1, &target);
    if (rc)
        return rc;
    d->has_target = true;
    d->target = target->domid;
    if (d->conn) {
        d->conn->who.has_target = true;
        d->conn->who.target = target->domid;
    }
    journal_domain(r->conn->store->journal, d);
    reply_ok(r);
    return 0;
}

int do_get_domain_path(struct request *r)
{
    char home[XSW_HOME_MAX];
    uint16_t domid;

    if (!domid_arg(r, 0, &domid))
        return EINVAL;
    reply(r, home, xsw_path_home(home, domid) + 1);
    return 0;
}

int do_is_domain_introduced(struct request *r)
{
    struct domain *d;
    uint16_t domid;

    if (!domid_arg(r, 0, &domid))
        return EINVAL;
    d = domain_known(r->conn->store, domid);
    reply(r, domid == DOMID_SELF || (d && d->introduced) ? "T" : "F", 2);
    return 0;
}
