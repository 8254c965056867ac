/* SPDX-License-Identifier: MIT */
/*
 * Grants (THREATS 17, 18, 20, 22; XSA-218, 228, 236): two vCPUs map, unmap and copy by the same
 * refs and handles, as two of one domain, as two domains, or one of them as the owner, who
 * rewrites, swaps and grows his table meanwhile. In the end all mappings are undone, and each frame
 * has its own reference only.
 */
#include <hv/grant.h>
#include <xen/grant_table.h>
#include "threads.h"
#include "../../../../hypervisor/common/grant/gt.h" /* to count the real pins */

#define REFS    6
#define SWAPPED 4 /* refs from REFS on, which nobody maps */
#define FRAMES  3
#define HANDLES 24
#define ADDRESS 0x10000ul

static const domid_t id[] = {0, 3, 5}; /* a user, the owner, another user */
static struct domain *real[3];
static mfn_t lent[FRAMES], own[2];

static union entry {
    struct grant_entry_v1 e;
    uint64_t raw;
} any_entry(domid_t user)
{
    return (union entry){.e = {.flags = GTF_permit_access | (pick(4) ? 0 : GTF_readonly),
                               .domid = user,
                               .frame = (uint32_t)lent[pick(FRAMES)].m}};
}

static void begin(unsigned round)
{
    for (unsigned i = 0; i < 3; i++)
        real[i] = fake_domain(id[i], 2, false);
    for (unsigned i = 0; i < FRAMES; i++)
        lent[i] = fake_frame_of(real[1]);
    own[0] = fake_frame_of(real[0]);
    own[1] = fake_frame_of(real[2]);
    for (unsigned i = 0; i < REFS; i++)
        real[1]->grant->shared[0][i] = any_entry(id[round == 2 ? i % 2 * 2 : 0]).e;
}

/* Round 0: two vCPUs of the user; 1: the user and the owner; 2: two users. */
static struct vcpu *vcpu(unsigned round, unsigned thread)
{
    return round == 0 ? real[0]->vcpu[thread] : real[thread * round]->vcpu[0];
}

static void map(void)
{
    struct gnttab_map_grant_ref op[2];

    for (unsigned i = 0; i < 2; i++)
        op[i] =
            (struct gnttab_map_grant_ref){.host_addr = ADDRESS,
                                          .flags = 1 + pick(3) + (pick(2) ? GNTMAP_readonly : 0),
                                          .ref = pick(REFS),
                                          .dom = id[1]};
    hypercall(do_grant_table_op, GNTTABOP_map_grant_ref, op, 2);
}

static void unmap_at(unsigned handle, mfn_t f, unsigned parts)
{
    struct gnttab_unmap_grant_ref op[2];

    op[0] = (struct gnttab_unmap_grant_ref){.handle = handle,
                                            .host_addr = parts & GNTMAP_host_map ? ADDRESS : 0,
                                            .dev_bus_addr =
                                                parts & GNTMAP_device_map ? mfn_to_maddr(f) : 0};
    op[1] = op[0];
    op[1].handle = handle + pick(2);
    hypercall(do_grant_table_op, GNTTABOP_unmap_grant_ref, op, 2);
}

static void copy(unsigned thread)
{
    mfn_t mine = own[current->domain == real[2]];
    bool from_ref = pick(2);
    struct gnttab_copy_ptr theirs = {.u.ref = pick(REFS), .domid = id[1]},
                           ours = {.u.gmfn = mine.m, .domid = DOMID_SELF};
    struct gnttab_copy op[2];

    if (current->domain == real[1])
        ours.u.gmfn = lent[0].m;
    op[0] = (struct gnttab_copy){.source = from_ref ? theirs : ours,
                                 .dest = from_ref ? ours : theirs,
                                 .len = 64,
                                 .flags = from_ref ? GNTCOPY_source_gref : GNTCOPY_dest_gref};
    /* Bytes that nobody writes, to those that only we do. */
    op[0].source.offset = 2048;
    op[0].dest.offset = (uint16_t)(thread * 1024);
    op[1] = op[0];
    hypercall(do_grant_table_op, GNTTABOP_copy, op, 2);
}

/* What an owner does meanwhile. */
static void rewrite(void)
{
    union entry *e = (union entry *)&real[1]->grant->shared[0][pick(REFS)];

    __atomic_store_n(&e->raw, any_entry(id[0]).raw, __ATOMIC_SEQ_CST);
}

static void table(void)
{
    struct gnttab_swap_grant_ref swap = {.ref_a = REFS + pick(SWAPPED),
                                         .ref_b = REFS + pick(SWAPPED)};
    xen_pfn_t frames[4];
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1 + pick(4)};
    struct gnttab_query_size query = {.dom = DOMID_SELF};

    setup.frame_list.p = frames;
    switch (pick(3)) {
    case 0:
        hypercall(do_grant_table_op, GNTTABOP_swap_grant_ref, &swap, 1);
        break;
    case 1:
        hypercall(do_grant_table_op, GNTTABOP_setup_table, &setup, 1);
        break;
    case 2:
        hypercall(do_grant_table_op, GNTTABOP_query_size, &query, 1);
        break;
    }
}

static void step(unsigned thread)
{
    this_cpu()->softirq_pending = !pick(4);
    if (current->domain == real[1] && pick(2)) {
        rewrite();
        return;
    }
    switch (pick(8)) {
    case 0:
    case 1:
    case 2:
        map();
        break;
    case 3:
    case 4:
    case 5:
        unmap_at(pick(HANDLES), lent[pick(FRAMES)], 1 + pick(3));
        break;
    case 6:
        copy(thread);
        break;
    case 7:
        table();
        break;
    }
}

static const char *end(void)
{
    this_cpu()->softirq_pending = 0;
    for (unsigned d = 0; d < 3; d++) {
        fake_become(real[d]->vcpu[0]);
        for (unsigned h = 0; h < real[d]->grant->nr_tracks; h++)
            for (unsigned f = 0; f < FRAMES; f++)
                for (unsigned part = 1; part <= 2; part++)
                    unmap_at(h, lent[f], part);
    }
    fake_become(this_cpu()->idle);
    if (fake_nr_mappings())
        return "a PTE is left";
    for (unsigned f = 0; f < FRAMES; f++)
        if (fake_frames[lent[f].m].refs != 1 || fake_frames[lent[f].m].typed)
            return "a frame is left with a reference";
    for (unsigned ref = 0; ref < REFS; ref++) {
        const struct active *a = &real[1]->grant->active[0][ref];

        if (a->readers || a->writers)
            return "an entry is left pinned";
    }
    for (unsigned d = 3; d-- > 0;)
        fake_kill(real[d]);
    return NULL;
}

const struct room grants_room = {"grants", 3, begin, vcpu, step, end};
