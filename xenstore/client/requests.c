/* SPDX-License-Identifier: MIT */
/*
 * requests.c: the calls of <xenstore.h> that are one request each: encode, talk, decode.
 * No state of its own; errors are errno values as in that header.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "xswire/args.h"
#include "xswire/perm.h"

/* Decimal text of a number, for requests that take domids, frames and ports. */
struct number {
    char text[24];
};

static struct number number(unsigned long value)
{
    struct number n;

    snprintf(n.text, sizeof(n.text), "%lu", value);
    return n;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
    return mstore_talk_string(h, t, XS_READ, path, len);
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
              unsigned int len)
{
    struct iovec iov[2] = {mstore_iov_string(path), {(void *)(uintptr_t)data, len}};

    return mstore_acknowledged(mstore_talk(h, t, XS_WRITE, iov, 2, NULL));
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    return mstore_acknowledged(mstore_talk_string(h, t, XS_MKDIR, path, NULL));
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    return mstore_acknowledged(mstore_talk_string(h, t, XS_RM, path, NULL));
}

bool xs_restrict(struct xs_handle *h, unsigned domid)
{
    return false; /* the protocol lost this request; the header promises false */
}

/* One block: the pointers, then the names. Frees names. */
static char **name_list(char *names, unsigned int len, unsigned int *num)
{
    unsigned int count = (unsigned int)xsw_split(names, len, NULL, 0, NULL), i = 0;
    char **list = malloc(count * sizeof(char *) + len + 1);
    char *text;

    if (!list) {
        free(names);
        errno = ENOMEM;
        return NULL;
    }
    text = (char *)(list + count);
    memcpy(text, names, len);
    free(names);
    for (char *p = text; i < count; p += strlen(p) + 1)
        list[i++] = p;
    *num = count;
    return list;
}

/* Append one DIRECTORY_PART reply's names; *done when it was the last. */
static bool part_append(char **names, unsigned int *have, const char *part, unsigned int len,
                        bool *done)
{
    char *grown;

    *done = len && !part[len - 1] && (len == 1 || !part[len - 2]);
    if (*done)
        len--;
    grown = realloc(*names, *have + len + 1);
    if (!grown)
        return false;
    memcpy(grown + *have, part, len);
    *names = grown;
    *have += len;
    return true;
}

/*
 * A list too long for one reply. The node's generation leads every part; if it changes on the
 * way, what was collected is of no use and we begin again.
 */
static char **directory_parts(struct xs_handle *h, xs_transaction_t t, const char *path,
                              unsigned int *num)
{
    char *names = NULL, *reply = NULL, gen[24] = "";
    unsigned int have = 0, len;
    bool done = false;

    while (!done) {
        struct number offset = number(have);
        struct iovec iov[2] = {mstore_iov_string(path), mstore_iov_string(offset.text)};
        size_t gen_len;

        free(reply);
        reply = mstore_talk(h, t, XS_DIRECTORY_PART, iov, 2, &len);
        if (!reply) {
            if (errno == ENOSYS)
                errno = E2BIG;
            free(names);
            return NULL;
        }
        gen_len = strlen(reply);
        if (gen_len >= sizeof(gen) || gen_len >= len) {
            errno = EINVAL;
            break;
        }
        if (have && strcmp(gen, reply)) {
            have = 0;
            continue;
        }
        strcpy(gen, reply);
        if (!part_append(&names, &have, reply + gen_len + 1, len - (unsigned int)gen_len - 1,
                         &done)) {
            errno = ENOMEM;
            break;
        }
    }
    free(reply);
    if (!done) {
        free(names);
        return NULL;
    }
    return name_list(names, have, num);
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
    unsigned int len;
    char *names = mstore_talk_string(h, t, XS_DIRECTORY, path, &len);

    if (names)
        return name_list(names, len, num);
    return errno == E2BIG ? directory_parts(h, t, path, num) : NULL;
}

struct xs_permissions *xs_get_permissions(struct xs_handle *h, xs_transaction_t t, const char *path,
                                          unsigned int *num)
{
    unsigned int len, count;
    char *text = mstore_talk_string(h, t, XS_GET_PERMS, path, &len);
    struct xs_permissions *perms;

    if (!text)
        return NULL;
    count = (unsigned int)xsw_split(text, len, NULL, 0, NULL);
    perms = malloc((count ? count : 1) * sizeof(*perms));
    if (!perms || !xs_strings_to_perms(perms, count, text)) {
        int err = perms ? errno : ENOMEM;

        free(perms);
        free(text);
        errno = err;
        return NULL;
    }
    free(text);
    *num = count;
    return perms;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t, const char *path,
                        struct xs_permissions *perms, unsigned int num)
{
    char text[XENSTORE_PAYLOAD_MAX + XSW_PERM_STR_MAX];
    struct iovec iov[2] = {mstore_iov_string(path), {text, 0}};

