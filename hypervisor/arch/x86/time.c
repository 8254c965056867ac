/* SPDX-License-Identifier: MIT */
/*
 * Time: ns since boot from the TSC, the interrupt for the next deadline, and the clock page of each
 * vCPU.
 *
 * now() = base_ns + ((tsc - tsc_base) << or >> shift) * mul / 2^32, the same formula and the same
 * numbers that guests get, so a guest's clock and ours agree to the nanosecond and the numbers
 * never change after boot. That needs one TSC for all CPUs; bring-up checks it. The frequency is
 * told by CPUID, or measured once over at most 10 ms against the ACPI timer, or else the PIT.
 */
#include <hv/printk.h>
#include <hv/softirq.h>
#include <hv/time.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/io.h>
#include <asm/msr.h>
#include <asm/pv.h>
#include <asm/uaccess.h>
#include "boot/boot.h"

/* System time at TSC tsc_base is base_ns: the time since the first C code ran. */
static uint64_t tsc_base, base_ns;
static uint32_t tsc_mul;
static int8_t tsc_shift;
static uint64_t tsc_hz;
static uint64_t apic_hz; /* count-down rate of the APIC timer; unused with deadlines by TSC */
static bool tsc_is_one_clock = true;

uint32_t tsc_khz(void)
{
    return (uint32_t)(tsc_hz / 1000);
}

uint64_t now(void)
{
    uint64_t delta = rdtsc() - tsc_base;

    delta = tsc_shift < 0 ? delta >> -tsc_shift : delta << tsc_shift;
    return base_ns + (uint64_t)((unsigned __int128)delta * tsc_mul >> 32);
}

/* a * b / c with all 128 bits in between. The quotient must fit in 64 bits, else the CPU faults:
 * callers bound a. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t high;

    __asm__("mulq %2\n\tdivq %3" : "+a"(a), "=&d"(high) : "rm"(b), "rm"(c) : "cc");
    return a;
}

static uint64_t ns_to_tsc(uint64_t ns)
{
    return mul_div(ns, tsc_hz, 1000000000);
}

/* mul in [2^31, 2^32) and shift with ns = (ticks << shift) * mul >> 32 */
static void set_scale(uint64_t hz)
{
    uint64_t ratio;

    tsc_hz = hz;
    for (tsc_shift = 0; hz > 2000000000; tsc_shift--)
        hz >>= 1;
    for (; hz <= 1000000000; tsc_shift++)
        hz <<= 1;
    ratio = (1000000000UL << 32) / hz;
    tsc_mul = (uint32_t)MIN(ratio, 0xffffffffUL);
}

/* --- reference clocks: start a wait of about 10 ms, and its exact length
 * ------------------------------------------------------- */
struct reference {
    const char *name;
    bool (*start)(void);
    /* ns since start, to be polled */
    uint64_t (*elapsed)(void);
};

static uint32_t pm_start;

static bool pm_begin(void)
{
    if (!acpi.pm_timer)
        return false;
    pm_start = port_read(acpi.pm_timer, 4);
    return true;
}

static uint64_t pm_elapsed(void) /* 3.579545 MHz, 24 bits */
{
    return (uint64_t)((port_read(acpi.pm_timer, 4) - pm_start) & 0xffffff) * 1000000000 / 3579545;
}

static bool pit_begin(void) /* channel 2, gate on, speaker off, counting down from 0xffff */
{
    outb(0x61, (inb(0x61) & 0xfd) | 1);
    outb(0x43, 0xb0);
    outb(0x42, 0xff);
    outb(0x42, 0xff);
    return true;
}

static uint64_t pit_elapsed(void)
{
    uint16_t count;

    outb(0x43, 0x80);
    count = inb(0x42);
    count |= (uint16_t)(inb(0x42) << 8);
    return (uint64_t)(uint16_t)(0xffff - count) * 1000000000 / 1193182;
}

static const struct reference references[] = {{"ACPI timer", pm_begin, pm_elapsed},
                                              {"PIT", pit_begin, pit_elapsed}};

/* One moment on all clocks. Of several tries the one whose reading took the shortest: others were
 * interrupted by SMM or a busy host. */
struct moment {
    uint64_t tsc, ns;
    uint32_t apic;
};

static struct moment read_all(const struct reference *r)
{
    struct moment best = {0};
    uint64_t best_span = UINT64_MAX;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = rdtsc(), ns = r->elapsed();
        uint32_t apic = ~0u - apic_timer_count();
        uint64_t after = rdtsc();

