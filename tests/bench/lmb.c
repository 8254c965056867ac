/* SPDX-License-Identifier: MIT */
/*
 * lmb: what Linux's own basic operations cost, row 14 of the performance table.
 *
 * It is /init of an initramfs with nothing else in it, booted by the same kernel on the bare
 * machine, in dom0 and in a guest. Under QEMU's -icount shift=0 one tick of the counter is one
 * executed instruction, the program's own few included. Each line is `row 14 name: figure`, the
 * least of several rounds, so that a timer tick in one of them does not count. An operation that
 * fails ends the program with a line that begins with FAIL; the last line is `end of row 14`.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rounds.h"

enum { ROUNDS = 9, CALLS = 1000, TRIPS = 100, PAGES = 256, PAGE = 4096 };

static void stop(void)
{
    fflush(stdout);
    sleep(1); /* the console is slower than we are */
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}

/* `operation` does what is measured `per` times. */
static void measure(const char *name, void (*operation)(void), unsigned int per)
{
    printf("row 14 %s: %lu\n", name, least(ROUNDS, 1, operation) / per);
}

static void system_calls(void)
{
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
}

static void wait_for(pid_t child)
{
    int status;

    need(waitpid(child, &status, 0) == child && status == 0, "child");
}

static void fork_exit(void)
{
    pid_t child = fork();

    need(child >= 0, "fork");
    if (child == 0)
        _exit(0);
    wait_for(child);
}

static void fork_exec(void)
{
    char *const argv[] = {"init", "exit", NULL};
    pid_t child = fork();

    need(child >= 0, "fork");
    if (child == 0) {
        execv("/init", argv);
        _exit(1);
    }
    wait_for(child);
}

static void touch_pages(void)
{
    char *area =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    need(area != MAP_FAILED, "mmap");
    for (int i = 0; i < PAGES; i++)
        *(volatile char *)(area + i * PAGE) = 1;
    need(munmap(area, PAGES * PAGE) == 0, "munmap");
}

static char *protected_page;

static void protect_pair(void)
{
    need(mprotect(protected_page, PAGE, PROT_READ) == 0, "mprotect");
    need(mprotect(protected_page, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
    *(volatile char *)protected_page = 1;
}

static int there[2], back[2];

static void round_trips(void)
{
    char byte = 0;

    for (int i = 0; i < TRIPS; i++)
        need(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
}

static void measure_pipe(void)
{
    pid_t echo;
    char byte;

    need(pipe(there) == 0 && pipe(back) == 0, "pipe");
    echo = fork();
    need(echo >= 0, "fork");
    if (echo == 0) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1)
            if (write(back[1], &byte, 1) != 1)
                _exit(1);
        _exit(0);
    }
    measure("pipe round trip", round_trips, TRIPS);
    close(there[1]);
    wait_for(echo);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        return 0;
    measure("getppid", system_calls, CALLS);
    measure("fork, exit and wait", fork_exit, 1);
    measure("fork, exec, exit and wait", fork_exec, 1);
    measure("mmap, touch and munmap, each page", touch_pages, PAGES);
    protected_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(protected_page != MAP_FAILED, "mmap");
    *(volatile char *)protected_page = 1;
    measure("mprotect to read-only and back, and a write", protect_pair, 1);
    measure_pipe();
    printf("end of row 14\n");
    stop();
}
