/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_platform_op: what dom0's kernel asks and orders about the physical machine. See
 * <xen/platform.h>. dom0 only (by the hypercall table). Sub-operations are a table: those that
 * Linux makes; what is not in it is -ENOSYS.
 */
#include <hv/control.h>
#include <hv/cpumask.h>
#include <hv/hypercall.h>
#include <hv/printk.h>
#include <hv/time.h>
#include <asm/cpu.h>
#include <asm/uaccess.h>
#include <xen/platform.h>

static long op_settime64(struct xen_platform_op *op)
{
    if (op->u.settime64.mbz || op->u.settime64.nsecs >= 1000000000)
        return -EINVAL;
    wallclock_set(op->u.settime64.secs, op->u.settime64.nsecs, op->u.settime64.system_time);
    return 0;
}

static long op_settime32(struct xen_platform_op *op)
{
    if (op->u.settime32.nsecs >= 1000000000)
        return -EINVAL;
    wallclock_set(op->u.settime32.secs, op->u.settime32.nsecs, op->u.settime32.system_time);
    return 0;
}

/*
 * What the firmware's 16-bit calls or EFI would have told. We make no such calls (GRUB leaves no
 * runtime services to a PV dom0): for disks "no more entries", for the rest "not there", as Xen
 * answers without the information.
 */
static long op_firmware_info(struct xen_platform_op *op)
{
    switch (op->u.firmware_info.type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH;
    case XEN_FW_KBD_SHIFT_FLAGS:
        op->u.firmware_info.u.kbd_shift_flags = 0;
        return 0;
    default:
        return -EINVAL;
    }
}

static long op_enter_acpi_sleep(struct xen_platform_op *op)
{
    const struct xenpf_enter_acpi_sleep *s = &op->u.enter_acpi_sleep;

    if (s->sleep_state != 5 || (s->flags & XENPF_ACPI_SLEEP_EXTENDED))
        return -EOPNOTSUPP; /* suspend is not there yet */
    pr_info("dom0 switches the machine off.\n");
    machine_enter_s5(s->val_a, s->val_b);
}

static long op_cpuinfo(struct xen_platform_op *op)
{
    struct xenpf_pcpuinfo *p = &op->u.pcpu_info;
    unsigned cpu = p->xen_cpuid;

    p->max_present = nr_cpus - 1;
    p->flags = XEN_PCPU_FLAGS_INVALID;
    p->apic_id = p->acpi_id = ~0u;
    if (cpu < nr_cpus) {
        p->flags = cpumask_test(&cpus_online, cpu) ? XEN_PCPU_FLAGS_ONLINE : 0;
        p->apic_id = cpu_data[cpu]->apic_id;
        p->acpi_id = cpu_data[cpu]->acpi_id;
    }
    return 0;
}

/* Power states of CPUs: known to ACPI's interpreter only, so dom0 tells; we idle with HLT and take
 * note of nothing. */
static long op_set_pminfo(struct xen_platform_op *op)
{
    return op->u.set_pminfo.type <= XEN_PM_PDC ? 0 : -EINVAL;
}

/* All that are there run, and stay so. */
static long op_cpu_on_off(struct xen_platform_op *op)
{
    if (op->u.cpu_ol.cpuid >= nr_cpus)
        return -ENODEV;
    return op->cmd == XENPF_cpu_online ? 0 : -EBUSY;
}

struct platform_entry {
    long (*fn)(struct xen_platform_op *op);
    bool copy_back;
};

static const struct platform_entry platform_table[] = {
    [XENPF_settime32] = {op_settime32, false},
    [XENPF_settime64] = {op_settime64, false},
    [XENPF_firmware_info] = {op_firmware_info, true},
    [XENPF_enter_acpi_sleep] = {op_enter_acpi_sleep, false},
    [XENPF_set_processor_pminfo] = {op_set_pminfo, false},
    [XENPF_get_cpuinfo] = {op_cpuinfo, true},
    [XENPF_cpu_online] = {op_cpu_on_off, false},
    [XENPF_cpu_offline] = {op_cpu_on_off, false},
};

long do_platform_op(struct hypercall *hc)
{
    struct xen_platform_op op;
    const struct platform_entry *e;
    long rc;

    if (copy_in(&op, hc->arg[0]))
        return -EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -EACCES;
    if (op.cmd >= ARRAY_SIZE(platform_table) || !platform_table[op.cmd].fn)
        return -ENOSYS;
    e = &platform_table[op.cmd];
    rc = e->fn(&op);
    if (!rc && e->copy_back && copy_out(hc->arg[0], &op))
        return -EFAULT;
    return rc;
}
