/* SPDX-License-Identifier: MIT */
/*
 * xen.c: where rings come from and go; see xen.h.
 *
 * A guest's page is found through grant GNTTAB_RESERVED_XENSTORE, dom0's through the kernel's
 * xenbus_backend device. When this process dies, the kernel closes its event channels, the domains'
 * own ports become unbound again, and a successor binds to the same remote ports.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xencall.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/grant_table.h>

#include "alloc.h"
#include "conn.h"
#include "loop.h"
#include "ring.h"
#include "say.h"
#include "store.h"
#include "streams.h"
#include "watch.h"
#include "xen.h"

/* linux/include/xen/xenbus_dev.h, which is not installed: _IOC(_IOC_NONE, 'B', 0, 0) */
#define XENBUS_BACKEND_EVTCHN _IO('B', 0)

#define PAGE   4096
#define EVENTS 128 /* ports taken per read */

struct xen {
    struct platform platform; /* first: what the store sees */
    struct source events;
    struct store *store;
    struct loop *loop;
    xenevtchn_handle *evtchn;
    xengnttab_handle *gnttab;
    xencall_handle *call;
    struct xen_domctl *domctl; /* hypercall-safe memory */
    uint32_t virq_port;
    struct conn **by_port;
    uint32_t ports;
};

static bool domain_info(struct xen *x, uint16_t domid, struct xen_domctl_getdomaininfo *info)
{
    memset(x->domctl, 0, sizeof(*x->domctl));
    x->domctl->cmd = XEN_DOMCTL_getdomaininfo;
    x->domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    x->domctl->domain = domid;
    if (xencall1(x->call, __HYPERVISOR_domctl, (uintptr_t)x->domctl) < 0)
        return false;
    *info = x->domctl->u.getdomaininfo;
    return info->domain == domid; /* the hypervisor answers for the next one if it is gone */
}

static bool xen_exists(struct platform *p, uint16_t domid)
{
    struct xen_domctl_getdomaininfo info;

    return domain_info((struct xen *)p, domid, &info);
}

static void ring_kick(struct ring *r)
{
    xenevtchn_notify(((struct xen *)r->owner)->evtchn, r->port);
}

static void release_port(struct ring *r)
{
    struct xen *x = r->owner;

    if (!r->port)
        return;
    x->by_port[r->port] = NULL;
    xenevtchn_unbind(x->evtchn, r->port);
    r->port = 0;
}

static void unmap_granted(struct ring *r)
{
    release_port(r);
    xengnttab_unmap(((struct xen *)r->owner)->gnttab, r->page, 1);
    free(r);
}

static void unmap_dom0(struct ring *r)
{
    release_port(r);
    munmap(r->page, PAGE);
    free(r);
}

static int bind_port(struct xen *x, struct ring *r, const struct domain *d, struct conn *c)
{
    int port = xenevtchn_bind_interdomain(x->evtchn, d->domid, d->remote_port);

    if (port < 0)
        return errno;
    if ((uint32_t)port >= x->ports) {
        uint32_t ports = (uint32_t)port + 64;

        x->by_port = xrealloc(x->by_port, ports, sizeof(*x->by_port));
        memset(x->by_port + x->ports, 0, (ports - x->ports) * sizeof(*x->by_port));
        x->ports = ports;
    }
    x->by_port[port] = c;
    r->port = (uint32_t)port;
    return 0;
}

