/* SPDX-License-Identifier: MIT */
/*
 * hello: the state in which a PV guest starts, and the questions every kernel asks first.
 *
 * How a guest would break the hypervisor here: by a pointer of its choosing. xen_version and
 * console_io copy to and from the guest; a pointer into the hypervisor's own addresses would read
 * or overwrite them. So each copying sub-operation is also given hypervisor, non-canonical and
 * unmapped addresses and must answer EFAULT, and length-like arguments are huge or negative.
 */
#include <rt/test.h>
#include <xen/features.h>

/* Where a copy must never go. The M2P is readable by guests but never writable. */
static void *const bad_pointers[] = {
    (void *)0xffff800000000000, /* machine-to-guest table: guests may read it, not write */
    (void *)0xffff830000000000, /* inside the hypervisor's L4 slots 256…271 */
    (void *)0xffff87fffffffff8, /* their last quadword */
    (void *)0x0000800000000000, /* first non-canonical address */
    (void *)0xffff7ffffffffff8, /* last non-canonical address */
    (void *)0x0000000000001000, /* canonical, not mapped */
};

static void test_start_info(void)
{
    CHECK_EQ(((uint64_t)start_info) & 0xfff, 0);
    CHECK(!strncmp(start_info->magic, "xen-3.", 6));
    CHECK(!strcmp(start_info->magic, "xen-3.0-x86_64"));
    CHECK(start_info->nr_pages > 1024);
    CHECK_EQ(start_info->shared_info & 0xfff, 0);
    CHECK_EQ(!!(start_info->flags & SIF_PRIVILEGED), is_dom0());
    CHECK_EQ(start_info->pt_base & 0xfff, 0);
    CHECK(start_info->nr_pt_frames >= 4);
    CHECK_EQ(start_info->mfn_list & 7, 0);
    CHECK_EQ(mfn_of((void *)start_info->pt_base), current_l4_mfn());
    if (is_dom0()) {
        CHECK_EQ(start_info->store_mfn, 0);
        CHECK_EQ(start_info->console.dom0.info_off, sizeof(start_info_t));
        CHECK(start_info->console.dom0.info_size >= 8);
    }
    /* The image, then (nothing here), the p2m list, start info, page tables, the boot stack. */
    CHECK(start_info->mfn_list > (uint64_t)&shared_info);
    CHECK((uint64_t)start_info >= start_info->mfn_list + start_info->nr_pages * 8);
    CHECK(start_info->pt_base > (uint64_t)start_info);
}

static void test_p2m(void)
{
    unsigned int wrong = 0;

    for (pfn_t pfn = 0; pfn < start_info->nr_pages; pfn++)
        wrong += mfn_to_pfn(pfn_to_mfn(pfn)) != pfn;
    CHECK_EQ(wrong, 0);
    /* The frame that our first entry names is the frame the processor uses. */
    CHECK_EQ(pte_mfn(pte_get(&shared_info)), start_info->shared_info >> 12);
    CHECK_EQ(pte_mfn(pte_get(bad_pointers)), mfn_of(bad_pointers));
    /* The initial page tables are mapped read-only. */
    CHECK_EQ(pte_get((void *)start_info->pt_base) & PTE_RW, 0);
}

static void test_registers(void)
{
    uint16_t cs, ss, ds, es;
    uint64_t flags;

    __asm__("mov %%cs, %0; mov %%ss, %1; mov %%ds, %2; mov %%es, %3"
            : "=r"(cs), "=r"(ss), "=r"(ds), "=r"(es));
    __asm__("pushfq; pop %0" : "=r"(flags));
    CHECK_EQ(cs, FLAT_KERNEL_CS64);
    CHECK_EQ(ss, FLAT_KERNEL_SS64);
    CHECK_EQ(flags & X86_EFLAGS_IOPL, 0);
    CHECK_EQ(flags & X86_EFLAGS_IF, X86_EFLAGS_IF);
    CHECK_EQ(flags & X86_EFLAGS_DF, 0);
}

