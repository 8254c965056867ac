/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: where each vector goes; devices' vectors, and the PIRQs by which dom0 knows them.
 *
 * A PIRQ is dom0's number of an interrupt: GSI n is PIRQ n; MSIs have the numbers above the last
 * GSI. Vectors mean the same on every CPU. Acknowledging: an edge or an MSI at once (the device's
 * next one must not be lost); a level line is masked, acknowledged, and unmasked when dom0 says
 * that it served the device (PHYSDEVOP_eoi), so a line that stays up cannot storm. Invariant:
 * vector_irq[v] == d iff d->vector == v; a descriptor with a port is bound and belongs to dom0.
 * Lock: irq_lock (irqsave, level 9). Never held while an event is sent.
 */
#include <hv/evtchn.h>
#include <hv/printk.h>
#include <hv/softirq.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/io.h>
#include <asm/irq.h>
#include <asm/pv.h>
#include <asm/traps.h>

struct irq_desc {
    enum { IRQ_UNUSED, IRQ_GSI, IRQ_MSI } kind;
    uint8_t vector;         /* 0: none yet */
    bool level, active_low; /* GSI: how the line is wired */
    bool wiring_known;      /* dom0 has said so */
    bool awaits_eoi;        /* level: masked until the guest is done */
    bool bound;             /* dom0 has a port for it */
    unsigned cpu;           /* where it is sent */
    void (*own)(void);      /* the hypervisor's; NULL: dom0's */
    struct msi_source msi;
};

static spinlock_t irq_lock = SPINLOCK_INIT;
static struct irq_desc *vector_irq[256];
static struct irq_desc *descs; /* [gsis + MSI_PIRQS], index = PIRQ */
static unsigned gsis;

unsigned nr_pirqs(void)
{
    return gsis + MSI_PIRQS;
}

void irq_init(void)
{
    outb(0x21, 0xff); /* all of the 8259s' lines are masked, for good */
    outb(0xa1, 0xff);
    gsis = MAX(ioapic_init(), 16u);
    descs = hv_alloc(nr_pirqs() * sizeof(*descs));
    if (!descs)
        panic("no memory for interrupt descriptors"); /* boot */
    for (unsigned g = 0; g < gsis; g++)
        descs[g] = (struct irq_desc){
            .kind = ioapic_of(g) ? IRQ_GSI : IRQ_UNUSED, .level = g >= 16, .active_low = g >= 16};
    for (unsigned i = 0; i < 16; i++) {
        uint32_t g = acpi.isa_irq[i].gsi;

        if (g >= gsis)
            continue;
        descs[g].level = (acpi.isa_irq[i].flags >> 2 & 3) == 3;
        descs[g].active_low = (acpi.isa_irq[i].flags & 3) == 3;
    }
}

/* --- hardware, under irq_lock --- */

static int assign_vector(struct irq_desc *d)
{
    static unsigned next = FIRST_DEVICE_VECTOR;

    for (unsigned n = FIRST_DEVICE_VECTOR; !d->vector && n <= LAST_DEVICE_VECTOR; n++) {
        unsigned v = next;

        next = next == LAST_DEVICE_VECTOR ? FIRST_DEVICE_VECTOR : next + 1;
        if (vector_irq[v] || v == 0x80 || v == 0x82) /* those two are instructions of guests */
            continue;
        vector_irq[v] = d;
        d->vector = (uint8_t)v;
    }
    return d->vector ? 0 : -ENOSPC;
}

static void program(const struct irq_desc *d)
{
    bool masked = !d->own && (!d->bound || d->awaits_eoi);
    uint32_t to = cpu_data[d->cpu]->apic_id;

    if (d->kind == IRQ_MSI)
        msi_program(&d->msi, to, d->vector, masked);
    else
        ioapic_program(d - descs, to,
                       d->vector | (d->level ? IOAPIC_LEVEL : 0) |
                           (d->active_low ? IOAPIC_LOW : 0) | (masked ? IOAPIC_MASKED : 0));
}

/* A CPU that interrupts can be sent to: without interrupt remapping a destination is eight bits. */
static unsigned reachable(unsigned cpu)
{
    return cpumask_test(&cpus_online, cpu) && cpu_data[cpu]->apic_id < 255 ? cpu : 0;
}

int irq_own(unsigned isa_irq, void (*handler)(void))
{
    unsigned g = acpi.isa_irq[isa_irq].gsi;
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = g < gsis ? &descs[g] : NULL;
    int rc = !d || d->kind != IRQ_GSI ? -ENODEV : d->own || d->bound ? -EBUSY : assign_vector(d);

    if (!rc) {
        d->own = handler;
        program(d);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return rc;
}

/* --- an interrupt arrives --- */

static void device_interrupt(unsigned vector)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = vector_irq[vector];
    void (*own)(void) = d ? d->own : NULL;
    bool to_dom0 = d && d->bound;

    if (to_dom0 && d->level) {
        d->awaits_eoi = true;
        program(d);
    }
    apic_eoi();
    spin_unlock_irqrestore(&irq_lock, flags);
    if (own)
        own();
    else if (to_dom0 && dom0)
        send_guest_pirq(dom0, d - descs);
}

