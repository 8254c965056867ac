/* SPDX-License-Identifier: MIT */
/*
 * dom0 from the boot modules: memory, kernel image, initrd, p2m list, page tables, start_info, the
 * first vCPU's registers.
 *
 * Interface: dom0_build(). The kernel image is parsed with the same care as a guest's, so that a
 * wrong file ends in a sentence. Source of the start-of-day state: <xen/xen.h>, struct start_info.
 * Boot CPU only; no lock.
 */
#include "dom0.h"
#include <asm/pv.h>
#include <hv/boot_info.h>
#include <hv/errno.h>
#include <hv/frame.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/vcpu.h>

static void read_module(const struct elf_source *s, uint64_t off, void *dst, size_t n)
{
    uint64_t maddr = s->where + off;

    for (size_t part; n; n -= part, maddr += part, dst = (char *)dst + part) {
        size_t left = PAGE_SIZE - (maddr & (PAGE_SIZE - 1));
        char *src = (char *)map_frame(maddr_to_mfn(maddr)) + (maddr & (PAGE_SIZE - 1));

        part = MIN(n, left);
        memcpy(dst, src, part);
        unmap_frame(src);
    }
}

static int decode_kernel(struct elf_kernel *k)
{
    const struct boot_module *mod = &boot_info.module[0];
    struct elf_source src = {.read = read_module, .size = mod->size, .where = mod->start};
    const char *why;
    int rc;

    if (elf_is_bzimage(&src)) {
        pr_err("dom0's kernel (first module) is a compressed bzImage; unpack it first with:\n"
               "  mullion unpack-kernel vmlinuz vmlinux\n");
        return -ENOEXEC;
    }
    rc = elf_decode(&src, k, &why);
    if (rc)
        pr_err("dom0's kernel (first module) cannot be started: %s\n", why);
    return rc;
}

static void load_kernel(const struct dom0_memory *m, const struct elf_kernel *k)
{
    for (unsigned i = 0; i < k->nr_segments; i++) {
        const struct elf_segment *s = &k->segment[i];
        uint64_t paddr = s->paddr - k->paddr_offset;

        dom0_copy_module(m, paddr, boot_info.module[0].start + s->offset, s->filesz);
        dom0_clear(m, paddr + s->filesz, s->memsz - s->filesz);
    }
    if (k->hypercall_page != ELF_UNSET && !(k->hypercall_page & (PAGE_SIZE - 1))) {
        uint64_t pfn = (k->hypercall_page - k->virt_base) >> PAGE_SHIFT;

        if (pfn >= k->pstart >> PAGE_SHIFT && pfn < k->pend >> PAGE_SHIFT) {
            void *page = map_frame(dom0_pfn_to_mfn(m, pfn));

            pv_hypercall_page_fill(page);
            unmap_frame(page);
        }
    }
}

/* The p2m list in dom0's memory, and the M2P. */
static void write_p2m(const struct dom0_memory *m, const struct dom0_layout *l)
{
    uint64_t base = l->p2m_pfn << PAGE_SHIFT;
    uint64_t chunk[64];

    dom0_clear(m, base + ((l->nr_p2m_list_frames - 1) << PAGE_SHIFT), PAGE_SIZE);
    for (uint64_t pfn = 0; pfn < m->nr_pages; pfn += ARRAY_SIZE(chunk)) {
        unsigned n = MIN(ARRAY_SIZE(chunk), m->nr_pages - pfn);

        for (unsigned i = 0; i < n; i++) {
            mfn_t f = dom0_pfn_to_mfn(m, pfn + i);

            chunk[i] = f.m;
            m2p_set(f, pfn + i);
        }
        dom0_write(m, base + pfn * sizeof(uint64_t), chunk, n * sizeof(uint64_t));
    }
}

static void dom0_cmdline(char *out, size_t size)
{
    const char *extra = dom0_extra_cmdline();

    snprintf(out, size, "%s%s%s", boot_info.module[0].cmdline, extra ? " " : "",
             extra ? extra : "");
}

