/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line: one table of names, each with the function that takes its value.
 *
 * Names are those that users of Xen already write. A name that is known but means nothing here is
 * accepted in silence; an unknown one, or a bad value, is a warning and never stops the boot.
 * `no-NAME` and `NAME=no|off|false|0` turn a switch off.
 */
#include <hv/cmdline.h>
#include <hv/printk.h>
#include <hv/string.h>

struct hv_options opt = {
    .com = 1,
    .com_baud = {115200, 115200},
    .com_port = {0x3f8, 0x2f8},
    .loglvl = LOG_INFO,
    .x2apic = true,
};

/* A value's parser: false if it is not understood. */
typedef bool parse_fn(const char *value, void *target);
struct option {
    const char *name;
    parse_fn *parse; /* NULL: accepted, means nothing here */
    void *target;
};

static bool parse_bool(const char *value, void *target)
{
    static const char *const words[] = {"no",  "off", "false", "0", "disable", "",
                                        "yes", "on",  "true",  "1", "enable"};
    size_t i = 0;

    while (i < ARRAY_SIZE(words) && strcmp(value, words[i]))
        i++;
    *(bool *)target = i > 4;
    return i < ARRAY_SIZE(words);
}

static bool parse_uint(const char *value, void *target)
{
    const char *end;
    uint64_t v = parse_u64(value, &end);

    if (end == value || *end || v > UINT32_MAX)
        return false;
    *(unsigned *)target = (unsigned)v;
    return true;
}

static bool parse_nosmp(const char *value, void *target)
{
    opt.maxcpus = 1;
    return !*value;
}

/* console=com1|com2|none|vga, or several: the first serial line named is used; there is no VGA
 * console. */
static bool parse_console(const char *value, void *target)
{
    const char *com = value;

    while (*com && strncmp(com, "com", 3))
        com++;
    opt.com = *com && (com[3] == '1' || com[3] == '2') ? com[3] - '0' : 0;
    return opt.com || !strcmp(value, "none") || !strcmp(value, "vga");
}

/* com1=115200,8n1[,port[,irq]]: frame format is always 8n1, the interrupt is the port's usual one.
 */
static bool parse_com(const char *value, void *target)
{
    size_t index = (unsigned *)target - opt.com_baud;
    const char *p = value;
    uint64_t v;

    if (strncmp(p, "auto", 4)) {
        v = parse_u64(p, &p);
        if (v < 50 || v > 115200 || 115200 % v)
            return false;
        opt.com_baud[index] = (unsigned)v;
    }
    p = strchr(p, ',');
    if (!p)
        return true;
    if (strncmp(p + 1, "8n1", 3))
        return false;
    p = strchr(p + 1, ',');
    if (!p)
        return true;
    v = parse_u64(p + 1, &p);
    if (!v || v > 0xfff8)
        return false;
    opt.com_port[index] = (uint16_t)v;
    return true;
}

/* dom0_mem=[min:<size>,][max:<size>,][<size>]; no suffix: KiB. A minimum means the same as the
 * plain size. */
static bool parse_dom0_mem(const char *value, void *target)
{
    for (const char *p = value;; p++) {
        uint64_t *into = strncmp(p, "max:", 4) ? &opt.dom0_mem : &opt.dom0_mem_max;
        const char *start;

        if (!strncmp(p, "max:", 4) || !strncmp(p, "min:", 4))
            p += 4;
        start = p;
        *into = parse_size(p, &p, 1024);
        if (p == start || (*p && *p != ','))
            return false;
        if (!*p)
            return true;
    }
}

/* loglvl=<level>[/<level>]: the first is what reaches the console; rate limiting does not exist
 * here. */
static bool parse_loglvl(const char *value, void *target)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = {{"none", -1},       {"error", LOG_ERR},   {"warning", LOG_WARN},
                  {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {"all", LOG_DEBUG}};

    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        size_t n = strlen(levels[i].name);

        if (!strncmp(value, levels[i].name, n) && (!value[n] || value[n] == '/')) {
            opt.loglvl = levels[i].level;
            return true;
        }
    }
    return false;
}

static const struct option options[] = {
    {"com1", parse_com, &opt.com_baud[0]},
    {"com2", parse_com, &opt.com_baud[1]},
    {"console", parse_console, NULL},
    {"dom0_max_vcpus", parse_uint, &opt.dom0_max_vcpus},
    {"dom0_mem", parse_dom0_mem, NULL},
    {"loglvl", parse_loglvl, NULL},
    {"maxcpus", parse_uint, &opt.maxcpus},
    {"noreboot", parse_bool, &opt.noreboot},
    {"nosmp", parse_nosmp, NULL},
    {"x2apic", parse_bool, &opt.x2apic},
    /* what other boot set-ups carry and we have no use for */
    {"placeholder", NULL, NULL},
    {"no-real-mode", NULL, NULL},
    {"edd", NULL, NULL},
    {"vga", NULL, NULL},
    {"sync_console", NULL, NULL},
    {"dom0", NULL, NULL},
    {"ucode", NULL, NULL},
    {"conring_size", NULL, NULL},
    {"guest_loglvl", NULL, NULL},
    {"sched", NULL, NULL},
};

/* One word "name[=value]", already ended by NUL; modified. */
static void parse_option(char *name)
{
    char *eq = strchr(name, '=');
    const char *value = eq ? eq + 1 : "";

    if (eq)
        *eq = 0;
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const struct option *o = &options[i];
        bool negated = !eq && !strncmp(name, "no-", 3) && !strcmp(name + 3, o->name);

        if (strcmp(name, o->name) && !negated)
            continue;
        if (o->parse && !o->parse(negated ? "no" : value, o->target))
            pr_warn("Command line: value of %s not understood: '%s' (ignored)\n", name, value);
        return;
    }
    pr_warn("Command line: unknown option '%s' (ignored)\n", name);
}

void cmdline_parse(const char *cmdline)
{
    while (*cmdline) {
        char word[128];
        size_t n = 0;

        for (; *cmdline && *cmdline != ' ' && *cmdline != '\t'; cmdline++)
            if (n < sizeof(word) - 1)
                word[n++] = *cmdline;
        word[n] = 0;
        if (n)
            parse_option(word);
        else
            cmdline++;
    }
}
