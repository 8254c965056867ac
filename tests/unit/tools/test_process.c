/* SPDX-License-Identifier: MIT */
/*
 * Supervision with real processes: restart with backoff, "do not restart" statuses, and a second
 * supervisor that adopts what the first one left running, by the lock file.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "tests.h"

static char folder[] = "/tmp/mullion-test-XXXXXX";
static unsigned ends[4], wanted;

static void nothing(void)
{
}

static void give_up(struct timer *t)
{
    CU_FAIL("nothing happened in time");
    loop_stop();
}

static struct timer deadline = {.fire = give_up};

static bool on_end(struct process *p, enum process_end end)
{
    ends[end]++;
    if (--wanted == 0)
        loop_stop();
    return end == ENDED_CRASHED || end == ENDED_UNKNOWN;
}

static struct process make(const char *name, const char *script)
{
    struct process p = {.restart = on_end};

    snprintf(p.name, sizeof(p.name), "%s", name);
    strcpy(p.program, "/bin/sh");
    strcpy(p.argument[0], "-c");
    snprintf(p.argument[1], sizeof(p.argument[1]), "%s", script);
    return p;
}

static void run_until(unsigned count)
{
    memset(ends, 0, sizeof(ends));
    wanted = count;
    timer_start(&deadline, 20000);
    loop_run(nothing);
    timer_stop(&deadline);
}

static int open_loop(void)
{
    return !mkdtemp(folder) || loop_open() != 0;
}

static int remove_folder(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static void crashed_programs_come_back(void)
{
    struct process p = make("crash", "exit 1");

    process_set_folder(folder);
    process_start(&p);
    run_until(3);
    CU_ASSERT_EQUAL(ends[ENDED_CRASHED], 3);
    CU_ASSERT_EQUAL(p.restarts, 3);
    process_release(&p);
    p = make("signal", "kill -9 $$");
    process_start(&p);
    run_until(1);
    CU_ASSERT_EQUAL(ends[ENDED_CRASHED], 1);
    process_release(&p);
}

static void finished_programs_stay_away(void)
{
    struct process p = make("done", "exit 0");

    process_start(&p);
    run_until(1);
    CU_ASSERT_EQUAL(ends[ENDED_DONE], 1);
    CU_ASSERT_EQUAL(p.state, PROCESS_IDLE);
    process_release(&p);
    p = make("config", "exit 2");
    process_start(&p);
    run_until(1);
    CU_ASSERT_EQUAL(ends[ENDED_CONFIG], 1);
    CU_ASSERT_EQUAL(p.state, PROCESS_IDLE);
    process_release(&p);
}

static void stopping_is_final_even_for_the_stubborn(void)
{
    struct process p = make("stubborn", "trap '' TERM; while :; do sleep 1; done");
    struct timespec short_while = {0, 200000000};

    process_start(&p);
    nanosleep(&short_while,
              NULL); /* let the shell set its trap: nothing outside the process shows when it has */
    process_stop(&p, 100);
    run_until(1);
    CU_ASSERT_EQUAL(p.state, PROCESS_IDLE);
    CU_ASSERT_EQUAL(p.restarts, 0);
    process_release(&p);
}

/* The first supervisor is a child that starts a program and dies; we are the second. */
static void a_successor_adopts(void)
{
    struct process p = make("left", "exec sleep 100");
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        process_start(&p);
        _exit(p.state == PROCESS_RUNNING && !p.adopted ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    CU_ASSERT_EQUAL_FATAL(status, 0);
    process_start(&p);
    for (int i = 0; i < 50 && p.state == PROCESS_WAITING;
         i++) { /* its child may not have written its pid yet */
        struct timespec a_bit = {0, 20000000};

        nanosleep(&a_bit, NULL);
        process_start(&p);
    }
    CU_ASSERT_EQUAL_FATAL(p.state, PROCESS_RUNNING);
    CU_ASSERT_TRUE(p.adopted);
    CU_ASSERT_EQUAL(kill(p.pid, 0), 0);
    kill(p.pid, SIGKILL);
    run_until(1);
    CU_ASSERT_EQUAL(ends[ENDED_UNKNOWN], 1);
    CU_ASSERT_EQUAL(p.state, PROCESS_WAITING);
    process_stop(&p, 0);
    process_release(&p);
}

static void backoff_grows_and_is_bounded(void)
{
    CU_ASSERT_EQUAL(process_backoff(0), 0);
    CU_ASSERT_EQUAL(process_backoff(1), 100);
    CU_ASSERT_EQUAL(process_backoff(2), 200);
    for (unsigned i = 1; i < 100; i++)
        CU_ASSERT_TRUE(process_backoff(i) <= process_backoff(i + 1) && process_backoff(i) <= 10000);
    CU_ASSERT_EQUAL(process_backoff(4000000000u), 10000);
}

void add_process_suite(void)
{
    CU_pSuite s = CU_add_suite("supervision", open_loop, remove_folder);

    CU_add_test(s, "crashed programs come back", crashed_programs_come_back);
    CU_add_test(s, "finished programs stay away", finished_programs_stay_away);
    CU_add_test(s, "stopping is final, even for the stubborn",
                stopping_is_final_even_for_the_stubborn);
    CU_add_test(s, "a successor adopts what runs", a_successor_adopts);
    CU_add_test(s, "backoff grows and is bounded", backoff_grows_and_is_bounded);
}
