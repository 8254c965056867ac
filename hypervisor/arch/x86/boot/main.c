/* SPDX-License-Identifier: MIT */
/*
 * The boot order, from the first C code to the first guest, in one list: boot_main().
 *
 * Invariant: until smp_release() only the boot CPU runs C code beyond its own bring-up; until dom0
 * is unpaused no guest runs.
 */
#include <hv/boot_info.h>
#include <hv/cmdline.h>
#include <hv/control.h>
#include <hv/printk.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/console.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/hv_paging.h>
#include <asm/irq.h>
#include <asm/msr.h>
#include "boot.h"

extern const char _image_start[], _end[];

uint64_t boot_tsc;

/* On the first page tables and a borrowed stack: save what the loader said, go onto our own tables.
 * Returns the stack's top. */
uint64_t boot_early(uint32_t magic, uint64_t info);
uint64_t boot_early(uint32_t magic, uint64_t info)
{
    struct cpu_top *top;

    boot_tsc = rdtsc();
    boot_info_init(magic, info, image_va_to_maddr(_image_start), image_va_to_maddr(_end));
    cpu_features_init();
    hv_paging_init();
    top = percpu_top(0);
    top->cpu = &boot_cpu;
    return (uint64_t)(top + 1);
}

/* --- what is printed --- */

static void print_banner(void)
{
    pr_info("Mullion %s: a thin hypervisor (Xen 4.17 PV interface)\n", MULLION_VERSION);
    pr_info("Loader: %s%s; command line: %s\n", boot_info.loader[0] ? boot_info.loader : "unknown",
            boot_info.efi_system_table ? " (UEFI)" : "", boot_info.cmdline);
    if (boot_problem)
        pr_warn("Boot: %s.\n", boot_problem);
}

static void print_e820(void)
{
    static const char *const name[] = {"?", "RAM", "reserved", "ACPI data", "ACPI NVS", "unusable"};
    uint64_t ram = 0;

    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];

        pr_debug("  %012lx-%012lx %s\n", e->addr, e->addr + e->size,
                 e->type < ARRAY_SIZE(name) ? name[e->type] : name[0]);
        if (e->type == E820_RAM)
            ram += e->size;
    }
    pr_info("Memory: %lu MiB of RAM in %u ranges\n", ram >> 20, boot_info.nr_e820);
    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        pr_info("Module %u: %lu KiB at %lx, arguments: %s\n", i, boot_info.module[i].size >> 10,
                boot_info.module[i].start, boot_info.module[i].cmdline);
}

/* --- dom0 --- */

/* Not a panic: the machine is well, what it was given is not. Say how to mend it and stop. */
static __noreturn void refuse_to_start(const char *what, const char *how)
{
    pr_err("\n");
    pr_err("*** No control domain can be started: %s.\n", what);
    pr_err("*** %s\n", how);
    pr_err("*** The machine is halted.\n");
    machine_stop_others();
    machine_halt();
}

static void start_dom0(void)
{
    struct domain_config cfg = {.is_dom0 = true,
                                .max_evtchn_port = UINT32_MAX,
                                .max_grant_frames = 64,
                                .max_maptrack_frames = 1024};
    const char *how = "Too little memory: see dom0_mem= on the command line.", *what = NULL;
    struct domain *d;

    if (!boot_info.nr_modules)
        refuse_to_start(
            "the boot loader gave no module",
            "Give dom0's kernel (an ELF file) as the first module and its initrd as the second.");
    cfg.max_vcpus = MIN(opt.dom0_max_vcpus ? opt.dom0_max_vcpus : nr_cpus, DOMAIN_MAX_VCPUS);
    if (domain_create(0, &cfg, &d) || domain_make_vcpus(d, cfg.max_vcpus))
        refuse_to_start("out of hypervisor memory", how);
    dom0 = d;
    what = dom0_build(d, &how);
    if (what)
        refuse_to_start(what, how);
}

void boot_main(void) __noreturn;
void boot_main(void)
{
    if (gdt_cpu_init(0) || map_slots_init(&boot_cpu))
        panic("no memory for the boot CPU's tables"); /* boot */
    gdt_cpu_load(&boot_cpu);
    idt_init();
    idt_load(); /* exceptions can be reported from here on */
    cpu_setup();
    cmdline_parse(boot_info.cmdline);
    console_init();
    print_banner();
    cpu_print();
    print_e820();
    frames_init();
    heap_init();
    acpi_init();
    apic_init();
    boot_cpu.apic_id = apic_id();
    apic_cpu_init();
    time_init();
    wallclock_init();
    irq_init();
    smp_start();
    for (unsigned c = 0; c < nr_cpus; c++) {
        timer_cpu_init(c);
        sched_cpu_init(c);
    }
    domains_init();
    current = boot_cpu.idle;
    smp_release();
    uart_irq_init();
    start_dom0();
    pr_info("%u CPUs online, %lu MiB of %lu MiB free, hypervisor heap %lu KiB\n", nr_cpus,
            frames_free() >> 8, frames_total() >> 8, heap_bytes_used() >> 10);
    domain_unpause(dom0);
    enter_guest_loop();
}
