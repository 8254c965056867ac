/* SPDX-License-Identifier: MIT */
/* A machine for the backends' unit tests: see fake.h. */
#include "fake.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fake *of_xen(struct xen *x)
{
    return (struct fake *)((char *)x - offsetof(struct fake, xen));
}

static struct fake *of_store(struct store *s)
{
    return (struct fake *)((char *)s - offsetof(struct fake, store));
}

static void misuse(struct fake *f)
{
    __atomic_add_fetch(&f->shared->misuse, 1, __ATOMIC_RELAXED);
}

static const struct fake_grant *grant(struct fake *f, uint32_t ref, bool write)
{
    if (ref >= FAKE_GRANTS || !f->shared->grant[ref].state)
        return NULL;
    return write && f->shared->grant[ref].state == 2 ? NULL : &f->shared->grant[ref];
}

static void *xen_map(struct xen *x, uint32_t domid, const uint32_t *refs, unsigned n, bool writable)
{
    struct fake *f = of_xen(x);
    char *base;

    for (unsigned i = 0; i < n; i++)
        if (domid != FAKE_DOMID || !grant(f, refs[i], writable)) {
            errno = EINVAL;
            return NULL;
        }
    base = mmap(NULL, n * XEN_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < n; i++)
        mmap(base + i * XEN_PAGE, XEN_PAGE, writable ? PROT_READ | PROT_WRITE : PROT_READ,
             MAP_SHARED | MAP_FIXED, f->memory_fd,
             f->shared->grant[refs[i]].frame * (off_t)XEN_PAGE);
    f->shared->mapped += n;
    return base;
}

static void xen_unmap(struct xen *x, void *addr, unsigned n)
{
    struct fake *f = of_xen(x);

    if (munmap(addr, n * XEN_PAGE) || f->shared->mapped < n)
        misuse(f);
    f->shared->mapped -= n;
}

static int xen_copy(struct xen *x, xengnttab_grant_copy_segment_t *segs, unsigned n)
{
    struct fake *f = of_xen(x);

    if (f->on_copy)
        f->on_copy(f->on_copy_arg);
    for (unsigned i = 0; i < n; i++) {
        xengnttab_grant_copy_segment_t *s = &segs[i];
        bool to_guest = s->flags == GNTCOPY_dest_gref;
        union xengnttab_copy_ptr *theirs = to_guest ? &s->dest : &s->source;
        void *ours = to_guest ? s->source.virt : s->dest.virt;
        const struct fake_grant *g = grant(f, theirs->foreign.ref, to_guest);
        uint8_t *at;

        if (s->flags != GNTCOPY_dest_gref && s->flags != GNTCOPY_source_gref)
            misuse(f);
        if (theirs->foreign.domid != FAKE_DOMID || theirs->foreign.offset + s->len > XEN_PAGE) {
            misuse(f); /* the hypervisor would refuse what the backend should never ask */
            s->status = GNTST_bad_copy_arg;
            continue;
        }
        if (!g) {
            s->status = GNTST_bad_gntref;
            continue;
        }
        at = f->memory + g->frame * (size_t)XEN_PAGE + theirs->foreign.offset;
        if (to_guest)
            memcpy(at, ours, s->len);
        else
            memcpy(ours, at, s->len);
        s->status = GNTST_okay;
        f->shared->copies++;
    }
    return 0;
}

static int xen_bind(struct xen *x, uint32_t domid, uint32_t remote_port)
{
    struct fake *f = of_xen(x);

    if (domid != FAKE_DOMID || !remote_port || remote_port >= FAKE_PORTS)
        return -EINVAL;
    f->shared->bound[remote_port] = true;
    return (int)remote_port + 100;
}

static void xen_unbind(struct xen *x, int port)
{
    struct fake *f = of_xen(x);

    if (port < 100 || !f->shared->bound[port - 100])
        misuse(f);
    else
        f->shared->bound[port - 100] = false;
}

static void raise_event(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) != sizeof(one))
        abort();
}

static void xen_notify(struct xen *x, int port)
{
    struct fake *f = of_xen(x);

    f->shared->notified++;
    raise_event(f->front_event);
}

static int xen_pending(struct xen *x)
{
    struct fake *f = of_xen(x);
    uint64_t count;

    if (read(f->back_event, &count, sizeof(count)) < 0)
        return -EAGAIN;
    for (unsigned i = 0; i < FAKE_PORTS; i++)
        if (__atomic_exchange_n(&f->shared->to_back[i], 0, __ATOMIC_ACQ_REL)) {
            for (unsigned j = 0; j < FAKE_PORTS; j++)
                if (f->shared->to_back[j])
                    raise_event(f->back_event);
            return (int)i + 100;
        }
    return -EAGAIN;
}

static void xen_unmask(struct xen *x, int port)
{
    of_xen(x)->shared->unmasked[port - 100]++;
}

static const struct xen_ops xen_fake = {
    .map = xen_map,
    .unmap = xen_unmap,
    .copy = xen_copy,
    .bind = xen_bind,
    .unbind = xen_unbind,
    .notify = xen_notify,
    .pending = xen_pending,
    .unmask = xen_unmask,
};

/* --- store --- */

static struct fake_node *find(struct fake *f, const char *path)
{
    for (uint32_t i = 0; i < f->shared->nodes; i++)
        if (!strcmp(f->shared->node[i].path, path))
            return &f->shared->node[i];
    return NULL;
}

static bool below(const char *dir, const char *path)
{
    size_t n = strlen(dir);

    return !strncmp(dir, path, n) && (path[n] == '/' || path[n] == '\0');
}

