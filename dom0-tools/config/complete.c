/* SPDX-License-Identifier: MIT */
/* What a document may leave out and must stay the same for the life of a definition: uuid and MAC
 * addresses. */
#include "domain_config.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static void random_uuid(char text[37])
{
    unsigned char b[16] = {0};

    /* getrandom() of 16 bytes cannot be short, and only fails before the kernel has any entropy. */
    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        snprintf((char *)b, sizeof(b), "%p", (void *)text);
    b[6] = (b[6] & 0x0f) | 0x40; /* RFC 4122 version 4, variant 1 */
    b[8] = (b[8] & 0x3f) | 0x80;
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

/* FNV-1a: not secret, only well spread; Xen's own OUI 00:16:3e leaves 24 bits. */
static uint32_t spread(const char *text, uint32_t index)
{
    uint32_t hash = 2166136261u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return (hash ^ index) * 16777619u;
}

void domain_config_complete(struct domain_config *config, const struct domain_config *known)
{
    if (!config->uuid[0]) {
        if (known)
            memcpy(config->uuid, known->uuid, sizeof(config->uuid));
        else
            random_uuid(config->uuid);
    }
    for (uint32_t i = 0; i < config->nr_nets; i++) {
        uint32_t h = spread(config->uuid, i);

        h ^= h >> 24;
        if (!config->nets[i].mac[0])
            snprintf(config->nets[i].mac, sizeof(config->nets[i].mac), "00:16:3e:%02x:%02x:%02x",
                     h >> 16 & 0xff, h >> 8 & 0xff, h & 0xff);
    }
}

uint32_t disk_device_number(const char *target)
{
    unsigned disk, partition = 0;
    char letter;

    if (strncmp(target, "xvd", 3) != 0 || target[3] < 'a' || target[3] > 'z')
        return 0;
    letter = target[3];
    for (const char *digit = target + 4; *digit; digit++) {
        if (*digit < '0' || *digit > '9' || partition > 15)
            return 0;
        partition = partition * 10 + (*digit - '0');
    }
    if (partition > 15)
        return 0;
    disk = letter - 'a';
    /* The xvd major with 16 disks of 16 minors; beyond that the extended scheme with 256 minors
     * each. */
    return disk < 16 ? 202 << 8 | disk << 4 | partition : 1 << 28 | disk << 8 | partition;
}
