/* SPDX-License-Identifier: MIT */
/*
 * Port I/O of guests. A guest may try a port if its virtual IOPL or its I/O bitmap says so; what
 * then happens depends on the domain: dom0 reaches the machine's ports but the hypervisor's own
 * (its UART, the PICs, the PIT's channels), PCI configuration through 0xcf8/0xcfc under the lock
 * that the hypervisor's own accesses take; others read ones and write nothing. String forms do one
 * element at a time through the guest's own address space. No lock here.
 */
#include "pv_core.h"
#include <asm/insn.h>
#include <asm/io.h>
#include <asm/pci.h>
#include <hv/console.h>

/* The address that dom0 last wrote to 0xcf8. One domain drives configuration space, under its own
 * kernel's lock. */
static uint32_t dom0_cf8;

/* Ports that stay the hypervisor's. */
static const struct {
    uint16_t first, last;
} reserved_ports[] = {
    {0x20, 0x21},
    {0xa0, 0xa1}, /* interrupt controllers */
    {0x40, 0x43}, /* interval timer */
    {PCI_ADDRESS_PORT, PCI_DATA_PORT + 3},
};

bool dom0_io_permitted(struct domain *d, uint16_t port, unsigned bytes)
{
    unsigned last = port + bytes - 1;

    if (!d->is_dom0 || last > 0xffff)
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(reserved_ports); i++)
        if (port <= reserved_ports[i].last && last >= reserved_ports[i].first)
            return false;
    return !uart_port() || port > uart_port() + 7 || last < uart_port();
}

/* May the guest's current mode try these ports (otherwise #GP)? */
static bool guest_may(struct vcpu *v, uint16_t port, unsigned bytes)
{
    unsigned cpl = !guest_kernel_mode(v)                                    ? 3
                   : vm_assisted(v->domain, VMASST_TYPE_architectural_iopl) ? 0
                                                                            : 1;
    uint8_t map[2];

    if (v->arch.iopl >= cpl)
        return true;
    if (!v->arch.iobmp || port + bytes > v->arch.iobmp_limit)
        return false;
    if (copy_from_guest(map, v->arch.iobmp + port / 8, sizeof(map)))
        return false;
    return !(((map[0] | map[1] << 8) >> (port & 7)) & ((1u << bytes) - 1));
}

/* dom0's access to the register that it selected; with none selected it is one to nothing. */
static bool is_pci_data(const struct domain *d, uint16_t port, unsigned bytes)
{
    return d->is_dom0 && (dom0_cf8 & PCI_ADDRESS_ENABLE) && port >= PCI_DATA_PORT &&
           port + bytes <= PCI_DATA_PORT + 4;
}

static uint32_t port_in(struct domain *d, uint16_t port, unsigned bytes)
{
    if (d->is_dom0 && port == PCI_ADDRESS_PORT && bytes == 4)
        return dom0_cf8;
    if (is_pci_data(d, port, bytes))
        return pci_read(dom0_cf8 >> 8, (dom0_cf8 & 0xfc) | (port & 3), bytes);
    return dom0_io_permitted(d, port, bytes) ? port_read(port, bytes) : ~0u;
}

static void port_out(struct domain *d, uint16_t port, unsigned bytes, uint32_t value)
{
    if (d->is_dom0 && port == PCI_ADDRESS_PORT && bytes == 4)
        dom0_cf8 = value;
    else if (is_pci_data(d, port, bytes))
        pci_write(dom0_cf8 >> 8, (dom0_cf8 & 0xfc) | (port & 3), bytes, value);
    else if (dom0_io_permitted(d, port, bytes))
        port_write(port, bytes, value);
}

static void advance(uint64_t *reg, int64_t by, bool addr32)
{
    *reg = addr32 ? (uint32_t)(*reg + by) : *reg + by;
}

/* One element of INS or OUTS; a page fault on its memory is the guest's. */
static void string_io(struct cpu_user_regs *regs, const struct insn *i, uint16_t port, bool *again)
{
    struct vcpu *v = current;
    bool in = i->op == PRIV_INS, addr32 = i->prefixes & INSN_ADDR32;
    uint64_t *index = in ? &regs->rdi : &regs->rsi;
    uint64_t addr = addr32 ? (uint32_t)*index : *index;
    int64_t step = regs->rflags & X86_EFLAGS_DF ? -(int64_t)i->bytes : i->bytes;
    uint64_t count = addr32 ? regs->ecx : regs->rcx;
    uint32_t value = 0;

    if ((i->prefixes & INSN_REP) && count == 0)
        return;
    if (!in && (i->prefixes & (INSN_FS | INSN_GS)))
        addr += seg_base_read(i->prefixes & INSN_FS ? SEGB_FS : SEGB_GS_KERNEL);
    if (in)
        value = port_in(v->domain, port, i->bytes);
    if (in ? copy_to_guest(addr, &value, i->bytes) : copy_from_guest(&value, addr, i->bytes)) {
        pv_inject_page_fault(v, addr, in ? 2 : 0);
        *again = true;
        return;
    }
    if (!in)
        port_out(v->domain, port, i->bytes, value);
    advance(index, step, addr32);
    if (i->prefixes & INSN_REP) {
        advance(&regs->rcx, -1, addr32);
        *again = count > 1; /* rip stays: the next element is the next trap, so that the guest stays
                               interruptible */
    }
}

bool priv_io(struct cpu_user_regs *regs, const struct insn *i, bool *again)
{
    struct vcpu *v = current;
    uint16_t port = i->has_imm ? (uint8_t)i->imm : regs->dx;

    if (port + i->bytes > 0x10000 || !guest_may(v, port, i->bytes))
        return false;
    if (i->op == PRIV_INS || i->op == PRIV_OUTS)
        string_io(regs, i, port, again);
    else if (i->op == PRIV_IN)
        register_set(&regs->rax, port_in(v->domain, port, i->bytes), i->bytes);
    else
        port_out(v->domain, port, i->bytes, regs->eax);
    return true;
}
