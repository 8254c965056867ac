/* SPDX-License-Identifier: MIT */
/* path.c: the syntax of paths; see xswire/path.h. Stateless; one pass over each path. */
#include <string.h>

#include "xswire/args.h"
#include "xswire/path.h"

static const char home_prefix[] = "/local/domain/";
#define HOME_PREFIX_LEN (sizeof(home_prefix) - 1)

static bool legal(unsigned char c)
{
    /* letters, digits, '-', '/', '@', '_' as bits of two words: 0x2d 0x2f-0x39, 0x40-0x5a 0x5f
     * 0x61-0x7a */
    static const uint64_t low = (1ULL << '-') | (1ULL << '/') | (0x3ffULL << '0');
    static const uint64_t high =
        0x07ffffffULL | (1ULL << ('_' - 64)) | (0x3ffffffULL << ('a' - 64));

    if (c < 64)
        return low >> c & 1;
    return c < 128 && (high >> (c - 64) & 1);
}

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
    size_t i;

    if (!len || path[0] != '/')
        return false;
    if (len == 1)
        return true;
    for (i = 1; i < len; i++)
        if (!legal((unsigned char)path[i]) || (path[i] == '/' && path[i - 1] == '/'))
            return false;
    if (path[len - 1] == '/')
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
    size_t start = *pos, end;

    if (start < len && path[start] == '/')
        start++;
    end = start;
    while (end < len && path[end] != '/')
        end++;
    *name = path + start;
    *pos = end;
    return end - start;
}