/* dom0's page and port from the kernel; newer kernels by one device, older ones by two files. */
static void *map_dom0(uint32_t *port)
{
    int fd = open("/dev/xen/xenbus_backend", O_RDWR | O_CLOEXEC), value = -1;
    char text[16] = "";
    void *page;

    if (fd >= 0)
        value = ioctl(fd, XENBUS_BACKEND_EVTCHN);
    if (value <= 0) {
        if (fd >= 0)
            close(fd);
        fd = open("/proc/xen/xsd_port", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return NULL;
        value = read(fd, text, sizeof(text) - 1) > 0 ? atoi(text) : 0;
        close(fd);
        fd = open("/proc/xen/xsd_kva", O_RDWR | O_CLOEXEC);
        if (fd < 0 || value <= 0)
            return NULL;
    }
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    *port = (uint32_t)value;
    return page == MAP_FAILED ? NULL : page;
}

/* Map a domain's page and bind its event channel; the connection is d->conn or a new one. */
static int xen_connect(struct platform *p, struct domain *d)
{
    struct xen *x = (struct xen *)p;
    struct ring *r = xzalloc(sizeof(*r));
    struct conn *c = d->conn;
    bool taken_over = c != NULL;
    int rc;

    *r = (struct ring){.notify = ring_kick, .owner = x};
    if (d->domid == 0) {
        r->page = map_dom0(&d->remote_port);
        r->unmap = unmap_dom0;
    } else {
        r->page = xengnttab_map_grant_ref(x->gnttab, d->domid, GNTTAB_RESERVED_XENSTORE,
                                          PROT_READ | PROT_WRITE);
        r->unmap = unmap_granted;
    }
    if (!r->page) {
        rc = errno ? errno : ENODEV;
        free(r);
        return rc;
    }
    if (!c)
        c = conn_new(x->store, NULL, NULL, d);
    rc = c ? bind_port(x, r, d, c) : ENOSPC;
    if (rc) {
        r->unmap(r);
        if (c && !taken_over)
            conn_free(c);
        return rc;
    }
    d->conn = c;
    if (taken_over)
        ring_take_over(c, r);
    else
        ring_attach(c, r, d->domid != 0);
    return 0;
}

/* INTRODUCE of a domain that is connected: it has a new event channel (resume, restore). */
static int xen_rebind(struct platform *p, struct domain *d)
{
    struct xen *x = (struct xen *)p;
    struct ring *r;
    int rc;

    if (!d->conn || d->conn->broken)
        return d->conn ? EAGAIN : xen_connect(p, d);
    r = d->conn->peer;
    release_port(r);
    rc = bind_port(x, r, d, d->conn);
    conn_reset(d->conn);
    ring_empty(d->conn);
    return rc;
}

/* VIRQ_DOM_EXC: some domain shut down or died. */
static void check_domains(struct xen *x)
{
    unsigned int domid = 1;

    for (struct domain *d; (d = domain_from(x->store, domid)); domid++) {
        struct xen_domctl_getdomaininfo info;
        bool exists;

        domid = d->domid; /* it may be gone in a moment */
        exists = domain_info(x, d->domid, &info);
        if (!exists || (info.flags & XEN_DOMINF_dying)) {
            if (!exists || d->introduced)
                domain_remove(x->store, d);
        } else if (d->introduced && (info.flags & XEN_DOMINF_shutdown) && !d->shutdown) {
            d->shutdown = true;
            watch_fire_special(x->store, SPECIAL_RELEASE, d->domid);
        }
    }
}

/* Ports are taken, and given back, many at a time. */
static bool events_ready(struct source *src, uint32_t events)
{
    struct xen *x = (struct xen *)((char *)src - offsetof(struct xen, events));
    uint32_t ports[EVENTS];
    ssize_t n = read(src->fd, ports, sizeof(ports));

    if (n < (ssize_t)sizeof(ports[0]))
        return false;
    io_count((size_t)n, (size_t)n); /* written in a moment */
    n /= (ssize_t)sizeof(ports[0]);
    /* First unmask, then look: what comes while we look raises the port again. */
    if (write(src->fd, ports, (size_t)n * sizeof(ports[0])) < 0)
        say("cannot unmask event channels: %s", strerror(errno));
    for (ssize_t i = 0; i < n; i++) {
        if (ports[i] == x->virq_port)
            check_domains(x);
        else if (ports[i] < x->ports && x->by_port[ports[i]])
            ring_event(x->by_port[ports[i]]);
    }
    return true;
}

static int fail(const char *what)
{
    int err = errno ? errno : ENODEV;

    fprintf(stderr,
            "xenstored: cannot %s: %s\n"
            "xenstored: this must run in the control domain, with the modules xen-evtchn, "
            "xen-gntdev and xen-privcmd; without a hypervisor use --no-domains\n",
            what, strerror(err));
    return err;
}

int xen_open(struct store *s, struct loop *l, struct platform **platform)
{
    struct xen *x = xzalloc(sizeof(*x));
    int virq;

    x->platform =
        (struct platform){.exists = xen_exists, .connect = xen_connect, .rebind = xen_rebind};
    x->store = s;
    x->loop = l;
    x->call = xencall_open(NULL, 0);
    if (!x->call)
        return fail("open the hypercall device");
    x->domctl = xencall_alloc_buffer(x->call, sizeof(*x->domctl));
    if (!x->domctl)
        return fail("allocate memory for hypercalls");
    x->gnttab = xengnttab_open(NULL, 0);
    if (!x->gnttab)
        return fail("open the grant device");
    x->evtchn = xenevtchn_open(NULL, 0);
    if (!x->evtchn)
        return fail("open the event channel device");
    virq = xenevtchn_bind_virq(x->evtchn, VIRQ_DOM_EXC);
    if (virq < 0)
        return fail("be told of dying domains (is another xenstored running?)");
    x->virq_port = (uint32_t)virq;
    *platform = &x->platform;
    return 0;
}

int xen_start(struct platform *platform)
{
    struct xen *x = (struct xen *)platform;
    struct domain *dom0 = domain_get(x->store, 0);
    int rc;

    unsigned int domid = 0;

    for (struct domain *d; (d = domain_from(x->store, domid)); domid++) {
        domid = d->domid;                          /* it may be gone in a moment */
        if (!d->introduced || (!d->conn && domid)) /* cut off before: stays so until it dies */
            continue;
        rc = xen_connect(platform, d);
        if (rc)
            say("domain %u cannot be taken over: %s", d->domid, strerror(rc));
        if (rc && d->domid)
            domain_remove(x->store, d);
    }
    if (!dom0->introduced) {
        rc = domain_introduce(x->store, 0, 0);
        if (rc) {
            errno = rc;
            return fail("connect dom0's own ring");
        }
    }
    check_domains(x);
    x->events.fd = xenevtchn_fd(x->evtchn);
    x->events.ready = events_ready;
    return loop_add(x->loop, &x->events, EPOLLIN);
}
