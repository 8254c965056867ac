/* SPDX-License-Identifier: MIT */
/*
 * From one vCPU to another on this CPU: registers, segments and their bases, descriptor tables,
 * page tables, FPU, debug registers.
 *
 * Invariant: GS base is that of the mode the guest is in (kernel or user), MSR_KERNEL_GS_BASE the
 * other's. A CPU is in d->arch.dirty_cpus from before it loads a table of d until after it loaded
 * another's. The idle vCPU runs on the hypervisor's own tables with no guest descriptor visible.
 * All with interrupts off; no lock.
 */
#include <hv/time.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/pv.h>

/* --- segment bases
 * -------------------------------------------------------------------------------------------------------
 */
/* The register behind a base of the vCPU that runs: GS itself has that of its mode, SWAPGS would
 * bring the other. */
static uint32_t base_msr(enum seg_base which)
{
    if (which == SEGB_FS)
        return MSR_FS_BASE;
    return guest_kernel_mode(current) == (which == SEGB_GS_KERNEL) ? MSR_GS_BASE
                                                                   : MSR_KERNEL_GS_BASE;
}

uint64_t seg_base_read(enum seg_base which)
{
    uint32_t msr = base_msr(which);
    uint64_t base;

    if (!cpu_has.fsgsbase || msr == MSR_KERNEL_GS_BASE)
        return rdmsr(msr);
    if (msr == MSR_FS_BASE)
        __asm__ volatile("rdfsbase %0" : "=r"(base));
    else
        __asm__ volatile("rdgsbase %0" : "=r"(base));
    return base;
}

/* Callers check that bases are canonical; one that is not would fault, so it becomes 0 here
 * whatever they did. */
void seg_base_write(enum seg_base which, uint64_t base)
{
    uint32_t msr = base_msr(which);

    if ((int64_t)(base << 16) >> 16 != (int64_t)base)
        base = 0;
    if (!cpu_has.fsgsbase || msr == MSR_KERNEL_GS_BASE)
        wrmsr(msr, base);
    else if (msr == MSR_FS_BASE)
        __asm__ volatile("wrfsbase %0" ::"r"(base));
    else
        __asm__ volatile("wrgsbase %0" ::"r"(base));
}

/* --- segment selectors
 * ---------------------------------------------------------------------------------------------------
 */
#define READ_SEG(reg, to) __asm__ volatile("mov %%" #reg ", %0" : "=r"(to))
/* Load a selector that the guest chose: its descriptor may be bad by now. Then the register gets
 * null and `bad` is set. */
#define LOAD_SEG(reg, from, bad)                          \
    __asm__ volatile("1: mov %1, %%" #reg "\n"            \
                     "2:\n\t"                             \
                     ".pushsection .text.fixup, \"ax\"\n" \
                     "3: movb $1, %0\n\t"                 \
                     "mov %2, %%" #reg "\n\t"             \
                     "jmp 2b\n\t"                         \
                     ".popsection\n\t" EX_TABLE(1b, 3b)   \
                     : "+m"(bad)                          \
                     : "r"((uint32_t)(from)), "r"(0)      \
                     : "memory")

static void segments_save(struct vcpu *v)
{
    if (likely(!v->failsafe_waits)) { /* else the frame has what was to be loaded */
        READ_SEG(ds, v->arch.regs.ds);
        READ_SEG(es, v->arch.regs.es);
        READ_SEG(fs, v->arch.regs.fs);
        READ_SEG(gs, v->arch.regs.gs);
    }
    v->arch.fs_base = seg_base_read(SEGB_FS);
    v->arch.gs_base_kernel = seg_base_read(SEGB_GS_KERNEL);
    v->arch.gs_base_user = seg_base_read(SEGB_GS_USER);
}

static void segments_load(struct vcpu *v)
{
    const struct cpu_user_regs *regs = &v->arch.regs;
    uint16_t ds, es, fs, gs;
    bool bad = false;

    READ_SEG(ds, ds);
    READ_SEG(es, es);
    READ_SEG(fs, fs);
    READ_SEG(gs, gs);
    /* A null selector that is there already needs no load: the usual case in 64-bit guests. */
    if (ds | regs->ds)
        LOAD_SEG(ds, regs->ds, bad);
    if (es | regs->es)
        LOAD_SEG(es, regs->es, bad);
    if (fs | regs->fs)
        LOAD_SEG(fs, regs->fs, bad);
    if (gs | regs->gs)
        LOAD_SEG(gs, regs->gs, bad);
    seg_base_write(SEGB_FS, v->arch.fs_base);
    seg_base_write(SEGB_GS_KERNEL, v->arch.gs_base_kernel);
    seg_base_write(SEGB_GS_USER, v->arch.gs_base_user);
    /* The guest learns of a selector that cannot be loaded through its failsafe callback, as after
     * a bad IRET; without one it runs on with null selectors. */
    v->failsafe_waits = bad && v->arch.callback[CALLBACKTYPE_failsafe].address;
}