static void test_version(void)
{
    xen_extraversion_t extra = "";
    xen_capabilities_info_t caps = "";
    xen_changeset_info_t changeset = "";
    static xen_commandline_t cmdline;
    struct xen_compile_info compile;
    struct xen_platform_parameters params;
    long version = hv_xen_version(XENVER_version, NULL);

    CHECK_EQ(version >> 16, 4);
    CHECK_EQ(version & 0xffff, 17);
    CHECK_RC(hv_xen_version(XENVER_extraversion, extra), 0);
    CHECK_EQ(extra[0], '.');
    CHECK_RC(hv_xen_version(XENVER_capabilities, caps), 0);
    CHECK(!strncmp(caps, "xen-3.0-x86_64", 14));
    CHECK_RC(hv_xen_version(XENVER_changeset, changeset), 0);
    CHECK_RC(hv_xen_version(XENVER_compile_info, &compile), 0);
    CHECK_RC(hv_xen_version(XENVER_commandline, cmdline), 0);
    CHECK_EQ(hv_xen_version(XENVER_pagesize, NULL), PAGE_SIZE);
    CHECK_EQ(hv_xen_version(XENVER_guest_handle, NULL), -XEN_EFAULT);
    CHECK_RC(hv_xen_version(XENVER_platform_parameters, &params), 0);
    CHECK_EQ(params.virt_start, HYPERVISOR_VIRT_START);
    CHECK_RC(hv_xen_version(999, NULL), -XEN_ENOSYS);
}

static void test_guest_handle(void)
{
    xen_domain_handle_t handle;

    memset(handle, 0x5a, sizeof(handle));
    CHECK_RC(hv_xen_version(XENVER_guest_handle, handle), 0);
    if (is_dom0()) /* dom0's handle is all zeros until a toolstack sets one */
        for (unsigned int i = 0; i < sizeof(handle); i++)
            CHECK_EQ(handle[i], 0);
}

static void test_features(void)
{
    struct xen_feature_info fi = {.submap_idx = 0};
    static const struct {
        unsigned int bit;
        bool set;
    } want[] = {
        {XENFEAT_writable_page_tables, false},
        {XENFEAT_writable_descriptor_tables, false},
        {XENFEAT_auto_translated_physmap, false},
        {XENFEAT_supervisor_mode_kernel, false},
        {XENFEAT_pae_pgdir_above_4gb, false}, /* set only after vm_assist(pae_extended_cr3) */
        {XENFEAT_mmu_pt_update_preserve_ad, true},
        {XENFEAT_highmem_assist, true},
        {XENFEAT_gnttab_map_avail_bits, true},
        {XENFEAT_hvm_callback_vector, false},
        {XENFEAT_hvm_pirqs, false},
        {XENFEAT_memory_op_vnode_supported, true},
        {XENFEAT_not_direct_mapped, false}, /* Xen 4.17 calls every PV domain direct-mapped */
        {XENFEAT_direct_mapped, true},
    };

    REQUIRE(CHECK_RC(hv_xen_version(XENVER_get_features, &fi), 0));
    for (unsigned int i = 0; i < ARRAY_SIZE(want); i++)
        if (!CHECK_EQ((fi.submap >> want[i].bit) & 1, want[i].set))
            printf("  feature bit %u\n", want[i].bit);
    CHECK_EQ((fi.submap >> XENFEAT_dom0) & 1, is_dom0());
    fi.submap_idx = 1;
    CHECK_RC(hv_xen_version(XENVER_get_features, &fi), -XEN_EINVAL);
    fi.submap_idx = ~0u;
    CHECK_RC(hv_xen_version(XENVER_get_features, &fi), -XEN_EINVAL);
}

static void test_bad_pointers(void)
{
    static const unsigned int copying[] = {XENVER_extraversion, XENVER_compile_info,
                                           XENVER_capabilities, XENVER_platform_parameters,
                                           XENVER_get_features, XENVER_guest_handle};

    for (unsigned int i = 0; i < ARRAY_SIZE(bad_pointers); i++)
        for (unsigned int j = 0; j < ARRAY_SIZE(copying); j++)
            CHECK_RC(hv_xen_version(copying[j], bad_pointers[i]), -XEN_EFAULT);
}

