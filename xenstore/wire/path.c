/* SPDX-License-Identifier: MIT */
/* path.c: the syntax of paths; see xswire/path.h. Stateless; one pass over each path. */
#include <string.h>

#include "find.h"
#include "xswire/args.h"
#include "xswire/path.h"

static const char home_prefix[] = "/local/domain/";
#define HOME_PREFIX_LEN (sizeof(home_prefix) - 1)

/* What an octet is in a path: nothing that may be there, a separator, or part of a name (0). */
#define ILLEGAL 0x80
#define SLASH   0x01

static const uint8_t kind[256] = {
    [0 ... ','] = ILLEGAL,   ['.'] = ILLEGAL, ['/'] = SLASH,           [':' ... '?'] = ILLEGAL,
    ['[' ... '^'] = ILLEGAL, ['`'] = ILLEGAL, ['{' ... 255] = ILLEGAL,
};

/* Length of a leading "/local/domain/<1-5 digits>/", or 0. */
static size_t home_len(const char *path, size_t len)
{
    size_t i = HOME_PREFIX_LEN;

    if (len <= HOME_PREFIX_LEN || memcmp(path, home_prefix, HOME_PREFIX_LEN))
        return 0;
    while (i < len && i < HOME_PREFIX_LEN + 5 && path[i] >= '0' && path[i] <= '9')
        i++;
    return i > HOME_PREFIX_LEN && i < len && path[i] == '/' ? i + 1 : 0;
}

bool xsw_path_valid(const char *path, size_t len, size_t max)
{
    unsigned int before = SLASH, wrong = 0;

    if (!len || path[0] != '/')
        return false;
    if (len == 1)
        return true;
    for (size_t i = 1; i < len; i++) {
        unsigned int this = kind[(unsigned char)path[i]];

        wrong |= this & (ILLEGAL | before); /* a slash after a slash, too */
        before = this;
    }
    if (wrong || before == SLASH)
        return false;
    return len <= max || len - home_len(path, len) <= max;
}

bool xsw_path_is_below(const char *parent, size_t parent_len, const char *child, size_t child_len)
{
    if (parent_len == 1)
        return true;
    return child_len >= parent_len && !memcmp(parent, child, parent_len) &&
           (child_len == parent_len || child[parent_len] == '/');
}

size_t xsw_path_home(char dst[XSW_HOME_MAX], uint32_t domid)
{
    memcpy(dst, home_prefix, HOME_PREFIX_LEN);
    return HOME_PREFIX_LEN + xsw_format_u32(dst + HOME_PREFIX_LEN, domid & 0xffff);
}

size_t xsw_path_resolve(char *dst, size_t size, uint32_t domid, const char *path, size_t len)
{
    char home[XSW_HOME_MAX];
    size_t home_size = 0;

    if (!len)
        return 0;
    if (path[0] != '/' && path[0] != '@') {
        home_size = xsw_path_home(home, domid);
        home[home_size++] = '/';
    }
    if (home_size + len >= size)
        return 0;
    memcpy(dst, home, home_size);
    memcpy(dst + home_size, path, len);
    dst[home_size + len] = 0;
    return home_size + len;
}

size_t xsw_path_parent(const char *path, size_t len)
{
    if (len <= 1)
        return 0;
    while (path[len - 1] != '/')
        len--;
    return len == 1 ? 1 : len - 1;
}

size_t xsw_path_step(const char *path, size_t len, size_t *pos, const char **name)
{
    size_t start = *pos + (*pos < len && path[*pos] == '/');

    *name = path + start;
    *pos = start + xsw_find(*name, len - start, '/');
    return *pos - start;
}
