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
    .console = "com1",
    .com_baud = {115200, 115200},
    .com_port = {0x3f8, 0x2f8},
    .loglvl = LOG_INFO,
    .guest_loglvl = LOG_WARN,
    .sched = "credit2",
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
    static const char *const no[] = {"no", "off", "false", "0", "disable"};
    static const char *const yes[] = {"", "yes", "on", "true", "1", "enable"};

    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (!strcmp(value, no[i])) {
            *(bool *)target = false;
            return true;
        }
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        if (!strcmp(value, yes[i])) {
            *(bool *)target = true;
            return true;
        }
    return false;
}

static bool parse_not(const char *value, void *target)
{
    if (!parse_bool(value, target))
        return false;
    *(bool *)target = !*(bool *)target;
    return true;
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

static bool parse_word(const char *value, void *target)
{
    if (strlen(value) >= sizeof(opt.sched))
        return false;
    snprintf(target, sizeof(opt.sched), "%s", value);
    return true;
}

/* console=com1|com2|none|vga, or several: the first serial line named is used; there is no VGA
 * console. */
static bool parse_console(const char *value, void *target)
{
    const char *name = strstr(value, "com1"), *second = strstr(value, "com2");

    if (second && (!name || second < name))
        name = second;
    snprintf(target, sizeof(opt.console), "%.4s", name ? name : "none");
    return name || !strcmp(value, "none") || !strcmp(value, "vga");
}

/* com1=115200,8n1[,port[,irq]]: frame format is always 8n1, the interrupt is the port's usual one.
 */
static bool parse_com(const char *value, void *target)
{
    unsigned index = *(const unsigned *)target;
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
    v = parse_u64(p + 1, NULL);
    if (!v || v > 0xfff8)
        return false;
    opt.com_port[index] = (uint16_t)v;
    return true;
}

/* dom0_mem=[min:<size>,][max:<size>,][<size>]; no suffix: KiB. A minimum means the same as the
 * plain size. */
static bool parse_dom0_mem(const char *value, void *target)
{
    for (const char *p = value;;) {
        uint64_t *into = &opt.dom0_mem, size;
        const char *start;

        if (!strncmp(p, "max:", 4)) {
            into = &opt.dom0_mem_max;
            p += 4;
        } else if (!strncmp(p, "min:", 4)) {
            p += 4;
        }
        start = p;
        size = parse_size(p, &p, 1024);
        if (p == start || (*p && *p != ','))
            return false;
        *into = size;
        if (!*p)
            return true;
        p++;
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
            *(int *)target = levels[i].level;
            return true;
        }
    }
    return false;
}

static unsigned com_index[2] = {0, 1};
static const struct option options[] = {
    {"com1", parse_com, &com_index[0]},
    {"com2", parse_com, &com_index[1]},
    {"console", parse_console, opt.console},
    {"dom0_max_vcpus", parse_uint, &opt.dom0_max_vcpus},
    {"dom0_mem", parse_dom0_mem, NULL},
    {"guest_loglvl", parse_loglvl, &opt.guest_loglvl},
    {"loglvl", parse_loglvl, &opt.loglvl},
    {"maxcpus", parse_uint, &opt.maxcpus},
    {"noapic", parse_bool, &opt.noapic},
    {"noreboot", parse_bool, &opt.noreboot},
    {"nosmp", parse_bool, &opt.nosmp},
    {"sched", parse_word, opt.sched},
    {"smp", parse_not, &opt.nosmp},
    {"x2apic", parse_not, &opt.no_x2apic},
    /* what other boot set-ups carry and we have no use for */
    {"placeholder", NULL, NULL},
    {"no-real-mode", NULL, NULL},
    {"edd", NULL, NULL},
    {"vga", NULL, NULL},
    {"sync_console", NULL, NULL},
    {"dom0", NULL, NULL},
    {"ucode", NULL, NULL},
    {"conring_size", NULL, NULL},
};

/* One word "name[=value]", already ended by NUL; modified. */
static void parse_option(char *word)
{
    char *eq = strchr(word, '=');
    const char *value = eq ? eq + 1 : "", *name = word;

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

        for (; *cmdline == ' ' || *cmdline == '\t'; cmdline++)
            ;
        for (; *cmdline && *cmdline != ' ' && *cmdline != '\t'; cmdline++)
            if (n < sizeof(word) - 1)
                word[n++] = *cmdline;
        word[n] = 0;
        if (n)
            parse_option(word);
    }
}
