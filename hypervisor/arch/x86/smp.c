/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs. They are started one after another and wait until the scheduler and the idle
 * vCPUs exist (smp_release): so nr_cpus is final before anything counts CPUs. One that does not
 * start, or lacks what the boot CPU has, stays off, and so do those after it (ids are dense); the
 * log says so. What they ask of each other then: tlb.c.
 */
#include <hv/boot_info.h>
#include <hv/cmdline.h>
#include <hv/control.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/time.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/hv_paging.h>
#include <asm/msr.h>
#include "boot/boot.h"

struct cpu boot_cpu;
struct cpu *cpu_data[MAX_CPUS] = {&boot_cpu};
cpumask_t cpus_online;
unsigned nr_cpus = 1;

_Atomic bool smp_stopping;
static _Atomic bool released;
static _Atomic unsigned ap_alive; /* id of the CPU that has just reached C */
static _Atomic uint64_t ap_tsc;   /* its TSC then; the boot CPU compares */
static _Atomic bool ap_differs;   /* it lacks what the boot CPU has */

void machine_stop_others(void)
{
    unsigned self = this_cpu() ? this_cpu_id() : 0;

    irq_disable();
    if (__atomic_exchange_n(&smp_stopping, true, __ATOMIC_SEQ_CST))
        return;
    for (unsigned c = 0; c < nr_cpus; c++)
        if (c != self && cpu_data[c])
            apic_send(cpu_data[c]->apic_id, APIC_NMI);
}

/* --- starting
 * ----------------------------------------------------------------------------------------------------------------
 */
void smp_ap_main(void);
void smp_ap_main(void)
{
    unsigned id = READ_ONCE(nr_cpus); /* the one being started */
    struct cpu *c = cpu_data[id];

    cpu_top()->cpu = c;
    gdt_cpu_load(c);
    idt_load();
    if (!cpu_matches_boot()) {
        ap_differs = true;
        machine_halt();
    }
    cpu_setup();
    apic_cpu_init();
    ap_tsc = rdtsc();
    ap_alive = id;
    while (!released)
        cpu_relax();
    if (id >= nr_cpus)
        machine_halt(); /* came too late: given up */
    current = c->idle;
    a_cpumask_set(&cpus_online, id);
    enter_guest_loop();
}

static bool alloc_cpu(unsigned id, unsigned index)
{
    struct cpu *c = hv_alloc(sizeof(*c));

    if (!c)
        return false;
    c->id = id;
    c->apic_id = acpi.cpu[index].apic_id;
    c->acpi_id = acpi.cpu[index].acpi_id;
    if (hv_paging_cpu_init(id) || gdt_cpu_init(id) || map_slots_init(c))
        return false;
    cpu_data[id] = c;
    return true;
}

/* INIT, start-up, start-up (Intel SDM 3A 9.4.4). The 10 ms after INIT were for CPUs with a local
 * APIC of their own chip; none with long mode needs them. The other waits end when the CPU answers.
 */
static bool start_cpu(unsigned id, unsigned page)
{
    uint32_t to = cpu_data[id]->apic_id;
    uint64_t before = rdtsc();

    ap_stack = (uint64_t)(percpu_top(id) + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    apic_send(to, APIC_INIT);
    for (unsigned n = 0; n < 2 && ap_alive != id; n++) {
        uint64_t deadline = now() + (n ? 1000000000UL : 200000UL);

        apic_send(to, APIC_STARTUP | page);
        while (now() < deadline && ap_alive != id && !ap_differs)
            cpu_relax();
    }
    if (ap_alive != id)
        return false;
    /* Its TSC, read between two readings here, must lie between them: all clocks are made of the
     * TSC alone. */
    if (ap_tsc < before || ap_tsc > rdtsc())
        time_tsc_differs(id);
    return true;
}

static bool in_module(uint64_t at)
{
    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        if (at + PAGE_SIZE > boot_info.module[i].start &&
            at < boot_info.module[i].start + boot_info.module[i].size)
            return true;
    return false;
}

/* A page of RAM below 640 KiB for the trampoline; the frame allocator takes nothing there, but a
 * boot module may lie there (GRUB on UEFI does that). 0: none. */
static uint64_t trampoline_page(void)
{
    uint64_t at = 0x9f000;

    while (at && (!boot_is_ram(at, at + PAGE_SIZE) || in_module(at)))
        at -= PAGE_SIZE;
    return at;
}

void smp_start(void)
{
    unsigned limit = opt.maxcpus ? MIN(opt.maxcpus, (unsigned)MAX_CPUS) : MAX_CPUS;
    uint64_t page = trampoline_page();
    void *low = page && limit > 1 ? hv_map_window(page, PAGE_SIZE, HPTE_DEVICE) : NULL;

    if (low)
        memcpy(low, trampoline_start, trampoline_end - trampoline_start);
    for (unsigned i = 0; i < acpi.nr_cpus; i++) {
        uint32_t id = acpi.cpu[i].apic_id;

        if (id == boot_cpu.apic_id) {
            boot_cpu.acpi_id = acpi.cpu[i].acpi_id;
            continue;
        }
        if (nr_cpus >= limit)
            continue;
        if (!low || (id > 254 && !x2apic)) {
            pr_warn("CPU with APIC id %u stays off: %s\n", id,
                    low ? "ids above 254 need x2APIC" : "no memory below 640 KiB");
            continue;
        }
        if (!alloc_cpu(nr_cpus, i)) {
            pr_warn("CPU with APIC id %u stays off: no memory\n", id);
            break;
        }
        if (!start_cpu(nr_cpus, page >> PAGE_SHIFT)) {
            pr_warn("CPU with APIC id %u %s; it and those after it stay off\n", id,
                    ap_differs ? "lacks features of the first one" : "does not start");
            cpu_data[nr_cpus] = NULL;
            break;
        }
        nr_cpus++;
    }
    if (acpi.nr_cpus > limit)
        pr_info("%u CPUs stay off (maxcpus)\n", acpi.nr_cpus - limit);
}

void smp_release(void)
{
    a_cpumask_set(&cpus_online, 0);
    released = true;
    for (unsigned c = 0; c < nr_cpus; c++)
        while (!cpumask_test(&cpus_online, c))
            cpu_relax();
}

/* --- talking
 * ------------------------------------------------------------------------------------------------------------------------
 */
void smp_send_event_check(unsigned cpu)
{
    apic_send(cpu_data[cpu]->apic_id, VECTOR_EVENT);
}
