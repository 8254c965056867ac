/* SPDX-License-Identifier: MIT */
/*
 * The life of a test guest: map the shared page, take over traps and events, run the tests of
 * guest_tests[] in order, print the summary, power off.
 */
#include <rt/child.h>
#include <rt/test.h>

#define FAILURES_SHOWN 10

/* A page of its own (guest.ld): what else lay in it would be in the hypervisor's page, and a
 * child's copy of it in the child's. */
shared_info_t shared_info PAGE_ALIGNED __attribute__((section(".shared_page,\"aw\",@nobits#")));

static struct {
    const struct test *test;
    unsigned int failures; /* of the running test */
    unsigned int passed, failed, skipped;
    const char *skip;
} state;

void guest_main(void);

static const char *errno_name(long rc)
{
    static const struct {
        int value;
        const char *name;
    } names[] = {
#define XEN_ERRNO(name, value) {value, #name},
#include <xen/errno.h>
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
        if (rc == -names[i].value)
            return names[i].name;
    return NULL;
}

static const char *file_name(const char *path)
{
    const char *last = path;

    for (; *path; path++)
        if (*path == '/')
            last = path + 1;
    return last;
}

/* True when this failure is to be printed. */
static bool failed(const char *file, int line)
{
    unsigned int n = __atomic_add_fetch(&state.failures, 1, __ATOMIC_SEQ_CST);

    if (n > FAILURES_SHOWN)
        return false;
    printf("FAIL %s/%s: %s:%d: ", guest_name, state.test ? state.test->name : "start",
           file_name(file), line);
    return true;
}

bool test_check(bool ok, const char *file, int line, const char *what)
{
    if (!ok && failed(file, line))
        printf("%s: got false, expected true\n", what);
    return ok;
}

bool test_check_eq(uint64_t got, uint64_t want, const char *file, int line, const char *what)
{
    if (got != want && failed(file, line))
        printf("%s: got %ld (%#lx), expected %ld (%#lx)\n", what, got, got, want, want);
    return got == want;
}

bool test_check_rc(long got, long want, const char *file, int line, const char *what)
{
    if (got != want && failed(file, line)) {
        const char *g = errno_name(got), *w = errno_name(want);

        printf("%s: got %ld%s%s, expected %ld%s%s\n", what, got, g ? " -" : "", g ? g : "", want,
               w ? " -" : "", w ? w : "");
    }
    return got == want;
}

bool test_check_trap(const struct trap *t, unsigned int vector, unsigned int error,
                     const char *file, int line)
{
    bool ok = t && t->regs.entry_vector == vector && t->regs.error_code == error;

    if (!ok && failed(file, line)) {
        if (t)
            printf("trap: got %u error %#x (rip %#lx cr2 %#lx), expected %u error %#x\n",
                   t->regs.entry_vector, t->regs.error_code, t->regs.rip, t->cr2, vector, error);
        else
            printf("trap: got none, expected %u error %#x\n", vector, error);
    }
    return ok;
}

void test_count_failure(void)
{
    __atomic_add_fetch(&state.failures, 1, __ATOMIC_SEQ_CST);
}

void test_skip(const char *reason)
{
    state.skip = reason;
}

static void __attribute__((noreturn)) finish(void)
{
    struct sched_shutdown op = {.reason = SHUTDOWN_poweroff};
    char how[16];

    printf("%u passed, %u failed\n", state.passed, state.failed);
    if (cmdline_value("end", how, sizeof(how)) && !strcmp(how, "reboot"))
        op.reason = SHUTDOWN_reboot;
    for (;;)
        hv_sched_op(SCHEDOP_shutdown, &op);
}

void guest_die(const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    printf("FAIL %s/%s: %s\n", guest_name, state.test ? state.test->name : "start", text);
    state.failed++;
    if (!is_dom0() && !start_info->console.domU.mfn)
        child_exit(SHUTDOWN_poweroff); /* its parent reads the line and judges */
    finish();
}

static void run(const struct test *test)
{
    state.test = test;
    state.failures = 0;
    state.skip = NULL;
    test->run();
    trap_set_hook(NULL);
    events_disable();
    if (state.failures > FAILURES_SHOWN)
        printf("FAIL %s/%s: %u more failed checks not shown\n", guest_name, test->name,
               state.failures - FAILURES_SHOWN);
    if (state.failures) {
        state.failed++;
    } else if (state.skip) {
        state.skipped++;
        printf("SKIP %s/%s: %s\n", guest_name, test->name, state.skip);
    } else {
        state.passed++;
        printf("PASS %s/%s\n", guest_name, test->name);
    }
}

void guest_main(void)
{
    char only[64];
    bool chosen;
    long rc;

    rc = hv_update_va_mapping(&shared_info, start_info->shared_info | PTE_RW_FLAGS, UVMF_INVLPG);
    console_init();
    if (rc)
        guest_die("mapping the shared-info page: %ld", rc);
    events_init();
    traps_init();
    chosen = cmdline_value("only", only, sizeof(only)) != NULL;
    for (const struct test *t = guest_tests; t->run; t++)
        if (!chosen || !strcmp(only, t->name))
            run(t);
    state.test = NULL;
    finish();
}
