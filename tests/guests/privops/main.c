/* SPDX-License-Identifier: MIT */
/*
 * privops: privileged instructions of a guest kernel, which the hypervisor emulates or refuses.
 *
 * How a guest would break the hypervisor: every MSR index, control and debug register, I/O port and
 * privileged opcode is tried; an unchecked one faults in ring 0 or gives the guest the machine.
 * Debug registers with addresses of the hypervisor's (XSA-444 and before) would trap in its own
 * code. Each either works as written here, or is an exception in the guest.
 */
#include <rt/test.h>
#include <xen/physdev.h>

#define MSR_EFER      0xc0000080
#define MSR_FS_BASE   0xc0000100
#define MSR_GS_BASE   0xc0000101
#define MSR_KERNEL_GS 0xc0000102

static volatile uint64_t sink; /* keeps the compiler from dropping a value read under CATCH */

static const struct trap *rdmsr(uint32_t index, uint64_t *value)
{
    const struct trap *t = CATCH(__asm__ volatile(
        "rdmsr; mov %%eax, %[l]; mov %%edx, %[h]"
        : [l] "=m"(*(volatile uint32_t *)&sink), [h] "=m"(*((volatile uint32_t *)&sink + 1))
        : "c"(index)
        : "eax", "edx", "memory"));

    *value = sink;
    return t;
}

static const struct trap *wrmsr(uint32_t index, uint64_t value)
{
    return CATCH(__asm__ volatile("wrmsr"
                                  :
                                  : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                                  : "memory"));
}

static void test_cpuid(void)
{
    uint32_t a = 0x40000000, b = 0, c = 0, d = 0;

    /* The forced-emulation prefix: ud2 and "xen", then cpuid. */
    __asm__ volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    CHECK_EQ(b, 0x566e6558); /* "XenVMMXenVMM" */
    CHECK_EQ(c, 0x65584d4d);
    CHECK_EQ(d, 0x4d4d566e);
    CHECK(a >= 0x40000002);
    a = 0x40000001;
    __asm__ volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    CHECK_EQ(a, 0x40011);
    a = 1;
    c = 0;
    __asm__ volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    CHECK_EQ(d & 0x1, 0x1);             /* FPU */
    CHECK_EQ(d & (1u << 26), 1u << 26); /* SSE2 */
    CHECK_EQ(c & (1u << 5), 0);         /* no VMX */
    a = 0x80000001;
    __asm__ volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    CHECK_EQ(d & (1u << 29), 1u << 29); /* long mode */
    CHECK_EQ(c & (1u << 2), 0);         /* no SVM */
}

static void test_control_registers(void)
{
    uint64_t cr0, cr2, cr4;

    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    CHECK_EQ(cr0 & 0x80000001, 0x80000001); /* PG, PE */
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    CHECK_EQ(cr4 & 0x20, 0x20);   /* PAE */
    CHECK_EQ(cr4 & 0x300800, 0);  /* the hypervisor's own: UMIP, SMEP, SMAP */
    CHECK_EQ(cr4 & 0x700, 0x600); /* OSFXSR, OSXMMEXCPT; no PCE */
    /* DE is the guest's to change; the rest stays, and is there for whoever saves the vCPU. */
    __asm__ volatile("mov %0, %%cr4" : : "r"(0x300808ul));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr2));
    CHECK_EQ(cr2 & ~(1ul << 16 | 1ul << 18), (cr4 | 8) & ~(1ul << 16 | 1ul << 18));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr2));
    CHECK_EQ(cr2, cr4);
    CATCH(load64((void *)0x7770));
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    CHECK_EQ(cr2, 0x7770);
    /* TS may be changed, the rest stays. */
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | 8));
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr2));
    CHECK_EQ(cr2 & 8, 8);
    __asm__ volatile("clts");
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr2));
    CHECK_EQ(cr2 & 8, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("mov %0, %%cr0"
                                      :
                                      : "r"(cr0 & ~0x80000000ul))),
               X86_EXC_GP, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("mov %0, %%cr3" : : "r"(1ul << 40))), X86_EXC_GP, 0);
    /* A cr3 that is the present one. */
    uint64_t cr3 = xen_pfn_to_cr3(current_l4_mfn());

    CHECK(CATCH(__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory")) == NULL);
}

/* MSRs of the guest's own segments; unknown ones are #GP in both directions. */
static void test_msrs(void)
{
    uint64_t v;
    static const uint32_t unknown[] = {0x12345678, 0x40000fff, 0xc0012345, 0xffffffff};

    CHECK(rdmsr(MSR_EFER, &v) == NULL);
    CHECK_EQ(v & 0x500, 0x500); /* LME, LMA */
    CHECK(wrmsr(MSR_FS_BASE, 0x1234000) == NULL);
    CHECK(rdmsr(MSR_FS_BASE, &v) == NULL);
    CHECK_EQ(v, 0x1234000);
    CHECK(wrmsr(MSR_FS_BASE, 0) == NULL);
    CHECK(wrmsr(MSR_GS_BASE, 0x5678000) == NULL);
    CHECK(rdmsr(MSR_GS_BASE, &v) == NULL);
    CHECK_EQ(v, 0x5678000);
    CHECK(wrmsr(MSR_GS_BASE, 0) == NULL);
    CHECK(wrmsr(MSR_KERNEL_GS, 0x9abc000) == NULL);
    CHECK(rdmsr(MSR_KERNEL_GS, &v) == NULL);
    CHECK_EQ(v, 0x9abc000);
    CHECK(wrmsr(MSR_KERNEL_GS, 0) == NULL);
    CHECK_TRAP(wrmsr(MSR_FS_BASE, 0x800000000000), X86_EXC_GP, 0);
    CHECK_TRAP(wrmsr(MSR_GS_BASE, 0xffff7fffffffffff), X86_EXC_GP, 0);
    CHECK_TRAP(wrmsr(MSR_KERNEL_GS, 0x800000000000), X86_EXC_GP, 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
        CHECK_TRAP(rdmsr(unknown[i], &v), X86_EXC_GP, 0);
        CHECK_TRAP(wrmsr(unknown[i], 0), X86_EXC_GP, 0);
    }
}

/* Each index in the ranges that exist: a value or #GP, and we live. */
static void test_all_msrs(void)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {{0, 0x1000},
                  {0x40000000, 0x40000200},
                  {0xc0000080, 0xc0000110},
                  {0xc0010000, 0xc0010210},
                  {0xc0011000, 0xc0011040}};
    unsigned int values = 0, faults = 0, others = 0;
    uint64_t v;

    for (unsigned int r = 0; r < ARRAY_SIZE(ranges); r++)
        for (uint32_t i = ranges[r].from; i < ranges[r].to; i++) {
            const struct trap *t = rdmsr(i, &v);

            if (!t)
                values++;
            else if (t->regs.entry_vector == X86_EXC_GP)
                faults++;
            else
                others++;
        }
    CHECK_EQ(others, 0);
    CHECK(values > 5);
    CHECK(faults > 1000);
}

