/* SPDX-License-Identifier: MIT */
/* perms.c: permission lists and what they allow; see perms.h. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "domain.h"
#include "perms.h"
#include "store.h"

struct perms *perms_new(const struct xsw_perm *p, uint32_t n, uint64_t stamp)
{
    struct perms *perms = xmalloc(sizeof(*perms) + n * sizeof(*p));

    *perms = (struct perms){.refs = 1, .n = n, .stamp = stamp};
    memcpy(perms->p, p, n * sizeof(*p));
    return perms;
}

struct perms *perms_ref(struct perms *perms)
{
    perms->refs++;
    return perms;
}

void perms_unref(struct perms *perms)
{
    if (perms && --perms->refs == 0)
        free(perms);
}

struct perms *perms_inherit(struct perms *parent, const struct who *who)
{
    struct perms *perms;

    if (who_is_privileged(who) || parent->p[0].domid == who->domid)
        return perms_ref(parent);
    perms = perms_new(parent->p, parent->n, parent->stamp);
    perms->p[0].domid = who->domid;
    return perms;
}

static bool is_me(const struct who *who, uint16_t domid)
{
    return domid == who->domid || (who->has_target && domid == who->target);
}

unsigned int perms_for(const struct store *s, const struct who *who, const struct perms *perms)
{
    if (who_is_privileged(who) || is_me(who, perms->p[0].domid))
        return XSW_PERM_READ | XSW_PERM_WRITE | PERM_OWNER;
    for (uint32_t i = 1; i < perms->n; i++) {
        struct xsw_perm p = perms->p[i];

        if (is_me(who, p.domid) && !(p.bits & PERM_IGNORE) &&
            domain_existed(s, p.domid, perms->stamp))
            return p.bits;
    }
    return perms->p[0].bits & (XSW_PERM_READ | XSW_PERM_WRITE);
}
