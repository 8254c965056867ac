/* SPDX-License-Identifier: MIT */
/* "0-3,6": the way people and Linux name sets of CPUs. */
#include "domain_config.h"

#include <string.h>

/* The number at *at, which is moved behind it; from DOMAIN_MAX_CPUS on when it is too large or
 * none.
 */
static uint32_t number(const char **at)
{
    uint32_t value = 0, digits = 0;

    for (; **at >= '0' && **at <= '9' && value < DOMAIN_MAX_CPUS; ++*at, digits++)
        value = value * 10 + (uint32_t)(**at - '0');
    return digits ? value : DOMAIN_MAX_CPUS;
}

bool parse_cpu_list(const char *text, struct cpu_set *set, uint32_t *last)
{
    uint32_t highest = 0;

    memset(set, *text ? 0 : 0xff, sizeof(*set));
    while (*text) {
        uint32_t from = number(&text), to = from;

        if (*text == '-') {
            text++;
            to = number(&text);
        }
        if (from > to || to >= DOMAIN_MAX_CPUS || (*text && *text != ','))
            return false;
        for (uint32_t cpu = from; cpu <= to; cpu++)
            set->bits[cpu / 8] |= (uint8_t)(1u << cpu % 8);
        highest = to > highest ? to : highest;
        if (*text && !*++text) /* nothing after a comma */
            return false;
    }
    if (last)
        *last = highest;
    return true;
}
