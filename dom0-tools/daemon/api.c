/* SPDX-License-Identifier: MIT */
/*
 * Connections, lines and answers of api.h. Each connection has one input buffer, which grows up to
 * the longest request, and one output buffer with a bounded backlog.
 */
#include "api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "request.h"

#define MAX_CONNECTIONS 64
#define MAX_LINE        JSON_MAX_TEXT
#define MAX_BACKLOG     (1 << 20)

struct connection {
    struct connection *next;
    unsigned long serial;
    struct watcher watcher;
    char *in, *out;
    size_t in_used, in_room, out_used, out_room;
    bool subscribed;
    char subscription_id[72];
    bool broken; /* closed at the end of the event that found it so */
};

static struct connection *connections;
static struct watcher listener;
static unsigned long next_serial;
static unsigned open_count;

static void close_connection(struct connection *c)
{
    for (struct connection **at = &connections; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    loop_unwatch(&c->watcher);
    close(c->watcher.fd);
    free(c->in);
    free(c->out);
    free(c);
    open_count--;
}

static struct connection *find_connection(unsigned long serial)
{
    for (struct connection *c = connections; c; c = c->next)
        if (c->serial == serial)
            return c;
    return NULL;
}

static void flush(struct connection *c)
{
    while (c->out_used) {
        ssize_t put = send(c->watcher.fd, c->out, c->out_used, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno != EAGAIN)
            c->broken = true;
        if (put <= 0)
            break;
        c->out_used -= put;
        memmove(c->out, c->out + put, c->out_used);
    }
    loop_change(&c->watcher, c->out_used ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (!c->out_used && c->out_room > 65536) {
        free(c->out);
        c->out = NULL;
        c->out_room = 0;
    }
}

static bool reserve(char **buffer, size_t *room, size_t need)
{
    size_t fresh = *room ? *room : 1024;
    char *larger;

    if (need <= *room)
        return true;
    while (fresh < need)
        fresh *= 2;
    larger = realloc(*buffer, fresh);
    if (!larger)
        return false;
    *buffer = larger;
    *room = fresh;
    return true;
}

/* {"id":ID,KEY:BODY}\n; BODY is JSON text. */
static void send_line(struct connection *c, const char *id, const char *members, const char *body,
                      size_t body_length)
{
    size_t need = strlen(id) + strlen(members) + body_length + 16;

    if (c->broken)
        return;
    if (c->out_used + need > MAX_BACKLOG || !reserve(&c->out, &c->out_room, c->out_used + need)) {
        log_line("a client does not read its answers: disconnected");
        c->broken = true;
        shutdown(c->watcher.fd, SHUT_RDWR);
        return;
    }
    c->out_used += sprintf(c->out + c->out_used, "{\"id\":%s,%s", id, members);
    memcpy(c->out + c->out_used, body, body_length);
    c->out_used += body_length;
    memcpy(c->out + c->out_used, "}\n", 2);
    c->out_used += 2;
    flush(c);
}

static void send_writer(struct connection *c, const char *id, const char *members,
                        struct json_writer *w)
{
    size_t length;
    const char *text = jw_text(w, &length);

    if (text)
        send_line(c, id, members, text, length);
    else
        c->broken = true;
}

void ticket_answer(struct ticket *t, struct json_writer *result)
{
    struct connection *c = find_connection(t->connection);

    if (c)
        send_writer(c, t->id, "\"ok\":true,\"result\":", result);
    free(t);
}

void ticket_fail(struct ticket *t, const struct failure *failure)
{
    struct connection *c = find_connection(t->connection);
    struct json_writer *w = c ? jw_new(false) : NULL;

    if (w) {
        jw_failure(w, NULL, failure);
        send_writer(c, t->id, "\"ok\":false,\"error\":", w);
        jw_free(w);
    }
    free(t);
}

void ticket_progress(const struct ticket *t, const char *step, const char *message)
{
    struct connection *c = find_connection(t->connection);
    struct json_writer *w = c ? jw_new(false) : NULL;

    if (!w)
        return;
    jw_object(w, NULL);
    jw_string(w, "step", step);
    jw_string(w, "message", message);
    jw_end_object(w);
    send_writer(c, t->id, "\"progress\":", w);
    jw_free(w);
}

void api_subscribe(const struct ticket *t)
{
    struct connection *c = find_connection(t->connection);

    if (!c)
        return;
    c->subscribed = true;
    snprintf(c->subscription_id, sizeof(c->subscription_id), "%s", t->id);
}

void api_event(struct json_writer *event)
{
    for (struct connection *c = connections; c; c = c->next)
        if (c->subscribed)
            send_writer(c, c->subscription_id, "\"event\":", event);
}

static void run_operation(struct connection *c, const struct operation *op,
                          const struct api_request *request)
{
    struct failure failure = {0};
    struct ticket *ticket = calloc(1, sizeof(*ticket));
    struct json_writer *result = jw_new(false);
    enum op_status status = OP_FAILED;

    if (!ticket || !result) {
        c->broken = true;
        free(ticket);
        jw_free(result);
        return;
    }
    ticket->connection = c->serial;
    ticket->since = now_ms();
    snprintf(ticket->id, sizeof(ticket->id), "%s", request->id);
    jw_object(result, NULL);
    status = op->run(request->args, ticket, result, &failure);
    jw_end_object(result);
    if (status == OP_DONE)
        ticket_answer(ticket, result);
    if (status == OP_FAILED)
        ticket_fail(ticket, &failure);
    jw_free(result);
}

static void refuse(struct connection *c, const char *id, const struct failure *failure)
{
    struct json_writer *w = jw_new(false);

    if (w)
        jw_failure(w, NULL, failure);
    if (w)
        send_writer(c, id, "\"ok\":false,\"error\":", w);
    jw_free(w);
}

static void handle_line(struct connection *c, const char *line, size_t length)
{
    struct failure failure = {0};
    struct api_request request = {.id = "null"};
    struct json_doc *doc = json_parse(line, length, &failure);
    const struct operation *op = operations;

    if (doc && api_request_read(doc, &request, &failure) == 0) {
        while (op->name && strcmp(op->name, request.op) != 0)
            op++;
        if (!op->name)
            fail(&failure, FAIL_REQUEST, "request", "/op", "there is no operation \"%s\"",
                 request.op);
    }
    if (failure.code != FAIL_NONE)
        refuse(c, request.id, &failure);
    else
        run_operation(c, op, &request);
    json_free(doc);
}

/* Handle every complete line; false when the connection is to be closed. */
static bool handle_input(struct connection *c)
{
    struct failure failure = {0};
    char *start = c->in, *end;

    while (!c->broken && (end = memchr(start, '\n', c->in_used - (start - c->in)))) {
        if (end > start)
            handle_line(c, start, end - start);
        start = end + 1;
    }
    c->in_used -= start - c->in;
    memmove(c->in, start, c->in_used);
    if (c->in_used > MAX_LINE) {
        fail(&failure, FAIL_JSON_LIMIT, "request", "", "a request is longer than %d KiB",
             MAX_LINE / 1024);
        refuse(c, "null", &failure);
        return false;
    }
    if (c->in_used == 0 && c->in_room > 65536) {
        free(c->in);
        c->in = NULL;
        c->in_room = 0;
    }
    return !c->broken;
}

static void on_connection(struct watcher *w, uint32_t events)
{
    struct connection *c = container_of(w, struct connection, watcher);
    ssize_t got;

    if (events & EPOLLOUT)
        flush(c);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        if (!reserve(&c->in, &c->in_room, c->in_used + 4096)) {
            close_connection(c);
            return;
        }
        got = recv(w->fd, c->in + c->in_used, c->in_room - c->in_used, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            close_connection(c);
            return;
        }
        if (got > 0) {
            c->in_used += got;
            if (!handle_input(c))
                c->broken = true;
        }
    }
    if (c->broken)
        close_connection(c);
}

static void on_listener(struct watcher *w, uint32_t events)
{
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *c;

    if (fd < 0)
        return;
    c = open_count < MAX_CONNECTIONS ? calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        close(fd);
        return;
    }
    c->serial = ++next_serial;
    c->watcher = (struct watcher){fd, on_connection};
    c->next = connections;
    connections = c;
    open_count++;
    loop_watch(&c->watcher, EPOLLIN);
}

int api_open(const char *path, struct failure *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask;
    int error;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path); /* a predecessor's; main.c holds the lock that says there is no other daemon */
    mask = umask(0177);
    error =
        fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0;
    umask(mask);
    if (error) {
        fail(failure, FAIL_IO, "listen", path, "cannot listen: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    listener = (struct watcher){fd, on_listener};
    return loop_watch(&listener, EPOLLIN);
}
