/* SPDX-License-Identifier: MIT */
/*
 * hostile_preempt: THREATS 28 and 29, lists of operations that are interrupted, and lists of calls
 * with a call in them that does not come back.
 *
 * How this guest would break the hypervisor: an interrupted call goes on later, from what the
 * hypervisor kept of it. If an operation is done twice or left out then, counts are wrong for ever
 * (XSA-296, XSA-318). So dom0 interrupts a child over and over, while the child checks each result
 * and the state that its lists leave: it must be the one of an undisturbed run (29). And an iret in
 * a multicall changes the registers under the list, to ones that no processor can have (28:
 * XSA-213).
 */
#include <rt/attack.h>
#include <rt/test.h>

#define ROUNDS 24
#define PIECES 40 /* frames and copies in one call */

static domid_t me;

static void say_who(struct child *c)
{
    domid_t *view = child_view(c, &me);

    *view = c->id;
    child_unview(view);
}

/* --- 29: one list for each handler that looks whether it is to stop -----------------------------
 */

enum { TABLE, DATA, SOURCE = DATA + 4, TARGET, PAGES };

static pte_t data_entry(unsigned int i)
{
    return pte_make(mfn_of(child_page(DATA + i % 4)), i & 4 ? PTE_RW_FLAGS : PTE_RO_FLAGS);
}

static bool is_data_entry(pte_t e, unsigned int i)
{
    return ((e ^ data_entry(i)) & (PTE_MFN_MASK | PTE_P | PTE_RW)) == 0;
}

/* All of a list, and lists that stop at a bad request: the ones before are done, the others not. */
static void updates(void)
{
    static mmu_update_t req[512];
    pte_t *table = child_page(TABLE);

    CHECK_RC(table_make(table, 1), 0);
    for (unsigned int round = 0; round < ROUNDS; round++) {
        unsigned int bad = round & 1 ? round * 37 % 512 : 512, done = 77, wrong = 0;

        for (unsigned int i = 0; i < 512; i++)
            req[i] = (mmu_update_t){maddr_of(&table[i]), data_entry(i + round)};
        if (bad < 512)
            req[bad].val = pte_make(mfn_of(table), PTE_RW_FLAGS);
        CHECK_RC(hv_mmu_update(req, 512, &done, DOMID_SELF), bad < 512 ? -XEN_EBUSY : 0);
        CHECK_EQ(done, bad);
        for (unsigned int i = 0; i < 512; i++)
            wrong += !is_data_entry(table[i], i < bad ? i + round : i + round - 1);
        CHECK_EQ(wrong, 0);
        if (bad < 512) { /* the rest, for the next round to start from */
            req[bad].val = data_entry(bad + round);
            CHECK_RC(hv_mmu_update(&req[bad], 512 - bad, &done, DOMID_SELF), 0);
            CHECK_EQ(done, 512 - bad);
        }
    }
    CHECK_RC(table_release(table), 0);
    for (unsigned int i = 0; i < 4; i++) {
        CHECK_RC(table_make(memset(child_page(DATA + i), 0, PAGE_SIZE), 1), 0);
        CHECK_RC(table_release(child_page(DATA + i)), 0);
    }
}

static void calls_in_a_list(void)
{
    static multicall_entry_t list[256];
    pte_t *table = child_page(TABLE);

    CHECK_RC(table_make(table, 1), 0);
    for (unsigned int round = 0; round < ROUNDS; round++) {
        static mmu_update_t req[256];
        unsigned int wrong = 0;

        for (unsigned int i = 0; i < 256; i++) {
            req[i] = (mmu_update_t){maddr_of(&table[i]), data_entry(i + round)};
            list[i] = (multicall_entry_t){.op = __HYPERVISOR_mmu_update,
                                          .args = {(uint64_t)&req[i], 1, 0, DOMID_SELF}};
            if (i % 7 == 3)
                list[i].args[3] = 4321; /* there is no such domain */
        }
        CHECK_RC(hv_multicall(list, 256), 0);
        for (unsigned int i = 0; i < 256; i++) {
            bool done = i % 7 != 3;

            wrong += (long)list[i].result != (done ? 0 : -XEN_ESRCH);
            wrong += done ? !is_data_entry(table[i], i + round) : table[i] != 0;
        }
        CHECK_EQ(wrong, 0);
    }
    CHECK_RC(table_release(table), 0);
}

