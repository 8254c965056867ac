/* SPDX-License-Identifier: MIT */
/*
 * Build dom0 from the boot modules: read the kernel and its notes, decide how much memory it gets,
 * load it, fill in its start_info and P2M list, and give vCPU 0 its first registers. <xen/xen.h>
 * start_info, <xen/elfnote.h>
 *
 * Interface: dom0_build. Boot only, one CPU, before any guest runs. On failure the message says
 * what to change.
 */
#include "dom0.h"
#include <hv/boot_info.h>
#include <hv/cmdline.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <asm/acpi.h>

#define VA_MODULE   0xffff820000000000UL /* slot 260: the kernel module, while it is read */
#define MIN_PAGES   ((16UL << 20) >> PAGE_SHIFT)
#define RESERVE_MAX ((128UL << 20) >> PAGE_SHIFT)
#define NO_VIDEO    0xff /* a video_type that stands for no mode */

/* How many pages dom0 gets: what was asked for, or all but a sixteenth (at most 128 MiB) that the
 * hypervisor may grow into. */
static uint64_t decide_pages(const struct dom0_image *im)
{
    uint64_t there = frames_free() + im->initrd_pages,
             reserve = MIN(frames_total() / 16, RESERVE_MAX);
    uint64_t most = there > reserve ? there - reserve : 0, asked = opt.dom0_mem >> PAGE_SHIFT;

    if (!asked)
        return most;
    if (asked > there - MIN(there, MIN_PAGES)) {
        pr_warn("dom0_mem=%luM is more than there is: dom0 gets %luM\n", opt.dom0_mem >> 20,
                most >> 8);
        return most;
    }
    return asked;
}

/* The frames are zeroed: .bss is there already. */
static void load_segments(const struct dom0_image *im)
{
    for (unsigned i = 0; i < im->elf.nr_segments; i++) {
        const struct elf_segment *s = &im->elf.segment[i];

        dom0_write(im, s->vaddr, im->elf.file + s->offset, s->file_size);
    }
    if (im->elf.hypercall_page != ELF_UNSET)
        pv_make_hypercall_page(im->d, dom0_va_mfn(im, im->elf.hypercall_page));
}

static void write_start_info(const struct dom0_image *im, const char *cmdline)
{
    struct start_info *si = map_frame(dom0_va_mfn(im, im->start_info));
    struct dom0_vga_console_info *vga = (void *)(si + 1);
    int n;

    snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_64");
    si->nr_pages = im->nr_pages;
    si->shared_info = mfn_to_maddr(virt_to_mfn(im->d->shared_info));
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = im->page_tables;
    si->nr_pt_frames = im->nr_page_tables;
    si->mfn_list = im->p2m;
    if (im->list_tables) {
        si->first_p2m_pfn = im->list_pfn;
        si->nr_p2m_frames = im->list_pages + im->list_tables;
    }
    if (im->initrd_bytes) {
        si->mod_start =
            im->initrd_mapped ? im->v_start + (im->initrd_pfn << PAGE_SHIFT) : im->initrd_pfn;
        si->mod_len = im->initrd_bytes;
        si->flags |= im->initrd_mapped ? 0 : SIF_MOD_START_PFN;
    }
    vga->video_type = NO_VIDEO;
    si->console.dom0.info_off = sizeof(*si);
    si->console.dom0.info_size = sizeof(*vga);
    n = snprintf((char *)si->cmd_line, sizeof(si->cmd_line), "%s", cmdline);
    /* Below 1 MiB dom0 finds the ACPI tables by scanning, as on any BIOS machine. */
    if (acpi.rsdp >= 0x100000 && n < (int)sizeof(si->cmd_line))
        snprintf((char *)si->cmd_line + n, sizeof(si->cmd_line) - n, " acpi_rsdp=%#lx", acpi.rsdp);
    unmap_frame(si);
}

