/* SPDX-License-Identifier: MIT */
/*
 * The test frame. A guest is a folder with a main.c that ends in
 *
 *   GUEST(name, TEST(one), TEST(two));
 *
 * Each test is `static void test_one(void)` made of checks that print nothing when they hold. For
 * each test one line is printed, `PASS name/one` or (for each broken check, at most ten)
 * `FAIL name/one: file:line: what: got …, expected …`, and at the end `N passed, N failed`. The
 * guest then powers its domain off (`end=reboot` on the command line: reboots; QEMU -no-reboot
 * leaves on that with any hypervisor). `only=one` runs one test.
 *
 * A guest that ends without the summary line has failed, whatever it printed before.
 */
#ifndef RT_TEST_H
#define RT_TEST_H

#include <rt/event.h>
#include <rt/grant.h>
#include <rt/hypercall.h>
#include <rt/page.h>
#include <rt/print.h>
#include <rt/trap.h>
#include <rt/vcpu.h>

struct test {
    const char *name;
    void (*run)(void);
};
extern const struct test guest_tests[];
extern const char guest_name[];

#define TEST(name_)          \
    {                        \
#name_, test_##name_ \
    }
#define GUEST(name_, ...)            \
    const char guest_name[] = name_; \
    const struct test guest_tests[] = {__VA_ARGS__, {NULL, NULL}}

/* What the macros call; each answers whether the check held. */
bool test_check(bool ok, const char *file, int line, const char *what);
bool test_check_eq(uint64_t got, uint64_t want, const char *file, int line, const char *what);
bool test_check_rc(long got, long want, const char *file, int line, const char *what);
bool test_check_trap(const struct trap *t, unsigned int vector, unsigned int error,
                     const char *file, int line);
/** Marks the running test as not run; its reason is printed. Checks that failed still count. */
void test_skip(const char *reason);
/** One more failed check, whose line was printed elsewhere (in a child). */
void test_count_failure(void);
/** A named reason to end everything as failed, now. */
void guest_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#define CHECK(cond) test_check(!!(cond), __FILE__, __LINE__, #cond)
#define CHECK_EQ(got, want) \
    test_check_eq((uint64_t)(got), (uint64_t)(want), __FILE__, __LINE__, #got)
/** For results of hypercalls: prints errno names. */
#define CHECK_RC(got, want)          test_check_rc((long)(got), (long)(want), __FILE__, __LINE__, #got)
/** The trap is `vector` with this error code. */
#define CHECK_TRAP(t, vector, error) test_check_trap(t, vector, error, __FILE__, __LINE__)
/** Leaves the test when the check fails. */
#define REQUIRE(check) \
    do {               \
        if (!(check))  \
            return;    \
    } while (0)
#endif