/* Called by entry.S, interrupts off. */
void handle_interrupt(struct cpu_user_regs *regs)
{
    unsigned vector = regs->entry_vector;

    if (vector >= FIRST_DEVICE_VECTOR && vector <= LAST_DEVICE_VECTOR) {
        device_interrupt(vector);
        return;
    }
    if (vector == VECTOR_SPURIOUS)
        return; /* not in service: it gets no EOI */
    apic_eoi();
    if (vector == VECTOR_TIMER)
        softirq_raise(SOFTIRQ_TIMER);
    else if (vector == VECTOR_CALL)
        tlb_serve();
    /* VECTOR_EVENT: its softirq bits are looked at on the way out */
}

/* --- PIRQs: binding to event channels (hv/irq.h) --- */

/* Under irq_lock: dom0's interrupt of this number; NULL: there is none. */
static struct irq_desc *find_pirq(const struct domain *dom, unsigned pirq)
{
    bool there = dom->is_dom0 && pirq < nr_pirqs() && descs[pirq].kind != IRQ_UNUSED;

    return there && !descs[pirq].own ? &descs[pirq] : NULL;
}

int pirq_bind(struct vcpu *v, unsigned pirq, bool will_share)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = find_pirq(v->domain, pirq);
    int rc = !d ? -EINVAL : d->bound ? -EBUSY : assign_vector(d);

    if (!rc) {
        d->bound = true;
        d->awaits_eoi = false;
        d->cpu = reachable(v->cpu);
        program(d);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return rc;
}

static void unbind(struct irq_desc *d)
{
    if (d && d->bound) {
        d->bound = false;
        program(d);
    }
}

void pirq_unbind(struct domain *dom, unsigned pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);

    unbind(find_pirq(dom, pirq));
    spin_unlock_irqrestore(&irq_lock, flags);
}

void pirq_eoi(struct domain *dom, unsigned pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = find_pirq(dom, pirq);

    if (d && d->bound && d->awaits_eoi) {
        d->awaits_eoi = false;
        program(d);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
}

void pirq_set_affinity(struct domain *dom, unsigned pirq, unsigned cpu)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = find_pirq(dom, pirq);

    if (d && d->cpu != reachable(cpu)) {
        d->cpu = reachable(cpu);
        if (d->vector)
            program(d);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
}

/* --- PIRQs: mapping (physdev.c) --- */

int pirq_map_gsi(unsigned gsi, int *pirq)
{
    if (gsi >= gsis || descs[gsi].kind != IRQ_GSI || descs[gsi].own)
        return -EINVAL;
    if (*pirq >= 0 && (unsigned)*pirq != gsi)
        return -EINVAL; /* GSI and PIRQ are the same number here, as on Xen */
    *pirq = (int)gsi;
    return 0;
}

int pirq_map_msi(const struct msi_source *msi, int *pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    unsigned p = (unsigned)*pirq;
    int rc = 0;

    if (*pirq < 0) /* any */
        for (p = nr_pirqs() - 1; p >= gsis && descs[p].kind != IRQ_UNUSED;)
            p--;
    if (p < gsis || p >= nr_pirqs())
        rc = *pirq < 0 ? -ENOSPC : -EINVAL;
    else if (descs[p].kind != IRQ_UNUSED)
        rc = -EEXIST;
    else
        rc = assign_vector(&descs[p]);
    if (!rc) {
        descs[p].kind = IRQ_MSI;
        descs[p].msi = *msi;
        program(&descs[p]);
        *pirq = (int)p;
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return rc;
}

int pirq_unmap(unsigned pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq_desc *d = find_pirq(dom0, pirq);

    unbind(d);
    if (d) {
        vector_irq[d->vector] = NULL; /* [0] is nobody's anyway */
        d->vector = 0;
        if (d->kind == IRQ_MSI)
            *d = (struct irq_desc){.kind = IRQ_UNUSED};
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return d ? 0 : -EINVAL;
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
    return pirq < nr_pirqs() ? descs[pirq].level : -EINVAL;
}

void irq_restore_messages(uint16_t bdf)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);

    for (unsigned p = gsis; p < nr_pirqs(); p++)
        if (descs[p].kind == IRQ_MSI && descs[p].msi.bdf == bdf)
            program(&descs[p]);
    spin_unlock_irqrestore(&irq_lock, flags);
}
