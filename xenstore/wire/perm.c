/* SPDX-License-Identifier: MIT */
/* perm.c: permission strings; see xswire/perm.h. The letters' order is that of the bits. */
#include "xswire/args.h"
#include "xswire/perm.h"

static const char letters[4] = {'n', 'r', 'w', 'b'};

bool xsw_perm_parse(const char *s, size_t len, struct xsw_perm *perm)
{
    uint32_t domid;

    if (len < 2 || !xsw_parse_u32(s + 1, len - 1, &domid) || domid > UINT16_MAX)
        return false;
    for (uint16_t bits = 0; bits < 4; bits++) {
        if (s[0] == letters[bits]) {
            *perm = (struct xsw_perm){.domid = (uint16_t)domid, .bits = bits};
            return true;
        }
    }
    return false;
}

size_t xsw_perm_format(char dst[XSW_PERM_STR_MAX], struct xsw_perm perm)
{
    dst[0] = letters[perm.bits & (XSW_PERM_READ | XSW_PERM_WRITE)];
    return 1 + xsw_format_u32(dst + 1, perm.domid);
}
