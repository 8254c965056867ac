/* SPDX-License-Identifier: MIT */
/* The consoles of all guests: see console.h. One thread. */
#include "console.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <xen/grant_table.h>

#include "report.h"

#define DOMAINS   "/local/domain"
#define MAX_DOMID 0x7fef

/* --- moving bytes --- */

static void disconnect(struct console *c);

static void broken(struct console *c, const char *what)
{
    report("domain %u: impossible %s index in its console ring (a fault in its driver); its "
           "console is disconnected",
           c->domid, what);
    disconnect(c);
}

/* Edge-triggered, for what is typed may have to wait; for output only while some of it waits. */
static void watch_terminal(struct console *c)
{
    bool waits = c->terminal.n > 0;

    if (waits != c->output_waits)
        loop_events(c->all->loop, &c->terminal_source, EPOLLIN | EPOLLET | (waits ? EPOLLOUT : 0));
    c->output_waits = waits;
}

static bool move_output(struct console *c)
{
    char text[CONSOLE_OUT_BYTES];
    int n = console_ring_peek(&c->ring, text);

    if (n < 0) {
        broken(c, "output");
        return false;
    }
    if (n == 0)
        return false;
    log_write(&c->log, text, (size_t)n);
    terminal_write(&c->terminal, text, (size_t)n);
    watch_terminal(c);
    console_ring_consume(&c->ring, (uint32_t)n);
    return true;
}

static bool move_input(struct console *c)
{
    char text[sizeof(((struct xencons_interface *)0)->in)];
    int room = console_ring_room(&c->ring);
    size_t n;

    if (room < 0) {
        broken(c, "input");
        return false;
    }
    n = room ? terminal_read(&c->terminal, text, (size_t)room) : 0;
    if (n == 0)
        return false;
    console_ring_feed(&c->ring, text, (uint32_t)n);
    return true;
}

static void pump(struct console *c)
{
    bool out = move_output(c);
    bool in = c->port >= 0 && move_input(c);

    if ((out || in) && c->port >= 0)
        c->all->xen->ops->notify(c->all->xen, c->port);
}

static void on_terminal(void *ctx, uint32_t events)
{
    struct console *c = ctx;

    if (events & EPOLLOUT) {
        terminal_flush(&c->terminal);
        watch_terminal(c);
    }
    if (c->port >= 0 && move_input(c))
        c->all->xen->ops->notify(c->all->xen, c->port);
}

/* --- connecting and dropping --- */

static void *map_page(struct console *c)
{
    uint32_t ref = GNTTAB_RESERVED_CONSOLE;
    void *page = c->all->xen->ops->map(c->all->xen, c->domid, &ref, 1, true);

    c->foreign = !page;
    return page ? page : c->all->foreign.map(c->all->foreign.ctx, c->domid, c->ring_ref);
}

static void unmap_page(struct console *c)
{
    if (!c->ring.page)
        return;
    if (c->foreign)
        c->all->foreign.unmap(c->all->foreign.ctx, c->ring.page);
    else
        c->all->xen->ops->unmap(c->all->xen, c->ring.page, 1);
    c->ring.page = NULL;
}

static void disconnect(struct console *c)
{
    if (c->port >= 0)
        c->all->xen->ops->unbind(c->all->xen, c->port);
    c->port = -1;
    unmap_page(c);
    loop_del(c->all->loop, &c->terminal_source);
    terminal_close(&c->terminal);
    log_close(&c->log);
}

static void domain_dir(const struct console *c, char *dir, const char *below)
{
    snprintf(dir, STORE_PATH, DOMAINS "/%u%s", c->domid, below);
}

static void open_terminal(struct console *c)
{
    struct store_kv kv[1];
    char dir[STORE_PATH], tty[64];
    unsigned n = 0;
    int err = terminal_open(&c->terminal, tty, sizeof(tty));

    if (err) {
        report("domain %u: cannot open a pseudo terminal: %s; its output goes to the log alone",
               c->domid, strerror(-err));
        return;
    }
    c->output_waits = false;
    loop_add(c->all->loop, &c->terminal_source, c->terminal.master, EPOLLIN | EPOLLET, on_terminal,
             c);
    store_put(kv, &n, "tty", "%s", tty);
    domain_dir(c, dir, "/console");
    c->all->store->ops->write(c->all->store, dir, kv, n);
}

static void open_log(struct console *c)
{
    char dir[STORE_PATH], number[24];
    char *name;

    domain_dir(c, dir, "");
    name = store_text(c->all->store, dir, "name");
    snprintf(number, sizeof(number), "domain-%u", c->domid);
    log_open(&c->log, c->all->log_dir, name && *name ? name : number, c->all->log_limit);
    free(name);
}

static void connect_it(struct console *c)
{
    void *page = map_page(c);

    if (!page) {
        report("domain %u: cannot map its console page: %s", c->domid, strerror(errno));
        return;
    }
    console_ring_init(&c->ring, page);
    c->port = c->all->xen->ops->bind(c->all->xen, c->domid, c->remote_port);
    if (c->port < 0) {
        report("domain %u: cannot bind its console's event channel %u: %s", c->domid,
               c->remote_port, strerror(-c->port));
        c->port = -1;
        unmap_page(c);
        return;
    }
    open_log(c);
    open_terminal(c);
    report("domain %u: console connected (%s), log %s", c->domid,
           c->foreign ? "foreign page" : "grant", c->log.path);
    pump(c); /* what was written before us */
}