/* Pins, unpins and flushes; the list stops at the second pin of one table. */
static void extended_operations(void)
{
    static mmuext_op_t ops[64];
    mfn_t table[4];
    unsigned int done;

    for (unsigned int i = 0; i < 4; i++) {
        table[i] = mfn_of(child_page(DATA + i));
        CHECK_RC(page_set_readonly(memset(child_page(DATA + i), 0, PAGE_SIZE)), 0);
    }
    for (unsigned int round = 0; round < ROUNDS; round++) {
        mfn_t last = table[(1 + round) % 4]; /* the one that is an L2 in this round */
        unsigned int n = 0;

        for (unsigned int i = 0; i < 48; i++) {
            unsigned int cmd = i % 3 == 0   ? MMUEXT_PIN_L1_TABLE + i / 3 % 4
                               : i % 3 == 1 ? MMUEXT_TLB_FLUSH_ALL
                                            : MMUEXT_UNPIN_TABLE;

            ops[n++] = (mmuext_op_t){.cmd = cmd, .arg1.mfn = table[(i / 3 + round) % 4]};
        }
        ops[n++] = (mmuext_op_t){.cmd = MMUEXT_PIN_L2_TABLE, .arg1.mfn = last};
        ops[n++] = (mmuext_op_t){.cmd = MMUEXT_PIN_L3_TABLE, .arg1.mfn = last};
        CHECK_RC(hv_mmuext_op(ops, n, &done, DOMID_SELF), -XEN_EINVAL);
        CHECK_EQ(done, 49);
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, last), 0);
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, last), -XEN_EINVAL);
        /* An L4 has the hypervisor's entries, which Xen 4.17 leaves there. */
        for (unsigned int i = 0; i < 4; i++) {
            CHECK_RC(page_set_writable(child_page(DATA + i)), 0);
            CHECK_RC(page_set_readonly(memset(child_page(DATA + i), 0, PAGE_SIZE)), 0);
        }
    }
    for (unsigned int i = 0; i < 4; i++)
        CHECK_RC(page_set_writable(child_page(DATA + i)), 0);
}

static long current_pages(void)
{
    struct xen_memory_domain d = {.domid = DOMID_SELF};

    return hv_memory_op(XENMEM_current_reservation, &d);
}

/* Frames come and go: as many as were said, each once. */
static void reservations(void)
{
    static xen_pfn_t frames[PIECES];
    long before = current_pages();

    for (unsigned int round = 0; round < ROUNDS; round++) {
        struct xen_memory_reservation r = {.nr_extents = PIECES, .domid = DOMID_SELF};
        unsigned int twice = 0;

        set_xen_guest_handle(r.extent_start, frames);
        for (unsigned int i = 0; i < PIECES; i++)
            frames[i] = 0x400 + i; /* their number in the guest */
        CHECK_RC(
            hv_memory_op(round & 1 ? XENMEM_populate_physmap : XENMEM_increase_reservation, &r),
            PIECES);
        CHECK_EQ(current_pages(), before + PIECES);
        for (unsigned int i = 0; i < PIECES; i++) {
            for (unsigned int k = 0; k < i; k++)
                twice += frames[i] == frames[k];
            if (round & 1)
                twice += mfn_to_pfn(frames[i]) != 0x400 + i;
        }
        CHECK_EQ(twice, 0);
        if (round % 3 == 0) { /* the list breaks off, and is gone on with */
            xen_pfn_t own = frames[20];

            frames[20] = 0; /* not its own */
            CHECK_RC(hv_memory_op(XENMEM_decrease_reservation, &r), 20);
            CHECK_EQ(current_pages(), before + PIECES - 20);
            frames[20] = own;
            CHECK_RC(hv_memory_op(XENMEM_decrease_reservation | 20 << 6, &r), PIECES);
        } else {
            CHECK_RC(hv_memory_op(XENMEM_decrease_reservation, &r), PIECES);
        }
        CHECK_EQ(current_pages(), before);
    }
}