    for (unsigned int i = 0; i < num; i++) {
        struct xsw_perm perm = {.domid = (uint16_t)perms[i].id, .bits = (uint16_t)perms[i].perms};

        if (perms[i].id > UINT16_MAX || perms[i].perms & ~(XS_PERM_READ | XS_PERM_WRITE)) {
            errno = EINVAL;
            return false;
        }
        if (iov[1].iov_len > XENSTORE_PAYLOAD_MAX) {
            errno = E2BIG;
            return false;
        }
        iov[1].iov_len += xsw_perm_format(text + iov[1].iov_len, perm) + 1;
    }
    return mstore_acknowledged(mstore_talk(h, t, XS_SET_PERMS, iov, 2, NULL));
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    char *text = mstore_talk_string(h, XBT_NULL, XS_TRANSACTION_START, "", NULL);
    xs_transaction_t id = XBT_NULL;

    if (text)
        id = (xs_transaction_t)strtoul(text, NULL, 10);
    free(text);
    return id;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abandon)
{
    return mstore_acknowledged(
        mstore_talk_string(h, t, XS_TRANSACTION_END, abandon ? "F" : "T", NULL));
}

static void *domid_request(struct xs_handle *h, uint32_t type, unsigned int domid)
{
    return mstore_talk_string(h, XBT_NULL, type, number(domid).text, NULL);
}

bool xs_introduce_domain(struct xs_handle *h, unsigned int domid, unsigned long mfn,
                         unsigned int eventchn)
{
    struct number n[3] = {number(domid), number(mfn), number(eventchn)};
    struct iovec iov[3] = {mstore_iov_string(n[0].text), mstore_iov_string(n[1].text),
                           mstore_iov_string(n[2].text)};

    return mstore_acknowledged(mstore_talk(h, XBT_NULL, XS_INTRODUCE, iov, 3, NULL));
}

bool xs_set_target(struct xs_handle *h, unsigned int domid, unsigned int target)
{
    struct number n[2] = {number(domid), number(target)};
    struct iovec iov[2] = {mstore_iov_string(n[0].text), mstore_iov_string(n[1].text)};

    return mstore_acknowledged(mstore_talk(h, XBT_NULL, XS_SET_TARGET, iov, 2, NULL));
}

bool xs_resume_domain(struct xs_handle *h, unsigned int domid)
{
    return mstore_acknowledged(domid_request(h, XS_RESUME, domid));
}

bool xs_release_domain(struct xs_handle *h, unsigned int domid)
{
    return mstore_acknowledged(domid_request(h, XS_RELEASE, domid));
}

char *xs_get_domain_path(struct xs_handle *h, unsigned int domid)
{
    return domid_request(h, XS_GET_DOMAIN_PATH, domid);
}

bool xs_is_domain_introduced(struct xs_handle *h, unsigned int domid)
{
    char *text = domid_request(h, XS_IS_DOMAIN_INTRODUCED, domid);
    bool yes = text && strcmp(text, "F");

    free(text);
    return yes;
}

char *xs_control_command(struct xs_handle *h, const char *cmd, void *data, unsigned int len)
{
    struct iovec iov[2] = {mstore_iov_string(cmd), {data, len}};

    return mstore_talk(h, XBT_NULL, XS_CONTROL, iov, 2, NULL);
}

char *xs_debug_command(struct xs_handle *h, const char *cmd, void *data, unsigned int len)
{
    return xs_control_command(h, cmd, data, len);
}

int xs_suspend_evtchn_port(int domid)
{
    struct xs_handle *h = xs_open(0);
    char path[80], *text;
    unsigned int len;
    int port = -1;

    if (!h)
        return -1;
    snprintf(path, sizeof(path), "/local/domain/%d/device/suspend/event-channel", domid);
    text = xs_read(h, XBT_NULL, path, &len);
    if (text && len)
        port = atoi(text);
    free(text);
    xs_close(h);
    return port;
}
