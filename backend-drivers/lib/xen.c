/* SPDX-License-Identifier: MIT */
/* The real hypervisor behind xen.h, through the stable Xen libraries. */
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xenevtchn.h>

struct real {
    struct xen xen;
    xengnttab_handle *gnttab;
    xenevtchn_handle *evtchn;
};

static struct real *real_of(struct xen *x)
{
    return (struct real *)x; /* `xen` is the first member */
}

static void *real_map(struct xen *x, uint32_t domid, const uint32_t *refs, unsigned n,
                      bool writable)
{
    /* The library takes a non-const array and does not write to it. */
    return xengnttab_map_domain_grant_refs(real_of(x)->gnttab, n, domid, (uint32_t *)refs,
                                           writable ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void real_unmap(struct xen *x, void *addr, unsigned n)
{
    xengnttab_unmap(real_of(x)->gnttab, addr, n);
}

static int real_copy(struct xen *x, xengnttab_grant_copy_segment_t *segs, unsigned n)
{
    return xengnttab_grant_copy(real_of(x)->gnttab, n, segs) ? -errno : 0;
}

static int real_bind(struct xen *x, uint32_t domid, uint32_t remote_port)
{
    int port = xenevtchn_bind_interdomain(real_of(x)->evtchn, domid, remote_port);

    return port < 0 ? -errno : port;
}

static void real_unbind(struct xen *x, int port)
{
    xenevtchn_unbind(real_of(x)->evtchn, port);
}

static void real_notify(struct xen *x, int port)
{
    xenevtchn_notify(real_of(x)->evtchn, port);
}

static int real_pending(struct xen *x)
{
    int port = xenevtchn_pending(real_of(x)->evtchn);

    return port < 0 ? -errno : port;
}

static void real_unmask(struct xen *x, int port)
{
    xenevtchn_unmask(real_of(x)->evtchn, port);
}

static void real_close(struct xen *x)
{
    struct real *r = real_of(x);

    if (r->evtchn)
        xenevtchn_close(r->evtchn);
    if (r->gnttab)
        xengnttab_close(r->gnttab);
    free(r);
}

static const struct xen_ops real_ops = {
    .map = real_map,
    .unmap = real_unmap,
    .copy = real_copy,
    .bind = real_bind,
    .unbind = real_unbind,
    .notify = real_notify,
    .pending = real_pending,
    .unmask = real_unmask,
    .close = real_close,
};

struct xen *xen_open(void)
{
    struct real *r = calloc(1, sizeof(*r));
    int err;

    if (!r)
        return NULL;
    r->xen.ops = &real_ops;
    r->gnttab = xengnttab_open(NULL, 0);
    r->evtchn = r->gnttab ? xenevtchn_open(NULL, 0) : NULL;
    if (!r->evtchn) {
        err = errno;
        real_close(&r->xen);
        errno = err;
        return NULL;
    }
    r->xen.gnttab_fd = xengnttab_fd(r->gnttab);
    r->xen.evtchn_fd = xenevtchn_fd(r->evtchn);
    return &r->xen;
}
