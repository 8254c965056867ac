/* SPDX-License-Identifier: MIT */
/*
 * The whole builder against the fake hypervisor: the domain that comes out is looked at as its
 * kernel would look at it, through its own page tables; and each call fails in turn, after which
 * nothing may be left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "builder.h"
#include "cpu_share.h"
#include "fake_hyper.h"
#include "sample_kernel.h"
#include "tests.h"

#define INITRD_SIZE 9000

static struct domain_config config;
static uint8_t initrd[INITRD_SIZE];
static struct image kernel;

static void prepare(void)
{
    config = (struct domain_config){.memory = 64 << 20, .vcpus = 2, .vcpus_max = 3};
    config.cpu = (struct cpu_config){512, 150, {10000, 2500}, {"0-1,9", "9"}};
    strcpy(config.uuid, "1b4e28ba-2fa1-41d2-883f-0016d3cca427");
    strcpy(config.kernel.cmdline, "console=hvc0 quiet");
    for (size_t i = 0; i < INITRD_SIZE; i++)
        initrd[i] = i * 31 >> 3;
    make_kernel(&kernel);
}

static int build(struct built_domain *built, struct failure *f)
{
    struct hyper h = {0};
    struct build_request request = {&config, file_of(kernel.data, kernel.size),
                                    file_of(initrd, INITRD_SIZE), 0};
    int result = domain_build(&h, &request, built, f);

    close(request.kernel_fd);
    close(request.initrd_fd);
    return result;
}

/* What the guest sees at `virt`: NULL when nothing is mapped there. */
static uint8_t *guest_at(uint64_t virt)
{
    uint64_t mfn = fake.pinned;

    for (int level = 3; level >= 0; level--) {
        uint64_t entry = ((uint64_t *)fake.frames[mfn])[virt >> (12 + 9 * level) & 511];

        if (!(entry & 1))
            return NULL;
        mfn = entry >> 12;
    }
    return fake.frames[mfn] + (virt & 4095);
}

static bool guest_holds(uint64_t virt, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!guest_at(virt + i) || *guest_at(virt + i) != data[i])
            return false;
    return true;
}

static void check_grant(unsigned reference, uint64_t mfn)
{
    const grant_entry_v1_t *entry = (grant_entry_v1_t *)fake.grants + reference;

    CU_ASSERT_EQUAL(entry->flags, GTF_permit_access);
    CU_ASSERT_EQUAL(entry->domid, 0);
    CU_ASSERT_EQUAL(entry->frame, mfn);
}

