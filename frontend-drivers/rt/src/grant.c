/* SPDX-License-Identifier: MIT */
/* Maps this domain's own grant table and fills entries in the order the hypervisor relies on. */
#include <rt/grant.h>
#include <rt/page.h>

grant_entry_v1_t grant_table[GRANT_ENTRIES] PAGE_ALIGNED;

long gnttab_init(void)
{
    xen_pfn_t frames[GRANT_FRAMES];
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = GRANT_FRAMES};
    long rc;

    set_xen_guest_handle(op.frame_list, frames);
    rc = hv_grant_op(GNTTABOP_setup_table, &op, 1);
    if (rc || op.status)
        return rc ? rc : op.status;
    for (unsigned int i = 0; i < GRANT_FRAMES; i++) {
        rc = hv_update_va_mapping((char *)grant_table + i * PAGE_SIZE,
                                  pte_make(frames[i], PTE_RW_FLAGS), UVMF_INVLPG);
        if (rc)
            return rc;
    }
    return 0;
}

void grant_set(grant_ref_t ref, domid_t dom, mfn_t frame, uint16_t flags)
{
    grant_table[ref].domid = dom;
    grant_table[ref].frame = frame;
    barrier();
    WRITE_ONCE(grant_table[ref].flags, flags);
}

void grant_clear(grant_ref_t ref)
{
    WRITE_ONCE(grant_table[ref].flags, 0);
    barrier();
    grant_table[ref].frame = 0;
    grant_table[ref].domid = 0;
}
