/* SPDX-License-Identifier: MIT */
/*
 * count: a QEMU plugin that counts every executed instruction by where it lives.
 *
 *     -plugin build/tests/bench/libcount.so,out=FILE,entry=ADDR[,mark=ADDR]...[,blocks=on]
 *
 * Spaces: firmware (all before the hypervisor's `entry`), boot (the hypervisor before it has its
 * own address space), hypervisor (page-table slots 256 to 271, which the ABI keeps for it), kernel
 * (above them), user (below them, once a kernel has run). FILE gets a line `mark NAME firmware boot
 * hypervisor kernel user` of totals so far at each of: `entry`, `kernel` (the first instruction of
 * dom0's kernel), `user` (the first of a user program), `mark=` addresses whenever one is reached,
 * `end`. With blocks=on each mark is followed by `block ADDR COUNT` lines: the instructions
 * executed since the mark before, by the first address of their translation block.
 *
 * Each instruction adds one to its block's counter when it begins, so an exception in the middle
 * of a block miscounts nothing. The counts are exact with -icount, where one thread runs all CPUs.
 *
 * The interface is QEMU's plugin API, version 1; Debian packages no header of it, so what is used
 * is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { ADD_U64 };
enum { NO_REGISTERS };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
                                           void (*cb)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                          void (*cb)(unsigned int, void *), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *at,
                                                uint64_t value);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*cb)(uint64_t, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 1;

enum space { FIRMWARE, BOOT, HYPERVISOR, KERNEL, USER, NR_SPACES };

struct block {
    struct block *next;
    uint64_t addr;
    enum space space;
    uint64_t executed, shown;
};

enum { BUCKETS = 1 << 16, MAX_MARKS = 16 };

static struct block *buckets[BUCKETS];
static FILE *out;
static bool blocks_wanted, entered, kernel_ran, user_ran;
static uint64_t entry, marks[MAX_MARKS];
static unsigned int nr_marks;

static enum space space_of(uint64_t addr)
{
    if (!entered)
        return FIRMWARE;
    if (addr >= 0xffff880000000000)
        return KERNEL;
    if (addr >= 0xffff800000000000)
        return HYPERVISOR;
    return kernel_ran ? USER : BOOT;
}

static struct block *block_at(uint64_t addr, enum space space)
{
    struct block **bucket = &buckets[(addr ^ addr >> 16) % BUCKETS], *b;

    for (b = *bucket; b; b = b->next)
        if (b->addr == addr && b->space == space)
            return b;
    b = calloc(1, sizeof(*b));
    if (!b)
        abort();
    *b = (struct block){.next = *bucket, .addr = addr, .space = space};
    *bucket = b;
    return b;
}

static void snapshot(const char *name)
{
    uint64_t total[NR_SPACES] = {0};

    for (unsigned int i = 0; i < BUCKETS; i++)
        for (const struct block *b = buckets[i]; b; b = b->next)
            total[b->space] += b->executed;
    fprintf(out, "mark %s", name);
    for (unsigned int i = 0; i < NR_SPACES; i++)
        fprintf(out, " %" PRIu64, total[i]);
    fputc('\n', out);
    for (unsigned int i = 0; blocks_wanted && i < BUCKETS; i++)
        for (struct block *b = buckets[i]; b; b = b->next) {
            if (b->executed != b->shown)
                fprintf(out, "block %#" PRIx64 " %" PRIu64 "\n", b->addr, b->executed - b->shown);
            b->shown = b->executed;
        }
    fflush(out);
}

static void reached(unsigned int cpu, void *data)
{
    char name[32];

    (void)cpu;
    snprintf(name, sizeof(name), "%#" PRIx64, *(uint64_t *)data);
    snapshot(name);
}

/* A block is translated right before its first execution: the time to notice the first of a kind.
 */
static void notice_firsts(uint64_t addr)
{
    if (!entered && addr == entry) {
        snapshot("entry");
        entered = true;
    } else if (entered && !kernel_ran && space_of(addr) == KERNEL) {
        snapshot("kernel");
        kernel_ran = true;
    } else if (!user_ran && space_of(addr) == USER) {
        snapshot("user");
        user_ran = true;
    }
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    uint64_t addr = qemu_plugin_tb_vaddr(tb);
    size_t n = qemu_plugin_tb_n_insns(tb);
    struct block *b;

    (void)id;
    notice_firsts(addr);
    /* Only the kinds of code whose names can be found are kept apart by address. */
    b = space_of(addr) == HYPERVISOR || space_of(addr) == KERNEL ? block_at(addr, space_of(addr))
                                                                 : block_at(0, space_of(addr));
    for (size_t i = 0; i < n; i++)
        qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_tb_get_insn(tb, i), ADD_U64,
                                                   &b->executed, 1);
    for (unsigned int i = 0; i < nr_marks; i++)
        if (marks[i] == addr)
            qemu_plugin_register_vcpu_tb_exec_cb(tb, reached, NO_REGISTERS, &marks[i]);
}

static void ended(uint64_t id, void *data)
{
    (void)id;
    (void)data;
    snapshot("end");
    fclose(out);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
        else if (strncmp(argv[i], "entry=", 6) == 0)
            entry = strtoull(argv[i] + 6, NULL, 0);
        else if (strncmp(argv[i], "mark=", 5) == 0 && nr_marks < MAX_MARKS)
            marks[nr_marks++] = strtoull(argv[i] + 5, NULL, 0);
        else if (strcmp(argv[i], "blocks=on") == 0)
            blocks_wanted = true;
        else
            fprintf(stderr, "count: argument '%s' is not understood\n", argv[i]);
    }
    if (!out || !entry) {
        fprintf(stderr, "count: out=FILE (writable) and entry=ADDR are needed\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
