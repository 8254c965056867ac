/* SPDX-License-Identifier: MIT */
/* Lines over the socket; see client.h and docs/api.md. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "file.h"
#include "progress.h"

#define DEFAULT_SOCKET "/run/mullion/api.sock"

int client_open(struct client *c, struct failure *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("MULLION_SOCKET");

    *c = (struct client){.fd = -1};
    if (!path || !*path)
        path = DEFAULT_SOCKET;
    if (strlen(path) >= sizeof(address.sun_path))
        return fail(failure, FAIL_CONNECT, "connect", path, "the socket's path is too long");
    strcpy(address.sun_path, path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        fail(failure, FAIL_CONNECT, "connect", path, "cannot reach mulliond: %s", strerror(errno));
        return fail_hint(failure, errno == EACCES ? "only root may manage domains"
                                                  : "is it running? systemctl start mulliond");
    }
    return 0;
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->buffer);
}

/* One line without its end; NULL at the end of the stream. */
static char *next_line(struct client *c, struct failure *failure)
{
    for (;;) {
        char *end = c->used ? memchr(c->buffer, '\n', c->used) : NULL;
        ssize_t got;

        if (end) {
            size_t length = end - c->buffer;
            char *line = strndup(c->buffer, length);

            c->used -= length + 1;
            memmove(c->buffer, end + 1, c->used);
            return line;
        }
        if (c->room - c->used < 4096) {
            char *larger = realloc(c->buffer, c->room * 2 + 8192);

            if (!larger)
                return NULL;
            c->buffer = larger;
            c->room = c->room * 2 + 8192;
        }
        got = recv(c->fd, c->buffer + c->used, c->room - c->used, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            fail(failure, FAIL_CONNECT, "wait", "mulliond", "mulliond closed the connection%s%s",
                 got < 0 ? ": " : "", got < 0 ? strerror(errno) : "");
            fail_hint(failure, "the domains go on; see /var/log/mullion/mulliond.log");
            return NULL;
        }
        c->used += got;
    }
}

struct json_doc *client_next(struct client *c, struct failure *failure)
{
    char *line = next_line(c, failure);
    struct json_doc *doc = line ? json_parse(line, strlen(line), failure) : NULL;

    free(line);
    return doc;
}

static int send_request(struct client *c, const char *op, struct json_writer *args,
                        struct failure *failure)
{
    const char *body = args ? jw_text(args, NULL) : "{}";
    char head[96];
    int error;

    if (!body)
        return fail(failure, FAIL_RESOURCES, "send", "", "out of memory");
    snprintf(head, sizeof(head), "{\"v\":1,\"id\":%u,\"op\":\"%s\",\"args\":", ++c->next_id, op);
    error = write_all(c->fd, head, strlen(head));
    if (!error)
        error = write_all(c->fd, body, strlen(body));
    if (!error)
        error = write_all(c->fd, "}\n", 2);
    if (error)
        return fail(failure, FAIL_CONNECT, "send", "mulliond", "cannot send the request: %s",
                    strerror(-error));
    return 0;
}

static void take_failure(const struct json *error, struct failure *failure)
{
    enum failure_code code = failure_from_name(json_get_string(error, "code", ""));

    fail(failure, code == FAIL_NONE ? FAIL_REQUEST : code, json_get_string(error, "step", ""),
         json_get_string(error, "where", ""), "%s", json_get_string(error, "message", "failed"));
    if (json_get_string(error, "hint", "")[0])
        fail_hint(failure, "%s", json_get_string(error, "hint", ""));
}

struct json_doc *client_call(struct client *c, const char *op, struct json_writer *args,
                             struct failure *failure)
{
    struct json_doc *doc = NULL;

    if (send_request(c, op, args, failure))
        return NULL;
    progress_begin(op);
    while ((doc = client_next(c, failure))) {
        const struct json *root = json_root(doc), *progress = json_get(root, "progress");

        if (json_get(root, "ok"))
            break;
        if (progress)
            progress_note(json_get_string(progress, "message", ""));
        json_free(doc);
    }
    progress_end();
    if (doc && !json_get_bool(json_root(doc), "ok", false)) {
        take_failure(json_get(json_root(doc), "error"), failure);
        json_free(doc);
        doc = NULL;
    }
    return doc;
}
