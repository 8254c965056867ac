/* SPDX-License-Identifier: MIT */
/*
 * Device interrupts: vectors, and the PIRQs by which dom0 knows them.
 *
 * A PIRQ is dom0's number of an interrupt: GSI n is PIRQ n; MSIs have the numbers above the last
 * GSI. Vectors mean the same on every CPU. Acknowledging: an edge or an MSI at once (the device's
 * next one must not be lost); a level line is masked, acknowledged, and unmasked when dom0 says
 * that it served the device (PHYSDEVOP_eoi), so a line that stays up cannot storm. Invariant:
 * vector_irq[v] == d iff d->vector == v; a descriptor with a port is bound and belongs to dom0.
 * Lock: irq_lock (irqsave, level 9). Never held while an event is sent.
 */
#include <hv/cpumask.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/evtchn.h>
#include <hv/frame.h>
#include <hv/irq.h>
#include <hv/lock.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/vcpu.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/cpu.h>
#include <asm/io.h>
#include <asm/irq.h>

static spinlock_t irq_lock = SPINLOCK_INIT;
static struct irq_desc *vector_irq[256];
static struct irq_desc *descs; /* [gsis + MSI_PIRQS], index = PIRQ */
static bool *pirq_reserved;    /* number given out, no interrupt behind it yet */
static unsigned gsis;

unsigned nr_gsis(void)
{
    return gsis;
}

unsigned nr_pirqs(void)
{
    return gsis + MSI_PIRQS;
}