static bool present(struct fake *f, const char *path)
{
    for (uint32_t i = 0; i < f->shared->nodes; i++)
        if (below(path, f->shared->node[i].path))
            return true;
    return false;
}

static void changed(struct fake *f)
{
    f->shared->store_serial++;
    raise_event(f->store_event);
}

static void put(struct fake *f, const char *path, const char *value)
{
    struct fake_node *n = find(f, path);

    if (!n) {
        if (f->shared->nodes == sizeof(f->shared->node) / sizeof(*f->shared->node))
            abort();
        n = &f->shared->node[f->shared->nodes++];
    }
    snprintf(n->path, sizeof(n->path), "%s", path);
    snprintf(n->value, sizeof(n->value), "%s", value);
}

static char *st_read(struct store *s, const char *path)
{
    struct fake *f = of_store(s);
    struct fake_node *n = find(f, path);

    if (!n && !present(f, path)) {
        errno = ENOENT;
        return NULL;
    }
    return strdup(n ? n->value : "");
}

static int st_write(struct store *s, const char *dir, const struct store_kv *kv, unsigned n)
{
    struct fake *f = of_store(s);
    char path[STORE_PATH];

    if (!present(f, dir))
        return -ENOENT;
    for (unsigned i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, kv[i].key);
        put(f, path, kv[i].value);
    }
    changed(f);
    return 0;
}

static int st_watch(struct store *s, const char *path, const char *token)
{
    raise_event(of_store(s)->store_event);
    return 0;
}

static int st_next(struct store *s, char path[STORE_PATH], char token[STORE_PATH])
{
    struct fake *f = of_store(s);
    uint64_t count;

    if (read(f->store_event, &count, sizeof(count)) < 0)
        return 0;
    snprintf(path, STORE_PATH, "/");
    snprintf(token, STORE_PATH, "fake");
    return 1;
}

static bool st_introduced(struct store *s, unsigned domid)
{
    char path[STORE_PATH];

    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    return present(of_store(s), path);
}

/* Names of the children, in one block as the real store gives them. */
static char **st_list(struct store *s, const char *path, unsigned *n)
{
    struct fake *f = of_store(s);
    char **list = calloc(1, 128 * sizeof(char *) + 128 * 32);
    char *text = (char *)(list + 128);
    size_t len = strlen(path);

    *n = 0;
    for (uint32_t i = 0; i < f->shared->nodes; i++) {
        const char *p = f->shared->node[i].path;
        bool seen = false;
        char name[32];

        if (!below(path, p) || p[len] != '/')
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(p + len + 1, "/"), p + len + 1);
        for (unsigned k = 0; k < *n; k++)
            seen |= !strcmp(list[k], name);
        if (seen)
            continue;
        list[*n] = text + *n * 32;
        strcpy(list[(*n)++], name);
    }
    return list;
}

static const struct store_ops store_fake = {
    .read = st_read,
    .list = st_list,
    .write = st_write,
    .watch = st_watch,
    .unwatch = st_watch,
    .next = st_next,
    .introduced = st_introduced,
};

void fake_set(struct fake *f, const char *path, const char *fmt, ...)
{
    char value[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    put(f, path, value);
    changed(f);
}

const char *fake_get(struct fake *f, const char *path)
{
    struct fake_node *n = find(f, path);

    return n ? n->value : NULL;
}

void fake_rm(struct fake *f, const char *path)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < f->shared->nodes; i++)
        if (!below(path, f->shared->node[i].path))
            f->shared->node[kept++] = f->shared->node[i];
    f->shared->nodes = kept;
    changed(f);
}

/* --- the guest --- */

void *fake_frame(struct fake *f, unsigned frame)
{
    return f->memory + frame * (size_t)XEN_PAGE;
}

void fake_grant(struct fake *f, uint32_t ref, unsigned frame, bool read_only)
{
    f->shared->grant[ref] = (struct fake_grant){read_only ? 2 : 1, (uint16_t)frame};
}

void fake_revoke(struct fake *f, uint32_t ref)
{
    f->shared->grant[ref].state = 0;
}

void fake_kick(struct fake *f, unsigned port)
{
    __atomic_store_n(&f->shared->to_back[port], 1, __ATOMIC_RELEASE);
    raise_event(f->back_event);
}

bool fake_wait(struct fake *f, int timeout_ms)
{
    struct pollfd p = {.fd = f->front_event, .events = POLLIN};
    uint64_t count;

    return poll(&p, 1, timeout_ms) == 1 && read(f->front_event, &count, sizeof(count)) > 0;
}

struct fake *fake_new(void)
{
    struct fake *f = calloc(1, sizeof(*f));

    f->shared =
        mmap(NULL, sizeof(*f->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    f->memory_fd = memfd_create("guest", MFD_CLOEXEC);
    if (ftruncate(f->memory_fd, FAKE_FRAMES * (off_t)XEN_PAGE))
        abort();
    f->memory =
        mmap(NULL, FAKE_FRAMES * XEN_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->memory_fd, 0);
    f->back_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    f->front_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    f->store_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (f->shared == MAP_FAILED || f->memory == MAP_FAILED || f->store_event < 0)
        abort();
    f->xen = (struct xen){.ops = &xen_fake, .evtchn_fd = f->back_event, .gnttab_fd = -1};
    f->store = (struct store){.ops = &store_fake, .fd = f->store_event};
    return f;
}

void fake_free(struct fake *f)
{
    munmap(f->shared, sizeof(*f->shared));
    munmap(f->memory, FAKE_FRAMES * XEN_PAGE);
    close(f->memory_fd);
    close(f->back_event);
    close(f->front_event);
    close(f->store_event);
    free(f);
}