static void exchanges(void)
{
    static xen_pfn_t frames[PIECES], out[PIECES];
    struct xen_memory_reservation r = {.nr_extents = PIECES, .domid = DOMID_SELF};
    long before = current_pages();

    set_xen_guest_handle(r.extent_start, frames);
    CHECK_RC(hv_memory_op(XENMEM_increase_reservation, &r), PIECES);
    for (unsigned int round = 0; round < ROUNDS; round++) {
        struct xen_memory_exchange x = {.in = {.nr_extents = PIECES, .domid = DOMID_SELF},
                                        .out = {.nr_extents = PIECES, .domid = DOMID_SELF}};
        unsigned int wrong = 0;

        for (unsigned int i = 0; i < PIECES; i++)
            out[i] = 0x400 + i;
        set_xen_guest_handle(x.in.extent_start, frames);
        set_xen_guest_handle(x.out.extent_start, out);
        CHECK_RC(hv_memory_op(XENMEM_exchange, &x), 0);
        CHECK_EQ(x.nr_exchanged, PIECES);
        CHECK_EQ(current_pages(), before + PIECES);
        for (unsigned int i = 0; i < PIECES; i++)
            wrong += mfn_to_pfn(out[i]) != 0x400 + i;
        CHECK_EQ(wrong, 0);
        memcpy(frames, out, sizeof(out));
    }
    CHECK_RC(hv_memory_op(XENMEM_decrease_reservation, &r), PIECES);
    CHECK_EQ(current_pages(), before);
}

static void grants(void)
{
    static struct gnttab_copy copy[PIECES];
    static struct gnttab_map_grant_ref map[4];
    static struct gnttab_unmap_grant_ref unmap[4];
    uint64_t *source = child_page(SOURCE), *target = child_page(TARGET);

    CHECK_RC(gnttab_init(), 0);
    grant_set(8, me, mfn_of(source), GTF_permit_access);
    for (unsigned int i = 0; i < 4; i++)
        CHECK_RC(hv_update_va_mapping(child_page(DATA + i), 0, UVMF_INVLPG), 0);
    for (unsigned int round = 0; round < ROUNDS; round++) {
        unsigned int wrong = 0;

        for (unsigned int i = 0; i < PIECES; i++) {
            source[i] = round * 1000 + i;
            copy[i] = (struct gnttab_copy){
                .source = {.u.ref = 8, .domid = me, .offset = i * 8},
                .dest = {.u.gmfn = mfn_of(target), .domid = DOMID_SELF, .offset = 4088 - i * 8},
                .len = 8,
                .flags = GNTCOPY_source_gref};
            if (i % 5 == 2)
                copy[i].source.u.ref = 9; /* not granted */
        }
        CHECK_RC(hv_grant_op(GNTTABOP_copy, copy, PIECES), 0);
        for (unsigned int i = 0; i < PIECES; i++) {
            wrong += (copy[i].status < 0) != (i % 5 == 2);
            wrong += i % 5 != 2 && target[511 - i] != round * 1000 + i;
        }
        CHECK_EQ(wrong, 0);
        for (unsigned int i = 0; i < 4; i++)
            map[i] = (struct gnttab_map_grant_ref){.host_addr = (uint64_t)child_page(DATA + i),
                                                   .flags = GNTMAP_host_map |
                                                            (i & 1 ? GNTMAP_readonly : 0),
                                                   .ref = 8,
                                                   .dom = me};
        CHECK_RC(hv_grant_op(GNTTABOP_map_grant_ref, map, 4), 0);
        for (unsigned int i = 0; i < 4; i++) {
            CHECK_EQ(map[i].status, GNTST_okay);
            CHECK_EQ(*(volatile uint64_t *)child_page(DATA + i), round * 1000);
            unmap[i] = (struct gnttab_unmap_grant_ref){.host_addr = map[i].host_addr,
                                                       .handle = map[i].handle};
        }
        CHECK_RC(hv_grant_op(GNTTABOP_unmap_grant_ref, unmap, 4), 0);
        for (unsigned int i = 0; i < 4; i++)
            CHECK_EQ(unmap[i].status, GNTST_okay);
        CHECK_EQ(grant_table[8].flags, GTF_permit_access);
    }
}

