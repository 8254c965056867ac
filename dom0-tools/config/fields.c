/* SPDX-License-Identifier: MIT */
/*
 * Every key of the domain document: its place in the structure, its limits and its words for
 * people. Keep in step with docs/schema/domain.v1.json (the unit test `schema` fails when they
 * differ).
 */
#include "fields.h"

#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

/* Printable ASCII without '/', component by component, none of them "." or "..": a plain absolute
 * path. */
#define PATH_PATTERN "^(/([ -,0-~-]|\\.[ -,0-~-]|\\.\\.[ -.0-~])[ -.0-~]*)+$"
#define PATH_EXPECTS "an absolute path without \"..\", \"//\" or control characters"
#define LINK_PATTERN "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$"
#define LINK_EXPECTS "a network interface name of at most 15 letters, digits, '_', '.', '-'"
#define CPUS_PATTERN "^[0-9]{1,3}(-[0-9]{1,3})?(,[0-9]{1,3}(-[0-9]{1,3})?)*$"
#define CPUS_EXPECTS "a list of CPUs such as \"0-3,6\""

static const char *const mode_names[] = {"rw", "ro", NULL};
static const char *const console_names[] = {"pty", "none", NULL};
static const char *const action_names[] = {"destroy", "restart", "preserve", NULL};

static const struct field kernel_fields[] = {
    {"path", FIELD_STRING, true, AT(kernel_config, path), .pattern = PATH_PATTERN,
     .expects = PATH_EXPECTS},
    {"initrd", FIELD_STRING, false, AT(kernel_config, initrd), .pattern = PATH_PATTERN,
     .expects = PATH_EXPECTS},
    {"cmdline", FIELD_STRING, false, AT(kernel_config, cmdline), .pattern = "^[ -~]*$",
     .expects = "at most 1023 printable characters"},
    {0},
};

static const struct field disk_fields[] = {
    {"image", FIELD_STRING, true, AT(disk_config, image), .pattern = PATH_PATTERN,
     .expects = PATH_EXPECTS},
    {"target", FIELD_STRING, true, AT(disk_config, target), .pattern = "^xvd[a-z]([1-9]|1[0-5])?$",
     .expects = "a disk name such as \"xvda\""},
    {"mode", FIELD_ENUM, false, AT(disk_config, mode), .initial = DISK_RW, .names = mode_names},
    {0},
};

static const struct field net_fields[] = {
    {"bridge", FIELD_STRING, false, AT(net_config, bridge), .pattern = LINK_PATTERN,
     .expects = LINK_EXPECTS},
    {"mac", FIELD_STRING, false, AT(net_config, mac),
     .pattern = "^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$",
     .expects = "a unicast address such as \"00:16:3e:12:34:56\""},
    {"name", FIELD_STRING, false, AT(net_config, name), .pattern = LINK_PATTERN,
     .expects = LINK_EXPECTS},
    {0},
};

static const struct field reservation_fields[] = {
    {"period_us", FIELD_UINT, false, AT(reservation_config, period_us), .min = 1000, .max = 1000000,
     .initial = 10000},
    {"budget_us", FIELD_UINT, false, AT(reservation_config, budget_us), .max = 1000000},
    {0},
};

static const struct field affinity_fields[] = {
    {"hard", FIELD_STRING, false, AT(affinity_config, hard), .pattern = CPUS_PATTERN,
     .expects = CPUS_EXPECTS},
    {"soft", FIELD_STRING, false, AT(affinity_config, soft), .pattern = CPUS_PATTERN,
     .expects = CPUS_EXPECTS},
    {0},
};

static const struct field cpu_fields[] = {
    {"weight", FIELD_UINT, false, AT(cpu_config, weight), .min = 1, .max = 65535, .initial = 256},
    {"cap", FIELD_UINT, false, AT(cpu_config, cap), .max = 100 * DOMAIN_MAX_VCPUS},
    {"reservation", FIELD_OBJECT, false, AT(cpu_config, reservation), .fields = reservation_fields},
    {"affinity", FIELD_OBJECT, false, AT(cpu_config, affinity), .fields = affinity_fields},
    {0},
};

const struct field domain_fields[] = {
    {"schema", FIELD_CONST, true, AT(domain_config, schema), .pattern = DOMAIN_SCHEMA},
    {"name", FIELD_STRING, true, AT(domain_config, name),
     .pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
     .expects = "1 to 63 letters, digits, '_', '.', '-', beginning with a letter or digit"},
    {"uuid", FIELD_STRING, false, AT(domain_config, uuid),
     .pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
     .expects = "a uuid such as \"1b4e28ba-2fa1-41d2-883f-0016d3cca427\""},
    {"memory", FIELD_MEMORY, true, AT(domain_config, memory), .min = DOMAIN_MIN_MEMORY,
     .max = DOMAIN_MAX_MEMORY, .pattern = "^[1-9][0-9]{0,11}[KMGT]$"},
    {"vcpus", FIELD_UINT, false, AT(domain_config, vcpus), .min = 1, .max = DOMAIN_MAX_VCPUS,
     .initial = 1, .live = true},
    {"vcpus_max", FIELD_UINT, false, AT(domain_config, vcpus_max), .min = 1,
     .max = DOMAIN_MAX_VCPUS}, /* absent: as many as vcpus */
    {"cpu", FIELD_OBJECT, false, AT(domain_config, cpu), .fields = cpu_fields, .live = true},
    {"kernel", FIELD_OBJECT, true, AT(domain_config, kernel), .fields = kernel_fields},
    {"disks", FIELD_ARRAY, false, AT(domain_config, disks), .max = DOMAIN_MAX_DISKS,
     .fields = disk_fields, .stride = sizeof(struct disk_config),
     .count_offset = offsetof(struct domain_config, nr_disks)},
    {"nets", FIELD_ARRAY, false, AT(domain_config, nets), .max = DOMAIN_MAX_NETS,
     .fields = net_fields, .stride = sizeof(struct net_config),
     .count_offset = offsetof(struct domain_config, nr_nets)},
    {"on_poweroff", FIELD_ENUM, false, AT(domain_config, on_poweroff), .initial = ACTION_DESTROY,
     .names = action_names},
    {"on_reboot", FIELD_ENUM, false, AT(domain_config, on_reboot), .initial = ACTION_RESTART,
     .names = action_names},
    {"on_crash", FIELD_ENUM, false, AT(domain_config, on_crash), .initial = ACTION_DESTROY,
     .names = action_names},
    {"console", FIELD_ENUM, false, AT(domain_config, console), .initial = CONSOLE_PTY,
     .names = console_names},
    {0},
};

const char *shutdown_action_name(enum shutdown_action action)
{
    return (unsigned)action <= ACTION_PRESERVE ? action_names[action] : "unknown";
}
