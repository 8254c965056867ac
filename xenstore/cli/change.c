/* SPDX-License-Identifier: MIT */
/* change.c: mullion-store's commands that change: write, rm, chmod, control. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* All pairs in one transaction, begun again as long as others interfere. */
int cmd_write(struct xs_handle *h, int argc, char **argv)
{
    int i;

    if (argc % 2 == 0)
        return 2;
    for (;;) {
        xs_transaction_t t = xs_transaction_start(h);

        if (t == XBT_NULL)
            return fail("start a transaction", NULL);
        for (i = 1; i < argc; i += 2)
            if (!xs_write(h, t, argv[i], argv[i + 1], (unsigned int)strlen(argv[i + 1])))
                break;
        if (i < argc) {
            fail("write", argv[i]);
            xs_transaction_end(h, t, true);
            return 1;
        }
        if (xs_transaction_end(h, t, false))
            return 0;
        if (errno != EAGAIN)
            return fail("commit", NULL);
    }
}

/* Remove parents that have neither value nor children any more. */
static void tidy(struct xs_handle *h, const char *path)
{
    char *parent = strdup(path), *slash;

    while (parent && (slash = strrchr(parent, '/')) && slash != parent) {
        unsigned int n, len;
        char *value, **names;
        bool empty;

        *slash = 0;
        value = xs_read(h, XBT_NULL, parent, &len);
        names = xs_directory(h, XBT_NULL, parent, &n);
        empty = value && names && !len && !n;
        free(value);
        free(names);
        if (!empty || !xs_rm(h, XBT_NULL, parent))
            break;
    }
    free(parent);
}

int cmd_rm(struct xs_handle *h, int argc, char **argv)
{
    bool parents = false;
    int c, status = 0;

    while ((c = getopt(argc, argv, "t")) != -1) {
        if (c == '?')
            return 2;
        parents = true;
    }
    for (; optind < argc; optind++) {
        if (!xs_rm(h, XBT_NULL, argv[optind]))
            status = fail("remove", argv[optind]);
        else if (parents)
            tidy(h, argv[optind]);
    }
    return status;
}

static int set_below(struct xs_handle *h, const char *path, struct xs_permissions *perms,
                     unsigned int count, bool recurse)
{
    unsigned int n;
    char **names;
    int status = 0;

    if (!xs_set_permissions(h, XBT_NULL, path, perms, count))
        return fail("set permissions of", path);
    names = recurse ? xs_directory(h, XBT_NULL, path, &n) : NULL;
    for (unsigned int i = 0; names && i < n; i++) {
        char *child = strdup(child_path(path, names[i]));

        if (child)
            status |= set_below(h, child, perms, count, true);
        free(child);
    }
    free(names);
    return status;
}

int cmd_chmod(struct xs_handle *h, int argc, char **argv)
{
    struct xs_permissions perms[64];
    bool recurse = false;
    unsigned int n = 0;
    const char *path;
    int c;

    while ((c = getopt(argc, argv, "r")) != -1) {
        if (c == '?')
            return 2;
        recurse = true;
    }
    path = argv[optind++];
    for (; optind < argc && n < sizeof(perms) / sizeof(perms[0]); optind++)
        if (!xs_strings_to_perms(&perms[n++], 1, argv[optind]))
            return fail("understand the mode (want e.g. n0, r5, w5, b5)", argv[optind]);
    return set_below(h, path, perms, n, recurse);
}

int cmd_control(struct xs_handle *h, int argc, char **argv)
{
    char args[XENSTORE_PAYLOAD_MAX], *answer;
    unsigned int len = 0;

    for (int i = 2; i < argc; i++) {
        unsigned int size = (unsigned int)strlen(argv[i]) + 1;

        if (len + size > sizeof(args)) {
            errno = E2BIG;
            return fail("send", argv[i]);
        }
        memcpy(args + len, argv[i], size);
        len += size;
    }
    answer = xs_control_command(h, argv[1], args, len);
    if (!answer)
        return fail("do", argv[1]);
    fputs(answer, stdout);
    if (answer[0] && answer[strlen(answer) - 1] != '\n')
        putchar('\n');
    free(answer);
    return 0;
}