int seg_gs_user_selector(uint16_t sel)
{
    unsigned long flags = irq_save();
    bool bad = false, swap = guest_kernel_mode(current);

    if (swap)
        __asm__ volatile("swapgs");
    LOAD_SEG(gs, sel, bad);
    if (swap)
        __asm__ volatile("mfence; swapgs");
    irq_restore(flags);
    return bad ? -EFAULT : 0;
}

/* --- descriptor tables, debug registers
 * ------------------------------------------------------------------------------------- */
static unsigned descriptor_pages(unsigned entries)
{
    return (entries + 511) / 512;
}

/* The windows show what prev has: only that and what next has is written. The idle vCPU has none.
 */
static void descriptors_load(const struct vcpu *prev, const struct vcpu *next)
{
    unsigned gdt = descriptor_pages(next->arch.gdt_entries),
             ldt = descriptor_pages(next->arch.ldt_entries);

    for (unsigned i = 0; i < MAX(gdt, descriptor_pages(prev->arch.gdt_entries)); i++)
        gdt_slot_set(i, i < gdt ? next->arch.gdt_frame[i] : INVALID_MFN);
    for (unsigned i = 0; i < MAX(ldt, descriptor_pages(prev->arch.ldt_entries)); i++)
        ldt_slot_set(i, i < ldt ? next->arch.ldt_frame[i] : INVALID_MFN);
    ldt_load(next->arch.ldt_entries);
}

#define DR7_ENABLE     0xff
#define WRITE_DR(n, v) __asm__ volatile("mov %0, %%dr" #n ::"r"((uint64_t)(v)))

void debug_load(const struct vcpu *v)
{
    WRITE_DR(0, v->arch.dr[0]);
    WRITE_DR(1, v->arch.dr[1]);
    WRITE_DR(2, v->arch.dr[2]);
    WRITE_DR(3, v->arch.dr[3]);
    WRITE_DR(7, v->arch.dr[7]);
}

/* --- page tables
 * -------------------------------------------------------------------------------------------------------------
 */
static uint64_t cr3_of(const struct vcpu *v)
{
    return mfn_to_maddr(v->arch.user_mode ? v->arch.guest_table_user : v->arch.guest_table);
}

void pv_load_cr3(struct vcpu *v)
{
    tlb_load_cr3(cr3_of(v)); /* dirty_cpus has this CPU as long as v runs here */
}

void pv_toggle_mode(struct vcpu *v)
{
    unsigned long flags = irq_save();

    v->arch.user_mode = !v->arch.user_mode;
    __asm__ volatile("swapgs");
    /* Not counted by the flush clock: this happens at every system call of the guest's, and the
     * clock is shared. */
    write_cr(3, cr3_of(v));
    irq_restore(flags);
}

/* --- the switch
 * ----------------------------------------------------------------------------------------------------------------
 */
/* What runs here, written back; the CPU may go on running it. */
static void save(struct vcpu *v)
{
    v->arch.regs = *guest_regs();
    segments_save(v);
    fpu_save(v);
}

void vcpu_sync_state(struct vcpu *v)
{
    unsigned long flags;

    if (v != current)
        return; /* paused: it was saved when it left its CPU */
    flags = irq_save();
    save(v);
    fpu_restore(v); /* XCR0 and TS as the guest has them */
    irq_restore(flags);
}

static void cr4_load(const struct vcpu *v)
{
    uint64_t cr4 = cpu_cr4() | (v->arch.cr4_guest & CR4_TSD);

    if (read_cr(4) != cr4) /* a write takes far longer */
        write_cr(4, cr4);
}

static void load(struct vcpu *v)
{
    *guest_regs() = v->arch.regs;
    tlb_load_cr3(cr3_of(v));
    cr4_load(v);
    vcpu_info_show(v);
    segments_load(v);
    if (v->arch.dr[7] & DR7_ENABLE)
        debug_load(v);
    fpu_restore(v);
    vcpu_time_update(v);
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
    unsigned cpu = this_cpu_id();

    if (!prev->domain->is_idle) {
        save(prev);
        vcpu_info_hide(prev);
        if (prev->arch.dr[7] & DR7_ENABLE)
            WRITE_DR(7, 0x400);
    }
    if (prev->domain != next->domain && !next->domain->is_idle)
        a_cpumask_set(&next->domain->arch.dirty_cpus, cpu);
    current = next;
    descriptors_load(prev, next);
    if (next->domain->is_idle)
        tlb_load_cr3(mfn_to_maddr(idle_l4()));
    else
        load(next);
    if (prev->domain != next->domain) {
        if (!prev->domain->is_idle)
            a_cpumask_clear(&prev->domain->arch.dirty_cpus, cpu);
        maps_flush();
    }
}