static void the_domain_is_as_its_kernel_expects(void)
{
    struct built_domain built;
    struct failure f = {0};
    const start_info_t *info;
    const uint64_t *list;
    const shared_info_t *shared;
    uint64_t wrong = 0;

    prepare();
    fake_reset(0, 0);
    memset(fake.frames[fake.shared_info], 0xaa, 4096);
    fake.superpages = 10; /* the rest comes as pages */
    CU_ASSERT_EQUAL_FATAL(build(&built, &f), 0);
    CU_ASSERT_EQUAL(built.domid, FAKE_DOMID);
    CU_ASSERT_EQUAL(fake.mappings, 0);
    CU_ASSERT_EQUAL(fake.destroyed, 0);
    CU_ASSERT_FALSE(fake.unpaused);
    CU_ASSERT_EQUAL(fake.used, 16384);
    CU_ASSERT_EQUAL(fake.max_kib, (64 << 10) + 1024);
    CU_ASSERT_EQUAL(memcmp(fake.handle, "\x1b\x4e\x28\xba\x2f\xa1", 6), 0);

    CU_ASSERT_EQUAL(fake.context.user_regs.rip, SAMPLE_ENTRY);
    CU_ASSERT_EQUAL(fake.context.ctrlreg[3] >> 12, fake.pinned);
    CU_ASSERT_PTR_NOT_NULL(guest_at(fake.context.user_regs.rsp - 8));
    CU_ASSERT_TRUE(guest_holds(SAMPLE_BASE + 0x1000000, kernel.data, kernel.size));
    CU_ASSERT_EQUAL(*guest_at(SAMPLE_BASE + 0x1000000 + kernel.size), 0);
    CU_ASSERT_EQUAL((void *)fake.frames[fake.hypercall_page],
                    (void *)guest_at(SAMPLE_BASE + 0x1001000));

    info = (const start_info_t *)guest_at(fake.context.user_regs.rsi);
    CU_ASSERT_PTR_NOT_NULL_FATAL(info);
    CU_ASSERT_STRING_EQUAL(info->magic, "xen-3.0-x86_64");
    CU_ASSERT_EQUAL(info->nr_pages, 16384);
    CU_ASSERT_EQUAL(info->shared_info, fake.shared_info << 12);
    CU_ASSERT_EQUAL(info->flags, SIF_MOD_START_PFN);
    CU_ASSERT_STRING_EQUAL((const char *)info->cmd_line, "console=hvc0 quiet");
    CU_ASSERT_EQUAL(info->mod_len, INITRD_SIZE);
    CU_ASSERT_EQUAL((void *)guest_at(info->pt_base), (void *)fake.frames[fake.pinned]);
    CU_ASSERT_EQUAL(info->mfn_list, 0x8000000000ULL);
    CU_ASSERT_EQUAL(info->store_mfn, built.store_mfn);
    CU_ASSERT_EQUAL(info->store_evtchn, built.store_port);
    CU_ASSERT_EQUAL(info->console.domU.mfn, built.console_mfn);
    CU_ASSERT_EQUAL(info->console.domU.evtchn, built.console_port);

    /* the list of frames, through its own mapping, agrees with the machine-to-physical table */
    for (uint64_t pfn = 0; pfn < info->nr_pages; pfn++) {
        list = (const uint64_t *)guest_at(info->mfn_list + pfn * 8);
        wrong += !list || fake.m2p[*list] != pfn || !fake.owned[*list];
    }
    CU_ASSERT_EQUAL(wrong, 0);
    list = (const uint64_t *)guest_at(info->mfn_list + info->mod_start * 8);
    CU_ASSERT_EQUAL(memcmp(fake.frames[*list], initrd, 4096), 0);
    /* the reserved range covers the list and its tables */
    CU_ASSERT_TRUE(info->nr_p2m_frames >= 32 + 1);

    shared = (const shared_info_t *)fake.frames[fake.shared_info];
    CU_ASSERT_EQUAL(shared->vcpu_info[0].evtchn_upcall_mask, 1);
    CU_ASSERT_EQUAL(shared->evtchn_pending[0], 0);
    check_grant(GNTTAB_RESERVED_CONSOLE, built.console_mfn);
    check_grant(GNTTAB_RESERVED_XENSTORE, built.store_mfn);
    fake_free();
}

static void whichever_call_fails_nothing_is_left(void)
{
    struct built_domain built;
    struct failure f = {0};
    unsigned calls;

    prepare();
    fake_reset(0, 0);
    CU_ASSERT_EQUAL_FATAL(build(&built, &f), 0);
    calls = fake.calls;
    CU_ASSERT_TRUE(calls >= 20);
    for (unsigned n = 1; n <= calls; n++) {
        f = (struct failure){0};
        fake_reset(n, EPERM);
        CU_ASSERT_EQUAL(build(&built, &f), -1);
        CU_ASSERT_TRUE(f.code == FAIL_HYPERVISOR || f.code == FAIL_IO);
        CU_ASSERT_TRUE(f.step[0] && f.message[0]);
        CU_ASSERT_EQUAL(fake.mappings, 0);
        CU_ASSERT_EQUAL(fake.destroyed, fake.created);
    }
    fake_free();
}

