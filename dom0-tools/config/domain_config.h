/* SPDX-License-Identifier: MIT */
/*
 * The one document that describes a domain, as a C structure: read, checked, compared and written
 * back.
 *
 * docs/schema/domain.v1.json is the same contract for people and other programs; a unit test walks
 * both and compares every key, range, pattern and default. The tables are in fields.c; nothing else
 * knows a key's name.
 *
 * Invariant: a struct that domain_config_load() returned satisfies the schema and the checks that a
 * schema cannot express (duplicate targets, reserved names, memory in pages). Fixed sizes: no
 * allocation, no free.
 */
#ifndef MULLION_CONFIG_DOMAIN_CONFIG_H
#define MULLION_CONFIG_DOMAIN_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "json.h"
#include "json_write.h"

#define DOMAIN_SCHEMA     "mullion/domain/v1"
#define DOMAIN_MAX_DISKS  16
#define DOMAIN_MAX_NETS   8
#define DOMAIN_MAX_VCPUS  64
#define DOMAIN_MAX_CPUS   256 /* that an affinity can name */
#define DOMAIN_MIN_MEMORY (4ULL << 20)
#define DOMAIN_MAX_MEMORY (16ULL << 40)

enum disk_mode { DISK_RW, DISK_RO };
enum console_kind { CONSOLE_PTY, CONSOLE_NONE };
enum shutdown_action { ACTION_DESTROY, ACTION_RESTART, ACTION_PRESERVE };

struct disk_config {
    char image[256]; /* absolute path of a raw file or block device */
    char target[8];  /* "xvda" … */
    uint32_t mode;   /* enum disk_mode */
};

struct net_config {
    char bridge[16]; /* "" : no bridge */
    char mac[18];    /* lower case; filled from the uuid when the document has none */
    char name[16];   /* of the TAP in dom0; "" : vif<domid>.<devid> */
};

struct kernel_config {
    char path[256], initrd[256];
    char cmdline[1024];
};

/* What each vCPU gets before any weight; no budget, no reservation. */
struct reservation_config {
    uint32_t period_us, budget_us;
};

struct affinity_config {
    char hard[64], soft[64]; /* "0-3,6"; "" : all CPUs */
};

struct cpu_config {
    uint32_t weight;
    uint32_t cap; /* percent of one CPU, for all vCPUs together; 0: none */
    struct reservation_config reservation;
    struct affinity_config affinity;
};

struct domain_config {
    char schema[24];
    char name[64];
    char uuid[37];      /* "" until domain_config_complete() */
    uint64_t memory;    /* bytes, whole pages */
    uint32_t vcpus;     /* that it is to use now */
    uint32_t vcpus_max; /* that it has, never fewer */
    struct cpu_config cpu;
    struct kernel_config kernel;
    struct disk_config disks[DOMAIN_MAX_DISKS];
    uint32_t nr_disks;
    struct net_config nets[DOMAIN_MAX_NETS];
    uint32_t nr_nets;
    uint32_t on_poweroff, on_reboot, on_crash; /* enum shutdown_action */
    uint32_t console;                          /* enum console_kind */
};

/* Parsed JSON → config. Returns 0, or -1 with a failure whose `where` is a pointer relative to
 * `document`. */
int domain_config_load(const struct json *document, struct domain_config *config,
                       struct failure *failure);

/* Text → config: json_parse() and domain_config_load() in one. */
int domain_config_parse(const char *text, size_t size, struct domain_config *config,
                        struct failure *failure);

/* Fill what may be left out and must stay stable: a uuid (that of `known` with the same name, else
 * random) and the MAC addresses, which follow from the uuid. */
void domain_config_complete(struct domain_config *config, const struct domain_config *known);

/* Write the config in canonical form: every key with its value, empty optional strings left out. */
void domain_config_write(struct json_writer *w, const char *key,
                         const struct domain_config *config);

/* One difference: the pointer and both values as JSON text; `live`: a running domain can follow. */
typedef void config_changed(void *ctx, const char *pointer, const char *old_value,
                            const char *new_value, bool live);

/* Call `changed` (may be NULL) for each difference. Returns their number. */
unsigned domain_config_diff(const struct domain_config *from, const struct domain_config *to,
                            config_changed *changed, void *ctx);

/* "128M" or "134217728" → bytes; false when it is not such a text. */
bool parse_memory(const char *text, uint64_t *bytes);

/* "0-3,6" → a bit for each CPU; "" → all of them. False when it is no such list, or names a CPU
 * from DOMAIN_MAX_CPUS on. `last`, if not NULL: the highest CPU named, 0 for "". */
struct cpu_set {
    uint8_t bits[DOMAIN_MAX_CPUS / 8];
};
bool parse_cpu_list(const char *text, struct cpu_set *set, uint32_t *last);

/* "xvda" → the virtual device number of <xen/io/blkif.h>; 0 when it is no such name. */
uint32_t disk_device_number(const char *target);

/* The spelling of a shutdown action, e.g. "restart". */
const char *shutdown_action_name(enum shutdown_action action);

#endif