static void mask_8259(void)
{
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

void irq_init(void)
{
    mask_8259();
    gsis = MAX(ioapic_init(), 16u);
    descs = hv_alloc(nr_pirqs() * sizeof(*descs));
    pirq_reserved = hv_alloc(nr_pirqs());
    if (!descs || !pirq_reserved)
        panic("no memory for interrupt descriptors"); /* boot */
    for (unsigned g = 0; g < gsis; g++)
        descs[g] = (struct irq_desc){.kind = ioapic_has(g) ? IRQ_GSI : IRQ_UNUSED,
                                     .gsi = g,
                                     .pirq = g,
                                     .masked = true,
                                     .level = g >= 16,
                                     .active_low = g >= 16};
    for (unsigned i = 0; i < 16; i++) {
        uint32_t g = acpi.isa_irq[i].gsi;

        if (g >= gsis)
            continue;
        descs[g].level = (acpi.isa_irq[i].flags >> 2 & 3) == 3;
        descs[g].active_low = (acpi.isa_irq[i].flags & 3) == 3;
    }
}

/* --- hardware, under irq_lock
 * --------------------------------------------------------------------------------------------------
 */
static int assign_vector(struct irq_desc *d)
{
    static unsigned next = FIRST_DEVICE_VECTOR;

    if (d->vector)
        return 0;
    for (unsigned n = FIRST_DEVICE_VECTOR; n <= LAST_DEVICE_VECTOR; n++) {
        unsigned v = next;

        next = next == LAST_DEVICE_VECTOR ? FIRST_DEVICE_VECTOR : next + 1;
        if (vector_irq[v] || v == 0x80 ||
            v == 0x82) /* those two are instructions that guests use */
            continue;
        vector_irq[v] = d;
        d->vector = (uint8_t)v;
        return 0;
    }
    return -ENOSPC;
}

static void free_vector(struct irq_desc *d)
{
    if (d->vector)
        vector_irq[d->vector] = NULL;
    d->vector = 0;
}

static void program(const struct irq_desc *d)
{
    if (d->kind == IRQ_GSI)
        ioapic_program(d);
    else if (d->kind == IRQ_MSI)
        msi_program(d);
}

/* A CPU that interrupts can be sent to: without interrupt remapping a destination is eight bits. */
static unsigned reachable(unsigned cpu)
{
    return cpumask_test(&cpus_online, cpu) && cpu_data[cpu]->apic_id < 255 ? cpu : 0;
}

int irq_own_gsi(unsigned isa_irq, void (*handler)(void))
{
    unsigned g = acpi.isa_irq[isa_irq].gsi;
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = g < gsis ? &descs[g] : NULL;
    int rc = !d || d->kind != IRQ_GSI ? -ENODEV : d->own || d->bound ? -EBUSY : assign_vector(d);

    if (!rc) {
        d->own = handler;
        d->cpu = 0;
        d->masked = false;
        program(d);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return rc;
}

/* --- an interrupt arrives
 * ----------------------------------------------------------------------------------------------------------
 */
void irq_handle(unsigned vector)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = vector_irq[vector];
    void (*own)(void) = d ? d->own : NULL;
    bool to_dom0 = d && d->bound;
    unsigned pirq = d ? d->pirq : 0;

    if (to_dom0 && d->kind == IRQ_GSI && d->level) {
        d->masked = d->awaits_eoi = true;
        program(d);
    }
    apic_eoi();
    spin_unlock_irqrestore(&irq_lock, flags);
    if (own)
        own();
    else if (to_dom0 && dom0)
        send_guest_pirq(dom0, pirq);
}

/* --- PIRQs: binding to event channels (hv/irq.h)
 * ---------------------------------------------------------------------------------------- */
static struct irq_desc *dom0_irq(const struct domain *d, unsigned pirq)
{
    if (!d->is_dom0 || pirq >= nr_pirqs() || descs[pirq].kind == IRQ_UNUSED || descs[pirq].own)
        return NULL;
    return &descs[pirq];
}

int pirq_bind(struct vcpu *v, unsigned pirq, bool will_share)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = dom0_irq(v->domain, pirq);
    int rc = !d ? -EINVAL : d->bound ? -EBUSY : assign_vector(d);

    if (!rc) {
        d->bound = true;
        d->awaits_eoi = d->masked = false;
        d->cpu = reachable(v->cpu);
        program(d);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return rc;
}

static void unbind(struct irq_desc *d)
{
    d->bound = d->awaits_eoi = false;
    d->masked = true;
    program(d);
}

void pirq_unbind(struct domain *dom, unsigned pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = dom0_irq(dom, pirq);

    if (d && d->bound)
        unbind(d);
    spin_unlock_irqrestore(&irq_lock, flags);
}

void pirq_eoi(struct domain *dom, unsigned pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = dom0_irq(dom, pirq);

    if (d && d->awaits_eoi) {
        d->awaits_eoi = d->masked = false;
        program(d);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
}

void pirq_set_affinity(struct domain *dom, unsigned pirq, unsigned cpu)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = dom0_irq(dom, pirq);

    cpu = reachable(cpu);
    if (d && d->cpu != cpu) {
        d->cpu = cpu;
        if (d->vector)
            program(d);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
}

void pirqs_release(struct domain *dom)
{
    unsigned long flags;

    if (!dom->is_dom0)
        return;
    flags = spin_lock_irqsave(&irq_lock);
    for (unsigned p = 0; p < nr_pirqs(); p++)
        if (descs[p].bound)
            unbind(&descs[p]);
    spin_unlock_irqrestore(&irq_lock, flags);
}

/* --- PIRQs: mapping (physdev.c)
 * ------------------------------------------------------------------------------------------------------------
 */
int pirq_map_gsi(unsigned gsi, int *pirq)
{
    if (gsi >= gsis || descs[gsi].kind != IRQ_GSI || descs[gsi].own)
        return -EINVAL;
    if (*pirq >= 0 && (unsigned)*pirq != gsi)
        return -EINVAL; /* GSI and PIRQ are the same number here, as on Xen */
    *pirq = (int)gsi;
    return 0;
}

static int find_free_msi(void)
{
    for (unsigned p = nr_pirqs() - 1; p >= gsis; p--)
        if (descs[p].kind == IRQ_UNUSED && !pirq_reserved[p])
            return (int)p;
    return -ENOSPC;
}

int pirq_allocate(bool msi)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    int p = -ENOSPC;

    if (msi) {
        p = find_free_msi();
    } else {
        for (unsigned g = 16; g < gsis && p < 0; g++)
            if (descs[g].kind == IRQ_UNUSED && !pirq_reserved[g])
                p = (int)g;
    }
    if (p >= 0)
        pirq_reserved[p] = true;
    spin_unlock_irqrestore(&irq_lock, flags);
    return p;
}

int pirq_map_msi(struct msi_source *msi, int *pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    int p = *pirq < 0 ? find_free_msi() : *pirq, rc = 0;

    if (p < 0)
        rc = p;
    else if ((unsigned)p < gsis || (unsigned)p >= nr_pirqs())
        rc = -EINVAL;
    else if (descs[p].kind != IRQ_UNUSED)
        rc = -EEXIST;
    if (!rc) {
        descs[p] =
            (struct irq_desc){.kind = IRQ_MSI, .pirq = (unsigned)p, .masked = true, .msi = msi};
        rc = assign_vector(&descs[p]);
        if (rc)
            descs[p].kind = IRQ_UNUSED;
        else
            program(&descs[p]);
    }
    if (!rc) {
        pirq_reserved[p] = false;
        *pirq = p;
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return rc;
}

int pirq_unmap(unsigned pirq)
{
    struct msi_source *msi = NULL;
    unsigned long flags;
    int rc = 0;

    if (pirq >= nr_pirqs())
        return -EINVAL;
    flags = spin_lock_irqsave(&irq_lock);
    if (descs[pirq].kind == IRQ_UNUSED && !pirq_reserved[pirq]) {
        rc = -EINVAL;
    } else if (descs[pirq].kind != IRQ_UNUSED && !descs[pirq].own) {
        if (descs[pirq].bound)
            unbind(&descs[pirq]);
        free_vector(&descs[pirq]);
        if (descs[pirq].kind == IRQ_MSI) {
            msi = descs[pirq].msi;
            descs[pirq] = (struct irq_desc){.kind = IRQ_UNUSED};
        }
    }
    pirq_reserved[pirq] = false;
    spin_unlock_irqrestore(&irq_lock, flags);
    if (msi)
        msi_release(msi);
    return rc;
}

/* The first word on a line's wiring counts: changing it under a running device would lose
 * interrupts. */
int gsi_setup(unsigned gsi, bool level, bool active_low)
{
    unsigned long flags;

    if (gsi >= gsis || descs[gsi].kind != IRQ_GSI)
        return -EINVAL;
    flags = spin_lock_irqsave(&irq_lock);
    if (!descs[gsi].wiring_known && !descs[gsi].own) {
        descs[gsi].wiring_known = true;
        descs[gsi].level = level;
        descs[gsi].active_low = active_low;
        if (descs[gsi].vector)
            program(&descs[gsi]);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return 0;
}

int pirq_needs_eoi(unsigned pirq)
{
    if (pirq >= nr_pirqs())
        return -EINVAL;
    return descs[pirq].kind == IRQ_GSI && descs[pirq].level;
}

void irq_for_each_msi(void (*fn)(const struct irq_desc *d, void *data), void *data)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);

    for (unsigned p = gsis; p < nr_pirqs(); p++)
        if (descs[p].kind == IRQ_MSI)
            fn(&descs[p], data);
    spin_unlock_irqrestore(&irq_lock, flags);
}
