/* SPDX-License-Identifier: MIT */
/* show.c: mullion-store's commands that look: ls, list, read, exists, watch. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

void print_value(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];

        if (c == '\n')
            fputs("\\n", stdout);
        else if (c == '\\' || c < ' ' || c > '~')
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

const char *child_path(const char *path, const char *name)
{
    static char buf[2 * XENSTORE_PAYLOAD_MAX];

    snprintf(buf, sizeof(buf), "%s/%s", strcmp(path, "/") ? path : "", name);
    return buf;
}

static void print_perms(struct xs_handle *h, const char *path)
{
    unsigned int n;
    struct xs_permissions *perms = xs_get_permissions(h, XBT_NULL, path, &n);

    if (!perms)
        return;
    for (unsigned int i = 0; i < n; i++)
        printf("%s%c%u", i ? "," : "   (", "nrwb"[perms[i].perms & 3], perms[i].id);
    putchar(')');
    free(perms);
}

struct ls_style {
    bool full, perms;
};

/* Nodes may vanish while we look: then they are not shown, and that is no error. */
static int ls_below(struct xs_handle *h, const char *path, int depth, struct ls_style style)
{
    unsigned int n, len;
    char **names = xs_directory(h, XBT_NULL, path, &n);

    if (!names)
        return depth && errno == ENOENT ? 0 : fail("list", path);
    for (unsigned int i = 0; i < n; i++) {
        char *child = strdup(child_path(path, names[i]));
        char *value = child ? xs_read(h, XBT_NULL, child, &len) : NULL;

        if (value) {
            if (style.full)
                printf("%s = \"", child);
            else
                printf("%*s%s = \"", depth, "", names[i]);
            print_value(value, len);
            putchar('"');
            if (style.perms)
                print_perms(h, child);
            putchar('\n');
            ls_below(h, child, depth + 1, style);
        }
        free(value);
        free(child);
    }
    free(names);
    return 0;
}

int cmd_ls(struct xs_handle *h, int argc, char **argv)
{
    struct ls_style style = {false, false};
    int c;

    while ((c = getopt(argc, argv, "fp")) != -1) {
        if (c == '?')
            return 2;
        style.full |= c == 'f';
        style.perms |= c == 'p';
    }
    return ls_below(h, optind < argc ? argv[optind] : "/", 0, style);
}

int cmd_list(struct xs_handle *h, int argc, char **argv)
{
    bool full = false;
    int c, status = 0;

    while ((c = getopt(argc, argv, "p")) != -1) {
        if (c == '?')
            return 2;
        full = true;
    }
    if (optind == argc)
        return 2;
    for (; optind < argc; optind++) {
        unsigned int n;
        char **names = xs_directory(h, XBT_NULL, argv[optind], &n);

        if (!names) {
            status = fail("list", argv[optind]);
            continue;
        }
        for (unsigned int i = 0; i < n; i++)
            puts(full ? child_path(argv[optind], names[i]) : names[i]);
        free(names);
    }
    return status;
}

int cmd_read(struct xs_handle *h, int argc, char **argv)
{
    bool paths = false, raw = false;
    int c, status = 0;

    while ((c = getopt(argc, argv, "pr")) != -1) {
        if (c == '?')
            return 2;
        paths |= c == 'p';
        raw |= c == 'r';
    }
    for (; optind < argc; optind++) {
        unsigned int len;
        char *value = xs_read(h, XBT_NULL, argv[optind], &len);

        if (!value) {
            status = fail("read", argv[optind]);
            continue;
        }
        if (paths)
            printf("%s = ", argv[optind]);
        if (raw) {
            fwrite(value, 1, len, stdout);
        } else {
            print_value(value, len);
            putchar('\n');
        }
        free(value);
    }
    return status;
}

int cmd_exists(struct xs_handle *h, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *value = xs_read(h, XBT_NULL, argv[i], NULL);

        if (!value)
            return errno == ENOENT ? 1 : fail("read", argv[i]);
        free(value);
    }
    return 0;
}

int cmd_watch(struct xs_handle *h, int argc, char **argv)
{
    long count = -1;
    int c;

    while ((c = getopt(argc, argv, "n:")) != -1) {
        if (c == '?')
            return 2;
        count = atol(optarg);
    }
    for (int i = optind; i < argc; i++)
        if (!xs_watch(h, argv[i], argv[i]))
            return fail("watch", argv[i]);
    while (count) {
        char **event = xs_read_watch(h, NULL);

        if (!event)
            return fail("wait for changes", NULL);
        puts(event[XS_WATCH_PATH]);
        fflush(stdout);
        free(event);
        if (count > 0)
            count--;
    }
    return 0;
}