/* The machine's own registers are not the guest's: writes have no effect or fault. */
static void test_msr_writes_refused(void)
{
    static const uint32_t lethal[] = {
        0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, /* STAR, LSTAR, CSTAR, SFMASK */
        0x174,      0x175,      0x176,                  /* SYSENTER */
        0x1b,                                           /* APIC base */
    };
    uint64_t v;

    for (unsigned int i = 0; i < ARRAY_SIZE(lethal); i++)
        wrmsr(lethal[i], 0xdead0000dead0000);
    /* Hypercalls and system calls still arrive where they did. */
    CHECK_EQ(hv_xen_version(XENVER_version, NULL), 0x40011);
    CHECK(rdmsr(MSR_EFER, &v) == NULL);
    wrmsr(MSR_EFER, 0);
    wrmsr(MSR_EFER, v & ~1ul); /* SCE */
    wrmsr(MSR_EFER, v | 0x1000);
    CHECK_EQ(hv_xen_version(XENVER_version, NULL), 0x40011);
}

static void test_ports(void)
{
    struct physdev_set_iopl iopl = {.iopl = 1};
    uint8_t v = 0;

    if (!is_dom0())
        return test_skip("ports are dom0's");
    CHECK_TRAP(CATCH(__asm__ volatile("inb $0x61, %0" : "=a"(v))), X86_EXC_GP, 0);
    CHECK_RC(hv_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    CHECK(CATCH(__asm__ volatile("inb $0x61, %0" : "=a"(v))) == NULL);
    CHECK(CATCH(__asm__ volatile("outb %%al, $0x80" : : "a"(0))) == NULL);
    CHECK(CATCH(__asm__ volatile("inl %%dx, %%eax" : : "d"(0xcf8) : "eax")) == NULL);
    iopl.iopl = 4;
    CHECK_RC(hv_physdev_op(PHYSDEVOP_set_iopl, &iopl), -XEN_EINVAL);
    iopl.iopl = 0;
    CHECK_RC(hv_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    CHECK_TRAP(CATCH(__asm__ volatile("inb $0x61, %0" : "=a"(v))), X86_EXC_GP, 0);
}

static void test_refused(void)
{
    char buf[16] = {0};

    uint32_t msw = 9;
    uint64_t cr0;

    for (unsigned int level = 0; is_dom0() && level < 2; level++) {
        struct physdev_set_iopl iopl = {.iopl = level};
        uint64_t flags;

        /* With I/O privilege the interrupt flag is the guest's to write, to no effect. */
        CHECK_RC(hv_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
        for (unsigned int sti = 0; sti < 2; sti++) {
            const struct trap *t =
                sti ? CATCH(__asm__ volatile("sti")) : CATCH(__asm__ volatile("cli"));

            CHECK(level ? t == NULL : CHECK_TRAP(t, X86_EXC_GP, 0));
            __asm__ volatile("pushfq; pop %0" : "=r"(flags));
            CHECK_EQ(flags & X86_EFLAGS_IF, X86_EFLAGS_IF);
        }
        CHECK_TRAP(CATCH(__asm__ volatile("hlt")), X86_EXC_GP, 0);
        CHECK_TRAP(CATCH(__asm__ volatile("invd")), X86_EXC_GP, 0);
        CHECK(CATCH(__asm__ volatile("wbinvd")) == NULL);
    }
    hv_physdev_op(PHYSDEVOP_set_iopl, &(struct physdev_set_iopl){.iopl = 0});
    CHECK_TRAP(CATCH(__asm__ volatile("lmsw %%ax" : : "a"(0x3b))), X86_EXC_GP, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("lmsw %0" : : "m"(msw))), X86_EXC_GP, 0);
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    CHECK_EQ(cr0, 0x80050033);
    CHECK_TRAP(CATCH(__asm__ volatile("lldt %%ax" : : "a"(0))), X86_EXC_GP, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("ltr %%ax" : : "a"(0))), X86_EXC_GP, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("lgdt %0" : : "m"(buf))), X86_EXC_GP, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("lidt %0" : : "m"(buf))), X86_EXC_GP, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("swapgs")), X86_EXC_GP, 0);
    CHECK_TRAP(CATCH(__asm__ volatile("sysretq")), X86_EXC_GP, 0);
}

