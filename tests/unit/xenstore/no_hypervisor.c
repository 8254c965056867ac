/* SPDX-License-Identifier: MIT */
/*
 * no_hypervisor.c: stands in, by LD_PRELOAD, for the parts of Xen's libraries that a xenstore
 * daemon calls: ours and Debian's two run then without a hypervisor, with domains that a test
 * plays.
 *
 * NO_HYPERVISOR names a directory. ring.<domid> is a domain's page (it exists if that file does);
 * `events` is a socket on which the test listens: a domid (four bytes) from the test is that
 * domain's event, one from the daemon is a kick. Event channels have the domain's number as port.
 * Nothing is ever said about dying domains unless the test sends the virtual interrupt's port.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xen/domctl.h>

#define VIRQ_PORT 65000

static int events = -1;
static char handle; /* what all kinds of handles point to */

static const char *in_room(const char *format, unsigned int domid)
{
    static char path[100]; /* a socket's address has 108 */
    const char *room = getenv("NO_HYPERVISOR");
    size_t len = (size_t)snprintf(path, sizeof(path), "%s/", room ? room : "/nonexistent");

    snprintf(path + len, sizeof(path) - len, format, domid);
    return path;
}

static int exists(unsigned int domid)
{
    return domid == 0 || access(in_room("ring.%u", domid), F_OK) == 0;
}

static void *page(unsigned int domid)
{
    int fd = open(in_room("ring.%u", domid), O_RDWR);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    return at == MAP_FAILED ? NULL : at;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", in_room("events", 0));
    events = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(events, (struct sockaddr *)&addr, sizeof(addr)))
        return NULL;
    return (void *)&handle;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int flags)
{
    errno = ENOSYS;
    return NULL;
}

int xenevtchn_close(xenevtchn_handle *x)
{
    return close(events);
}

int xenevtchn_fd(xenevtchn_handle *x)
{
    return events;
}

int xenevtchn_notify(xenevtchn_handle *x, evtchn_port_t port)
{
    return send(events, &port, sizeof(port), MSG_NOSIGNAL) == sizeof(port) ? 0 : -1;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *x, uint32_t domid,
                                                     evtchn_port_t port)
{
    return (int)domid;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *x, unsigned int virq)
{
    return VIRQ_PORT;
}

int xenevtchn_unbind(xenevtchn_handle *x, evtchn_port_t port)
{
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *x)
{
    evtchn_port_t port;

    return recv(events, &port, sizeof(port), 0) == sizeof(port) ? (int)port : -1;
}

int xenevtchn_unmask(xenevtchn_handle *x, evtchn_port_t port)
{
    return 0;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
    return (void *)&handle;
}

int xengnttab_close(xengnttab_handle *x)
{
    return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *x, uint32_t n)
{
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *x, uint32_t domid, uint32_t ref, int prot)
{
    return page(domid);
}

int xengnttab_unmap(xengnttab_handle *x, void *at, uint32_t n)
{
    return munmap(at, 4096);
}

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned int flags)
{
    return (void *)&handle;
}

void *xencall_alloc_buffer(xencall_handle *x, size_t size)
{
    return calloc(1, size);
}

/* getdomaininfo only */
int xencall1(xencall_handle *x, unsigned int op, uint64_t arg)
{
    struct xen_domctl *d = (void *)(uintptr_t)arg;

    if (!exists(d->domain)) {
        errno = ESRCH;
        return -1;
    }
    memset(&d->u, 0, sizeof(d->u));
    d->u.getdomaininfo.domain = d->domain;
    return 0;
}

xc_interface *xc_interface_open(struct xentoollog_logger *logger, struct xentoollog_logger *other,
                                unsigned int flags)
{
    return (void *)&handle;
}

int xc_interface_close(xc_interface *x)
{
    return 0;
}

static xc_dominfo_t *describe(xc_dominfo_t *info, uint32_t domid)
{
    memset(info, 0, sizeof(*info));
    info->domid = domid;
    info->running = 1;
    return info;
}

int xc_domain_getinfo(xc_interface *x, uint32_t first, unsigned int max, xc_dominfo_t *info)
{
    if (!exists(first))
        return 0;
    describe(info, first);
    return 1;
}

int xc_domain_getinfolist(xc_interface *x, uint32_t first, unsigned int max, xc_domaininfo_t *info)
{
    if (!exists(first))
        return 0;
    memset(info, 0, sizeof(*info));
    info->domain = (domid_t)first;
    return 1;
}

/* For oxenstored; not in a header of 4.17 that is for all. */
void *xc_map_foreign_range(xc_interface *x, uint32_t domid, int size, int prot, unsigned long frame);

void *xc_map_foreign_range(xc_interface *x, uint32_t domid, int size, int prot, unsigned long frame)
{
    return page(domid);
}

/* dom0's page is ring.0, the file with its port's number "port". oxenstored's log goes nowhere. */
static const char *moved(const char *path)
{
    if (!strcmp(path, "/proc/xen/xsd_kva"))
        return in_room("ring.%u", 0);
    if (!strcmp(path, "/proc/xen/xsd_port"))
        return in_room("port", 0);
    if (strstr(path, "/run/xenstored/socket"))
        return in_room(strstr(path, "socket"), 0);
    return strncmp(path, "/var/log/xen", 12) ? path : "/dev/null";
}

/* oxenstored's socket is where the environment says, too. */
int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_un to = *(const struct sockaddr_un *)addr;

    snprintf(to.sun_path, sizeof(to.sun_path), "%s",
             moved(((const struct sockaddr_un *)addr)->sun_path));
    return (int)syscall(SYS_bind, fd, &to, sizeof(to));
}

int unlink(const char *path)
{
    return (int)syscall(SYS_unlink, moved(path));
}

int chmod(const char *path, mode_t mode)
{
    return (int)syscall(SYS_chmod, moved(path), mode);
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    int mode;

    va_start(ap, flags);
    mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    return (int)syscall(SYS_openat, AT_FDCWD, moved(path), flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list ap;
    int mode;

    va_start(ap, flags);
    mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    return (int)syscall(SYS_openat, AT_FDCWD, moved(path), flags, mode);
}

/* oxenstored wants a million descriptors and ends if it may not have them. */
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return 0;
}