        if (after - before < best_span) {
            best_span = after - before;
            best = (struct moment){before + best_span / 2, ns, apic};
        }
    }
    return best;
}

static const char *calibrate(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(references); i++) {
        const struct reference *r = &references[i];
        struct moment a, b;
        uint64_t ns = 0;

        if (!r->start())
            continue;
        apic_timer_set(~0u);
        a = read_all(r);
        for (unsigned spin = 0; ns < a.ns + 10000000 && spin < 1000000; spin++)
            ns = r->elapsed();
        b = read_all(r);
        apic_timer_set(0);
        if (b.ns < a.ns + 10000000)
            continue;
        ns = b.ns - a.ns;
        apic_hz = mul_div(b.apic - a.apic, 1000000000, ns);
        if (!tsc_hz)
            set_scale(mul_div(b.tsc - a.tsc, 1000000000, ns));
        return r->name;
    }
    return NULL;
}

/* TSC frequency as the CPU itself tells it: crystal and ratio. 0: it does not. */
static uint64_t cpuid_tsc_hz(void)
{
    struct cpuid_regs r = cpuid_leaf(0x15);

    return r.eax && r.ebx && r.ecx ? (uint64_t)r.ecx * r.ebx / r.eax : 0;
}

void time_init(void)
{
    uint64_t told = cpuid_tsc_hz();
    const char *how = "CPUID";

    if (told)
        set_scale(told);
    if (!told || !cpu_has.tsc_deadline)
        how = calibrate();
    if (!how)
        panic("no clock works: neither ACPI timer nor PIT counts"); /* boot */
    tsc_base = boot_tsc; /* for one reading of now(), which tells how long ago that was */
    base_ns = now();
    tsc_base = boot_tsc + ns_to_tsc(base_ns);
    pr_info("Time: TSC at %lu.%03lu MHz (by %s), deadlines by %s\n", tsc_hz / 1000000,
            tsc_hz / 1000 % 1000, how, cpu_has.tsc_deadline ? "TSC" : "APIC timer");
}

void time_tsc_differs(unsigned cpu)
{
    tsc_is_one_clock = false;
    pr_warn("CPU %u: its TSC differs from the first one's; clocks may jump between CPUs\n", cpu);
}

void timer_hw_set(uint64_t deadline_ns)
{
    uint64_t t = now(), count;
    bool none = deadline_ns == UINT64_MAX;

    if (deadline_ns <= t) {
        softirq_raise(SOFTIRQ_TIMER); /* and no interrupt: the exit path looks at it at once */
        return;
    }
    /* A deadline far away is cut: the interrupt comes early, finds nothing due, and is set again.
     */
    t = MIN(deadline_ns - t, 1000000000UL * 60);
    if (cpu_has.tsc_deadline) {
        wrmsr(MSR_TSC_DEADLINE, none ? 0 : rdtsc() + ns_to_tsc(t) + 1);
        return;
    }
    count = mul_div(t, apic_hz, 1000000000) + 1;
    apic_timer_set(none ? 0 : (uint32_t)MIN(count, 0xffffffffUL));
}

/* --- the guests' clock
 * -------------------------------------------------------------------------------------------------------------
 */
static void fill(struct vcpu_time_info *t)
{
    t->tsc_timestamp = tsc_base;
    t->system_time = base_ns;
    t->tsc_to_system_mul = tsc_mul;
    t->tsc_shift = tsc_shift;
    t->flags = tsc_is_one_clock ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
}

void vcpu_time_update(struct vcpu *v)
{
    struct vcpu_time_info *t = &v->info_here->time;
    uint32_t version = t->version | 1; /* odd: being written. Version protocol of <xen/xen.h> */

    /* The numbers are the same from boot to the end: a page that has them needs no write. */
    if (t->version && !(t->version & 1) && t->tsc_timestamp == tsc_base &&
        t->tsc_to_system_mul == tsc_mul && t->tsc_shift == tsc_shift)
        return;
    WRITE_ONCE(t->version, version);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    fill(t);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(t->version, version + 1);
}

/*
 * The second copy is in the guest's own memory, for its user space. Written once, when the guest
 * registers the area: the numbers never change, and a context switch must not touch guest memory
 * (the user's tables may be loaded).
 */
int vcpu_time_publish(struct vcpu *v)
{
    struct vcpu_time_info copy = {.version =
                                      1}; /* its first word, so it is there before the rest */

    fill(&copy);
    if (copy_to_guest(v->time_info_guest, &copy, sizeof(copy)))
        return -EFAULT;
    copy.version = 2;
    return copy_to_guest(v->time_info_guest, &copy.version, sizeof(copy.version));
}