static void test_debug_registers(void)
{
    uint64_t v;

    CHECK_RC(hv_set_debugreg(0, 0x1234), 0);
    CHECK_EQ(hv_get_debugreg(0), 0x1234);
    __asm__ volatile("mov %%db0, %0" : "=r"(v));
    CHECK_EQ(v, 0x1234);
    __asm__ volatile("mov %0, %%db1" : : "r"(0x5678ul));
    CHECK_EQ(hv_get_debugreg(1), 0x5678);
    CHECK_RC(hv_set_debugreg(2, 0xffff800000000000), -XEN_EPERM); /* the hypervisor's */
    CHECK_RC(hv_set_debugreg(2, 0xffff82d040000000), -XEN_EPERM);
    CHECK_RC(hv_set_debugreg(2, 0xffff87ffffffffff), -XEN_EPERM);
    CHECK_RC(hv_set_debugreg(2, 0x800000000000), -XEN_EPERM);
    CHECK_TRAP(CATCH(__asm__ volatile("mov %0, %%db2" : : "r"(0xffff82d040000000))), X86_EXC_GP, 0);
    CHECK_RC(hv_set_debugreg(6, 0x100000000), -XEN_EINVAL);
    CHECK_RC(hv_set_debugreg(7, 0x100000000), -XEN_EINVAL);
    CHECK_RC(hv_set_debugreg(7, 1 << 13), -XEN_EPERM); /* general detect */
    CHECK_RC(hv_set_debugreg(8, 0), -XEN_ENODEV);
    CHECK_RC(hv_set_debugreg(0xffffffff, 0), -XEN_ENODEV);
    CHECK_RC(hv_get_debugreg(8), -XEN_ENODEV);
    CHECK_RC(hv_set_debugreg(6, 0), 0);
    CHECK_EQ(hv_get_debugreg(6), 0xffff0ff0);
    CHECK_RC(hv_set_debugreg(7, 0), 0);
    CHECK_EQ(hv_get_debugreg(7), 0x400);
}

/* A breakpoint of the guest's hits in the guest, with %dr6 saying which. */
static void test_breakpoint(void)
{
    static volatile uint64_t watched;
    const struct trap *t;

    CHECK_RC(hv_set_debugreg(0, (uint64_t)&watched), 0);
    CHECK_RC(hv_set_debugreg(6, 0), 0);
    CHECK_RC(hv_set_debugreg(7, 0x000d0001 | 0x2), 0); /* 4 bytes, writes */
    t = CATCH(__asm__ volatile("movl $1, %0; nop" : "=m"(watched)));
    CHECK_TRAP(t, X86_EXC_DB, 0);
    CHECK_EQ(hv_get_debugreg(6) & 0xf, 1);
    CHECK_RC(hv_set_debugreg(7, 0), 0);
    CHECK_RC(hv_set_debugreg(6, 0), 0);
    CHECK(CATCH(__asm__ volatile("movl $2, %0" : "=m"(watched))) == NULL);
    CHECK_RC(hv_set_debugreg(0, 0), 0);
    CHECK_RC(hv_set_debugreg(1, 0), 0);
}

static void test_tsc(void)
{
    uint64_t a = rdtsc(), b = rdtsc();
    uint32_t lo, hi, aux, leaf = 0x80000001, ebx, ecx = 0, edx;

    CHECK(b >= a);
    __asm__ volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(leaf), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if (!(edx & (1u << 27)))
        return; /* no RDTSCP on this model */
    __asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
    CHECK((((uint64_t)hi << 32) | lo) >= b);
}

GUEST("privops", TEST(cpuid), TEST(control_registers), TEST(msrs), TEST(all_msrs),
      TEST(msr_writes_refused), TEST(ports), TEST(refused), TEST(debug_registers), TEST(breakpoint),
      TEST(tsc));