static void running_out_of_memory_is_named(void)
{
    struct built_domain built;
    struct failure f = {0};

    prepare();
    config.memory = 512 << 20; /* twice what the fake has */
    fake_reset(0, 0);
    CU_ASSERT_EQUAL(build(&built, &f), -1);
    CU_ASSERT_EQUAL(f.code, FAIL_MEMORY_UNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(f.step, "populate");
    CU_ASSERT_STRING_EQUAL(f.where, "/memory");
    CU_ASSERT_EQUAL(fake.destroyed, 1);
    fake_free();
}

static void each_vcpu_gets_its_share(void)
{
    struct built_domain built;
    struct failure f = {0};

    prepare();
    fake_reset(0, 0);
    CU_ASSERT_EQUAL_FATAL(build(&built, &f), 0);
    CU_ASSERT_EQUAL(fake.max_vcpus, 3);
    CU_ASSERT_EQUAL(fake.affinities, 3);
    CU_ASSERT_EQUAL(fake.hard.bits[0], 0x03);
    CU_ASSERT_EQUAL(fake.hard.bits[1], 0x02);
    CU_ASSERT_EQUAL(fake.soft.bits[0], 0x00);
    CU_ASSERT_EQUAL(fake.soft.bits[1], 0x02);
    CU_ASSERT_EQUAL(fake.weight, 512);
    CU_ASSERT_EQUAL(fake.cap, 150);
    CU_ASSERT_EQUAL(fake.budget_us, 2500);
    /* changed while it is there, the reservation before and after included */
    config.cpu = (struct cpu_config){256, 0, {10000, 1000}, {"", ""}};
    CU_ASSERT_EQUAL(cpu_share_set(NULL, FAKE_DOMID, 3, &config.cpu, &f), 0);
    CU_ASSERT_EQUAL(fake.hard.bits[31], 0xff);
    CU_ASSERT_EQUAL(fake.budget_us, 1000);
    CU_ASSERT_EQUAL(fake.cap, 0);
    fake_free();
}

static void a_reservation_without_room_is_named(void)
{
    struct built_domain built;
    struct failure f = {0};

    prepare();
    fake_reset(0, 0);
    fake.room_us = 2499;
    CU_ASSERT_EQUAL(build(&built, &f), -1);
    CU_ASSERT_EQUAL(f.code, FAIL_CPU_UNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(f.step, "set-cpu");
    CU_ASSERT_STRING_EQUAL(f.where, "/cpu/reservation");
    CU_ASSERT_TRUE(f.hint[0] != 0);
    CU_ASSERT_EQUAL(fake.destroyed, 1);
    fake_free();
}

static void bad_kernels_create_nothing(void)
{
    struct built_domain built;
    struct failure f = {0};

    prepare();
    kernel.data[1] = 'X';
    fake_reset(0, 0);
    CU_ASSERT_EQUAL(build(&built, &f), -1);
    CU_ASSERT_EQUAL(f.code, FAIL_KERNEL_FORMAT);
    CU_ASSERT_STRING_EQUAL(f.where, "/kernel/path");
    CU_ASSERT_EQUAL(fake.created, 0);
    prepare();
    config.memory = 8 << 20;
    f = (struct failure){0};
    CU_ASSERT_EQUAL(build(&built, &f), -1);
    CU_ASSERT_STRING_EQUAL(f.step, "layout");
    CU_ASSERT_EQUAL(fake.created, 0);
    fake_free();
}

void add_builder_suite(void)
{
    CU_pSuite s = CU_add_suite("builder", NULL, NULL);

    CU_add_test(s, "the domain is as its kernel expects", the_domain_is_as_its_kernel_expects);
    CU_add_test(s, "whichever call fails, nothing is left", whichever_call_fails_nothing_is_left);
    CU_add_test(s, "running out of memory is named", running_out_of_memory_is_named);
    CU_add_test(s, "each vCPU gets its share", each_vcpu_gets_its_share);
    CU_add_test(s, "a reservation without room is named", a_reservation_without_room_is_named);
    CU_add_test(s, "bad kernels create nothing", bad_kernels_create_nothing);
}