static const char *start_vcpu(const struct dom0_image *im)
{
    struct vcpu_guest_context *c = hv_alloc(sizeof(*c));
    struct vcpu *v = im->d->vcpu[0];
    int rc;

    if (!c)
        return "out of hypervisor memory";
    c->flags = VGCF_in_kernel;
    c->user_regs.rip = im->elf.entry;
    c->user_regs.rsp = im->stack + PAGE_SIZE;
    c->user_regs.rsi = im->start_info;
    c->user_regs.rflags = 1u << 9; /* IF */
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = im->stack + PAGE_SIZE;
    c->ctrlreg[3] = xen_pfn_to_cr3(im->l4.m);
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        im->d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
    rc = arch_vcpu_set_context(v, c);
    hv_free(c);
    if (rc)
        return "internal error: its first registers are refused";
    v->initialised = true;
    v->down = false;
    return NULL;
}

static void describe(const struct dom0_image *im)
{
    const struct elf_kernel *k = &im->elf;

    pr_info("dom0: %s kernel, %lu MiB of memory\n", k->guest_os[0] ? k->guest_os : "nameless",
            im->nr_pages >> 8);
    pr_info("dom0:   kernel      %#lx-%#lx, entry %#lx\n", k->virt_start, k->virt_end, k->entry);
    if (im->initrd_bytes)
        pr_info("dom0:   initrd      %lu KiB at pfn %#lx%s\n", im->initrd_bytes >> 10,
                im->initrd_pfn, im->initrd_mapped ? "" : ", not mapped");
    pr_info("dom0:   P2M list    %#lx\n", im->p2m);
    pr_info("dom0:   start_info  %#lx, tables %#lx (%lu), stack %#lx, end %#lx\n", im->start_info,
            im->page_tables, im->nr_page_tables, im->stack, im->v_end);
}

static const char *build(struct dom0_image *im, const struct boot_module *kernel,
                         const struct boot_module *initrd)
{
    const char *err = elf_parse((const void *)VA_MODULE, kernel->size, &im->elf);

    if (err)
        return err;
    if (im->elf.has_features && !im->elf.dom0_feature)
        return "its notes (FEATURES, SUPPORTED_FEATURES) say that it cannot be a dom0";
    if (initrd)
        im->initrd_bytes = initrd->size;
    im->initrd_pages = PAGES(im->initrd_bytes);
    im->nr_pages = decide_pages(im);
    /* As Xen's: without max: dom0 may take what is free. */
    im->d->max_pages =
        opt.dom0_mem_max ? MAX(im->nr_pages, opt.dom0_mem_max >> PAGE_SHIFT) : UINT32_MAX;
    err = dom0_layout(im);
    if (!err)
        err = dom0_populate(im, initrd ? initrd->start : 0);
    if (err)
        return err;
    load_segments(im);
    write_start_info(im, kernel->cmdline);
    err = dom0_make_tables(im);
    return err ? err : start_vcpu(im);
}

/* How to mend a first module that is no ELF file, by what it begins with. */
static const char *advice(const char *file, uint64_t size)
{
    if (size >= 0x206 && !memcmp(file + 0x202, "HdrS", 4))
        return "It is a compressed Linux kernel (bzImage). Unpack it once with:  mullion "
               "unpack-kernel vmlinuz vmlinux   and boot vmlinux.";
    if (size >= 2 && !memcmp(file, "\x1f\x8b", 2))
        return "It is compressed (gzip). Unpack it with gunzip and boot the result.";
    if (size >= 4 && !memcmp(file, "\177ELF", 4))
        return "The lines above say at which step. Too little memory: see dom0_mem= on the command "
               "line.";
    return "Give dom0's kernel (an ELF file) as the first module, its initrd as the second.";
}

const char *dom0_build(struct domain *d, const char **how)
{
    const struct boot_module *kernel = &boot_info.module[0];
    const struct boot_module *initrd = boot_info.nr_modules > 1 ? &boot_info.module[1] : NULL;
    struct dom0_image *im = hv_alloc(sizeof(*im));
    uint64_t pages = PAGES(kernel->size);
    const char *err;

    if (!im || hv_map_range(VA_MODULE, maddr_to_mfn(kernel->start), pages, PTE_P | PTE_NX))
        return "out of hypervisor memory";
    im->d = d;
    err = build(im, kernel, initrd);
    if (err) {
        *how = advice((const char *)VA_MODULE, kernel->size);
        return err;
    }
    describe(im);
    hv_map_range(VA_MODULE, maddr_to_mfn(kernel->start), pages, 0);
    frames_release_range(kernel->start, kernel->start + (pages << PAGE_SHIFT));
    hv_free(im->list);
    hv_free(im);
    return NULL;
}