static void write_start_info(const struct dom0_memory *m, const struct dom0_layout *l)
{
    uint64_t paddr = l->start_info_pfn << PAGE_SHIFT;
    struct dom0_vga_console_info vga = {.video_type = XEN_VGATYPE_TEXT_MODE_3};
    struct start_info si = {
        .magic = "xen-3.0-x86_64",
        .nr_pages = m->nr_pages,
        .shared_info = mfn_to_maddr(virt_to_mfn(m->d->shared_info)),
        .flags = SIF_PRIVILEGED | SIF_INITDOMAIN,
        .pt_base = l->v_start + (l->pt_pfn << PAGE_SHIFT),
        .nr_pt_frames = l->nr_pt_frames,
        .mfn_list = l->p2m_va,
    };

    if (l->initrd_bytes) {
        si.mod_len = l->initrd_bytes;
        si.mod_start =
            l->initrd_mapped ? l->v_start + (l->initrd_pfn << PAGE_SHIFT) : l->initrd_pfn;
        si.flags |= l->initrd_mapped ? 0 : SIF_MOD_START_PFN;
    }
    if (l->p2m_separate) {
        si.first_p2m_pfn = l->p2m_pfn;
        si.nr_p2m_frames = l->nr_p2m_frames;
    }
    si.console.dom0.info_off = sizeof(si);
    si.console.dom0.info_size = offsetof(struct dom0_vga_console_info, u);
    dom0_cmdline((char *)si.cmd_line, sizeof(si.cmd_line));
    dom0_clear(m, paddr, PAGE_SIZE);
    dom0_write(m, paddr, &si, sizeof(si));
    dom0_write(m, paddr + sizeof(si), &vga, si.console.dom0.info_size);
}

static int start_vcpu(const struct dom0_memory *m, const struct dom0_layout *l,
                      const struct elf_kernel *k)
{
    struct vcpu_guest_context *c = hv_alloc(sizeof(*c));
    mfn_t l4 = dom0_pfn_to_mfn(m, l->pt_pfn);
    int rc;

    if (!c)
        return -ENOMEM;
    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = k->entry;
    c->user_regs.rsp = l->v_start + ((l->stack_pfn + 1) << PAGE_SHIFT);
    c->user_regs.rsi = l->v_start + (l->start_info_pfn << PAGE_SHIFT);
    c->user_regs.rflags = 0x200; /* IF: a PV guest's interrupts are masked by evtchn_upcall_mask */
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->user_regs.ds = c->user_regs.es = c->user_regs.fs = c->user_regs.gs = FLAT_KERNEL_DS;
    c->kernel_ss = c->user_regs.ss;
    c->kernel_sp = c->user_regs.rsp;
    c->ctrlreg[3] = mfn_to_maddr(l4);
    rc = arch_vcpu_set_context(m->d->vcpu[0], c);
    hv_free(c);
    if (rc)
        pr_err("dom0: its first page tables were refused: error %d\n", -rc);
    return rc;
}

static int build(struct dom0_memory *m, const struct elf_kernel *k)
{
    const struct boot_module *initrd = boot_info.nr_modules > 1 ? &boot_info.module[1] : NULL;
    struct dom0_layout l;
    const char *why;
    int rc = dom0_layout(&l, k, m->nr_pages, initrd ? initrd->size : 0, &why);

    if (rc) {
        pr_err("dom0's kernel cannot be placed: %s\n", why);
        return rc;
    }
    pr_info("dom0: %s %s, %lu MiB, entry %#lx, %lu page tables, p2m at %#lx\n",
            k->guest_os[0] ? k->guest_os : "kernel", k->guest_version, m->nr_pages >> 8, k->entry,
            l.nr_pt_frames, l.p2m_va);
    load_kernel(m, k);
    if (initrd)
        dom0_copy_module(m, l.initrd_pfn << PAGE_SHIFT, initrd->start, initrd->size);
    dom0_page_tables(m, &l);
    write_p2m(m, &l);
    write_start_info(m, &l);
    dom0_clear(m, l.stack_pfn << PAGE_SHIFT, PAGE_SIZE);
    return start_vcpu(m, &l, k);
}

int dom0_build(struct domain *d)
{
    struct dom0_memory m;
    struct elf_kernel k;
    int rc = decode_kernel(&k);

    if (rc)
        return rc;
    rc = dom0_memory_alloc(&m, d);
    if (rc)
        pr_err("dom0: no memory; dom0_mem=%lu MiB, free %lu MiB\n", m.nr_pages >> 8,
               frames_free() >> 8);
    else
        rc = build(&m, &k);
    dom0_memory_done(&m);
    return rc;
}