static void test_interrupted(void)
{
    static const struct attack attacks[] = {
        {"mmu_update", updates, .meanwhile = attack_interrupt},
        {"multicall", calls_in_a_list, .meanwhile = attack_interrupt},
        {"mmuext_op", extended_operations, .meanwhile = attack_interrupt},
        {"reservations", reservations, .meanwhile = attack_interrupt},
        {"exchange", exchanges, .meanwhile = attack_interrupt},
        {"grants", grants, .prepare = say_who, .meanwhile = attack_interrupt},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

/* --- 28: a list in which a call does not come back ----------------------------------------------
 */

#define KERNEL_CS   (FLAT_KERNEL_CS64 & ~3) /* RPL 3 would be user mode */
#define FRAME_WORDS 9 /* of an iret frame: rax r11 rcx flags rip cs rflags rsp ss */

uint64_t frame_of_list[FRAME_WORDS];
multicall_entry_t list_of_calls[4];

/* Makes the list's calls with the stack at the frame. */
ASM_FUNCTION(make_list_on_frame, "lea frame_of_list(%rip), %rsp; lea list_of_calls(%rip), %rdi\n"
                                 "mov $4, %esi; mov $13, %eax; syscall; ud2");
ASM_FUNCTION(came_back, "ud2");

static void fill_list(unsigned int iret_at)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(list_of_calls); i++)
        list_of_calls[i] = (multicall_entry_t){
            .op = i == iret_at ? __HYPERVISOR_iret : __HYPERVISOR_xen_version, .result = 0x55};
}

/* Frames that no processor can load: the guest gets the fault, and the rest of the list is not
 * done.
 */
static void iret_in_a_list(void)
{
    static const struct {
        uint64_t rip, cs, rflags, ss, flags;
    } wild[] = {
        {(uint64_t)came_back, KERNEL_CS, 0x202, FLAT_KERNEL_SS64, 0},
        {(uint64_t)came_back, KERNEL_CS, ~0ull, FLAT_KERNEL_SS64, 0},
        {0x0000800000000000, KERNEL_CS, 0x202, FLAT_KERNEL_SS64, 0},
        {0xffff830000000000, KERNEL_CS, 0x202, FLAT_KERNEL_SS64, VGCF_in_syscall},
        {(uint64_t)came_back, 0xe008, 0x202, FLAT_KERNEL_SS64, 0}, /* the hypervisor's */
        {(uint64_t)came_back, 0xfff8, 0x202, FLAT_KERNEL_SS64, 0},
        {(uint64_t)came_back, KERNEL_CS, 0x202, 0xe010, 0},
    };

    for (unsigned int w = 0; w < ARRAY_SIZE(wild); w++)
        for (unsigned int at = 0; at < ARRAY_SIZE(list_of_calls); at++) {
            const uint64_t words[FRAME_WORDS] = {0,
                                                 0,
                                                 0,
                                                 wild[w].flags,
                                                 wild[w].rip,
                                                 wild[w].cs,
                                                 wild[w].rflags,
                                                 (uint64_t)__builtin_frame_address(0) - 4096,
                                                 wild[w].ss};

            memcpy(frame_of_list, words, sizeof(words));
            fill_list(at);
            CHECK(CATCH(make_list_on_frame()) != NULL);
            for (unsigned int i = 0; i < ARRAY_SIZE(list_of_calls); i++)
                CHECK_EQ(list_of_calls[i].result, i < at ? 0x40011 : i == at ? 0 : 0x55);
            CHECK_RC(hv_multicall(list_of_calls, 0), 0); /* it is in no list any more */
            CHECK_EQ(hv_xen_version(XENVER_version, NULL), 0x40011);
        }
}

/* The frame is nowhere: that domain is crashed, in the middle of its list. */
ASM_FUNCTION(make_list_on_nothing, "mov $0x100000, %rsp; lea list_of_calls(%rip), %rdi\n"
                                   "mov $4, %esi; mov $13, %eax; syscall; ud2");
static void iret_from_nowhere(void)
{
    fill_list(1);
    make_list_on_nothing();
}

/* Lists in lists, as deep as it likes: the list itself is in it, and a list of that. */
static void lists_in_lists(void)
{
    static multicall_entry_t outer[64];

    for (unsigned int i = 0; i < ARRAY_SIZE(outer); i++)
        outer[i] = (multicall_entry_t){.op = __HYPERVISOR_multicall, .args = {(uint64_t)outer, 64}};
    CHECK_RC(hv_multicall(outer, 64), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(outer); i++)
        CHECK_RC(outer[i].result, -XEN_EINVAL);
}

static void test_lists(void)
{
    static const struct attack attacks[] = {
        {"iret in a multicall", iret_in_a_list},
        {"iret in a multicall from nowhere", iret_from_nowhere, SHUTDOWN_crash},
        {"multicalls in a multicall", lists_in_lists},
    };

    attack_all(attacks, ARRAY_SIZE(attacks), 1);
}

GUEST("hostile_preempt", TEST(interrupted), TEST(lists));