/* The console of a domain as the store describes it now; connects, reconnects or leaves it as it
 * is. */
static void refresh(struct console *c)
{
    struct store *s = c->all->store;
    char dir[STORE_PATH];
    uint64_t port, ref;
    char *type, *vm;
    bool ours, same;

    domain_dir(c, dir, "");
    vm = store_text(s, dir, "vm");
    domain_dir(c, dir, "/console");
    type = store_text(s, dir, "type");
    ours = !type || !strcmp(type, "xenconsoled");
    free(type);
    if (!ours || store_number(s, dir, "port", INT32_MAX, &port) ||
        store_number(s, dir, "ring-ref", UINT64_MAX, &ref)) {
        free(vm);
        return; /* not written yet: the watch on this directory says when */
    }
    same = c->remote_port == port && c->ring_ref == ref && !strcmp(c->vm, vm ? vm : "");
    if (!same) {
        disconnect(c);
        c->remote_port = (uint32_t)port;
        c->ring_ref = ref;
        snprintf(c->vm, sizeof(c->vm), "%s", vm ? vm : "");
        connect_it(c);
    }
    free(vm);
}

static struct console *find(struct consoles *all, uint32_t domid)
{
    struct console *c = all->list;

    while (c && c->domid != domid)
        c = c->next;
    return c;
}

static void watch_path(const struct console *c, char *path)
{
    domain_dir(c, path, "/console");
}

static struct console *add(struct consoles *all, uint32_t domid)
{
    struct console *c = calloc(1, sizeof(*c));
    char path[STORE_PATH];

    if (!c)
        return NULL;
    c->all = all;
    c->domid = domid;
    c->port = c->log.fd = c->terminal_source.fd = -1;
    c->terminal.master = c->terminal.slave = -1;
    c->next = all->list;
    all->list = c;
    watch_path(c, path);
    all->store->ops->watch(all->store, path, "console");
    return c;
}

/* The domain is gone: its last words, then everything is let go. */
static void drop(struct console **link)
{
    struct console *c = *link;
    char path[STORE_PATH];

    if (c->port >= 0)
        move_output(c);
    disconnect(c);
    watch_path(c, path);
    c->all->store->ops->unwatch(c->all->store, path, "console");
    *link = c->next;
    c->next = c->all->dead;
    c->all->dead = c;
}

static void bury(struct consoles *all)
{
    while (all->dead) {
        struct console *c = all->dead;

        all->dead = c->next;
        free(c);
    }
}

void consoles_refresh(struct consoles *all)
{
    unsigned n = 0;
    char **names = all->store->ops->list(all->store, DOMAINS, &n);

    bury(all);
    for (struct console *c = all->list; c; c = c->next)
        c->seen = false;
    for (unsigned i = 0; i < n && names; i++) {
        char *end;
        unsigned long domid = strtoul(names[i], &end, 10);
        struct console *c;

        if (*end || domid == 0 || domid > MAX_DOMID ||
            !all->store->ops->introduced(all->store, (unsigned)domid))
            continue;
        c = find(all, (uint32_t)domid);
        if (!c)
            c = add(all, (uint32_t)domid);
        if (!c)
            continue;
        c->seen = true;
        refresh(c);
    }
    free(names);
    for (struct console **link = &all->list; *link;) {
        if ((*link)->seen)
            link = &(*link)->next;
        else
            drop(link);
    }
}

static void open_window(struct consoles *all)
{
    struct itimerspec t = {.it_value.tv_nsec = CONSOLE_WINDOW_MS * 1000000L};

    if (!all->window_open)
        all->window_open = timerfd_settime(all->window.fd, 0, &t, NULL) == 0;
}

static void on_window(void *ctx, uint32_t events)
{
    struct consoles *all = ctx;
    uint64_t count;

    if (read(all->window.fd, &count, sizeof(count)) != sizeof(count))
        return;
    all->window_open = false;
    for (struct console *c = all->list; c; c = c->next) {
        c->events = 0;
        if (c->masked && c->port >= 0)
            all->xen->ops->unmask(all->xen, c->port);
        c->masked = false;
    }
}

void consoles_event(struct consoles *all, int port)
{
    for (struct console *c = all->list; c; c = c->next) {
        if (c->port != port)
            continue;
        pump(c);
        open_window(all);
        c->masked = ++c->events >= CONSOLE_BURST && all->window_open;
        if (!c->masked && c->port >= 0)
            all->xen->ops->unmask(all->xen, port);
        return;
    }
}

int consoles_start(struct consoles *all)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int err =
        timer < 0 ? -errno : loop_add(all->loop, &all->window, timer, EPOLLIN, on_window, all);

    if (!err)
        err = all->store->ops->watch(all->store, "@introduceDomain", "domains");
    if (!err)
        err = all->store->ops->watch(all->store, "@releaseDomain", "domains");
    if (!err)
        consoles_refresh(all);
    return err;
}

void consoles_stop(struct consoles *all)
{
    while (all->list) {
        struct console *c = all->list;

        disconnect(c);
        all->list = c->next;
        free(c);
    }
    bury(all);
    if (all->window.fd >= 0) {
        int fd = all->window.fd;

        loop_del(all->loop, &all->window);
        close(fd);
    }
}