static void test_console_io(void)
{
    char buf[8];

    if (!is_dom0())
        return test_skip("a domU's console is its ring");
    CHECK_RC(hv_console_io(CONSOLEIO_write, 0, "x"), 0);
    CHECK_RC(hv_console_io(CONSOLEIO_write, 4, bad_pointers[1]), -XEN_EFAULT);
    CHECK_RC(hv_console_io(CONSOLEIO_write, 4, bad_pointers[3]), -XEN_EFAULT);
    CHECK_RC(hv_console_io(CONSOLEIO_read, sizeof(buf), buf), 0);
    CHECK_RC(hv_console_io(77, 0, NULL), -XEN_ENOSYS);
}

static void test_unknown_hypercalls(void)
{
    static const unsigned int numbers[] = {
        11, /* never assigned */
        __HYPERVISOR_tmem_op,
        43,
        47,
        __HYPERVISOR_arch_7,
        56,
        63,
        64,
        65,
        1000,
        0x80000000,
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
        CHECK_RC(hypercall1(numbers[i], 0), -XEN_ENOSYS);
}

/* Registers other than rax, rcx and r11 keep their values over a hypercall. */
static void test_registers_kept(void)
{
    uint64_t bad = 0, rax;

    __asm__ volatile("mov $0x1111, %%rbx; mov $0x3333, %%r12; mov $0x4444, %%r13\n"
                     "mov $0x5555, %%r14; mov $0x6666, %%r15; mov $0x7777, %%r9\n"
                     "xor %%edi, %%edi; xor %%esi, %%esi; mov %[nr], %%eax\n"
                     "syscall\n"
                     "cmp $0x1111, %%rbx; setne %%cl; movzx %%cl, %%ecx; mov %%rcx, %[bad]\n"
                     "cmp $0x3333, %%r12; setne %%cl; movzx %%cl, %%ecx; or %%rcx, %[bad]\n"
                     "cmp $0x4444, %%r13; setne %%cl; movzx %%cl, %%ecx; or %%rcx, %[bad]\n"
                     "cmp $0x5555, %%r14; setne %%cl; movzx %%cl, %%ecx; or %%rcx, %[bad]\n"
                     "cmp $0x6666, %%r15; setne %%cl; movzx %%cl, %%ecx; or %%rcx, %[bad]\n"
                     "cmp $0x7777, %%r9; setne %%cl; movzx %%cl, %%ecx; or %%rcx, %[bad]\n"
                     : "=&a"(rax), [bad] "=m"(bad)
                     : [nr] "i"(__HYPERVISOR_xen_version)
                     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "memory");
    CHECK_EQ(bad, 0);
    CHECK_EQ(rax, 0x40011);
}

static void test_vm_assist(void)
{
    CHECK_RC(hv_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    CHECK_RC(hv_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
    CHECK_RC(hv_vm_assist(VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3), 0);
    CHECK_RC(hv_vm_assist(VMASST_CMD_disable, VMASST_TYPE_pae_extended_cr3), 0);
    CHECK_RC(hv_vm_assist(VMASST_CMD_enable, 31), -XEN_EINVAL);
    CHECK_RC(hv_vm_assist(VMASST_CMD_enable, 64), -XEN_EINVAL);
    CHECK_RC(hv_vm_assist(VMASST_CMD_enable, 0xffffffff), -XEN_EINVAL);
    CHECK_RC(hv_vm_assist(2, VMASST_TYPE_writable_pagetables), -XEN_ENOSYS);
}

GUEST("hello", TEST(start_info), TEST(p2m), TEST(registers), TEST(version), TEST(guest_handle),
      TEST(features), TEST(bad_pointers), TEST(console_io), TEST(unknown_hypercalls),
      TEST(registers_kept), TEST(vm_assist));
