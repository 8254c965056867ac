/* SPDX-License-Identifier: MIT */
/*
 * fpu: floating-point and vector registers.
 *
 * How a guest would break the hypervisor: by reading in its registers what another vCPU or the
 * hypervisor left there, or by losing its own: over hypercalls, blocking, user mode, and switches
 * between two vCPUs on one CPU. Lazy switching with CR0.TS is part of the ABI: a set TS must make
 * #NM and nothing else.
 */
#include <rt/test.h>

struct vectors {
    uint64_t q[16][2];
} __attribute__((aligned(16)));

static void fill(struct vectors *v, uint64_t seed)
{
    for (unsigned int i = 0; i < 16; i++) {
        v->q[i][0] = seed * 0x9e3779b97f4a7c15 + i;
        v->q[i][1] = ~v->q[i][0];
    }
}

#define EACH_XMM(op)                                                                               \
    op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) \
        op(15)
#define LOAD(n)  "movaps " #n "*16(%0), %%xmm" #n "\n"
#define STORE(n) "movaps %%xmm" #n ", " #n "*16(%0)\n"

static void load(const struct vectors *v)
{
    __asm__ volatile(EACH_XMM(LOAD) : : "r"(v) : "memory");
}

static void store(struct vectors *v)
{
    __asm__ volatile(EACH_XMM(STORE) : : "r"(v) : "memory");
}

static bool kept(const struct vectors *want)
{
    struct vectors got;

    store(&got);
    return CHECK(!memcmp(&got, want, sizeof(got)));
}

static void test_hypercalls(void)
{
    struct vectors want;

    hv_fpu_taskswitch(0);
    fill(&want, 1);
    load(&want);
    for (unsigned int i = 0; i < 100; i++)
        hv_xen_version(XENVER_version, NULL);
    CHECK(kept(&want));
    CATCH(__asm__ volatile("ud2"));
    CHECK(kept(&want));
}

static void test_block(void)
{
    struct vectors want;

    fill(&want, 2);
    load(&want);
    for (unsigned int i = 0; i < 5; i++) {
        sched_poll(NULL, 0, time_ns() + 2000000);
        CHECK(kept(&want));
    }
}

/* x87 and MXCSR too. */
static void test_x87(void)
{
    uint32_t mxcsr = 0x1fa0, got = 0;
    uint16_t cw = 0x027f, got_cw = 0;
    double in = 1234.5, out = 0;

    __asm__ volatile("fninit; fldcw %0; fldl %1; ldmxcsr %2" : : "m"(cw), "m"(in), "m"(mxcsr));
    sched_poll(NULL, 0, time_ns() + 2000000);
    __asm__ volatile("fnstcw %0; fstpl %1; stmxcsr %2" : "=m"(got_cw), "=m"(out), "=m"(got));
    CHECK_EQ(got_cw, cw);
    CHECK(!memcmp(&in, &out, sizeof(in)));
    CHECK_EQ(got, mxcsr);
    mxcsr = 0x1f80;
    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
}

/* TS set by hypercall: the next use is #NM; cleared, the registers are as they were. */
static void test_task_switched(void)
{
    struct vectors want;
    uint64_t cr0;

    fill(&want, 3);
    load(&want);
    CHECK_RC(hv_fpu_taskswitch(1), 0);
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    CHECK_EQ(cr0 & 8, 8);
    CHECK_TRAP(CATCH(__asm__ volatile("movaps %%xmm0, %%xmm1" ::: "memory")), X86_EXC_NM, 0);
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    CHECK_EQ(cr0 & 8, 0); /* delivering #NM clears it */
    CHECK(kept(&want));
    CHECK_RC(hv_fpu_taskswitch(1), 0);
    __asm__ volatile("clts");
    CHECK(kept(&want));
}

ASM_FUNCTION(user_vectors, "movq %xmm5, %rax; mov $0x1212, %ebx; movq %rbx, %xmm6; syscall");
static void test_user_mode(void)
{
    struct vectors want, got;
    const struct trap *t;

    fill(&want, 4);
    load(&want);
    t = run_user(user_vectors, 0);
    store(&got);
    REQUIRE(CHECK_TRAP(t, VEC_SYSCALL, 0));
    CHECK_EQ(t->regs.rax, want.q[5][0]);
    CHECK_EQ(got.q[6][0], 0x1212);
    CHECK_EQ(got.q[7][0], want.q[7][0]);
}

/* Two vCPUs on one CPU, each with its own values, switching as often as they can. */
static volatile uint32_t stop, others_bad, others_rounds;

static void other(void)
{
    struct vectors want;

    hv_fpu_taskswitch(0);
    /* A vCPU starts with clean registers: nothing of anyone else's. */
    struct vectors first, zero;

    store(&first);
    memset(&zero, 0, sizeof(zero));
    others_bad += memcmp(&first, &zero, sizeof(zero)) != 0;
    fill(&want, 77);
    load(&want);
    while (!stop) {
        struct vectors got;

        sched_yield();
        store(&got);
        others_bad += memcmp(&got, &want, sizeof(got)) != 0;
        others_rounds++;
    }
}

static void test_switch(void)
{
    struct vectors want;

    if (vcpu_max() < 2)
        return test_skip("needs two vCPUs");
    fill(&want, 5);
    load(&want);
    REQUIRE(CHECK_RC(vcpu_start(1, other), 0));
    for (unsigned int i = 0; i < 1000; i++) {
        sched_yield();
        if (!kept(&want))
            break;
    }
    for (unsigned int i = 0; i < 20; i++) {
        sched_poll(NULL, 0, time_ns() + 1000000);
        kept(&want);
    }
    stop = 1;
    while (hv_vcpu_op(VCPUOP_is_up, 1, NULL) == 1)
        sched_poll(NULL, 0, time_ns() + 1000000);
    CHECK(others_rounds > 0);
    CHECK_EQ(others_bad, 0);
}

/* AVX halves as well, where the machine has them. */
static void test_avx(void)
{
    uint32_t a = 1, b, c = 0, d, lo, hi;
    uint64_t in[4] __attribute__((aligned(32))) = {1, 2, 3, 4}, out[4] = {0};
    uint64_t cr4;

    __asm__ volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!(c & (1u << 28)) || !(c & (1u << 26)))
        return test_skip("no AVX for guests here");
    /* A kernel turns XSAVE on itself; the cpuid bit may show the hypervisor's. */
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | (1u << 18)));
    CHECK_TRAP(CATCH(__asm__ volatile("xsetbv" : : "a"(2), "d"(0), "c"(0))), X86_EXC_GP, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(1))), X86_EXC_GP, 0);
    REQUIRE(CHECK(CATCH(__asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0))) == NULL));
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    CHECK_EQ(lo, 7);
    __asm__ volatile("vmovaps %0, %%ymm9" : : "m"(in));
    for (unsigned int i = 0; i < 5; i++)
        sched_poll(NULL, 0, time_ns() + 1000000);
    __asm__ volatile("vmovups %%ymm9, %0" : "=m"(out));
    CHECK(!memcmp(in, out, sizeof(in)));
    __asm__ volatile("xsetbv" : : "a"(3), "d"(0), "c"(0));
}

GUEST("fpu", TEST(hypercalls), TEST(block), TEST(x87), TEST(task_switched), TEST(user_mode),
      TEST(avx), TEST(switch));
