/* SPDX-License-Identifier: MIT */
/* guest.c: see guest.h. */
#include "guest.h"

size_t guest_put(struct xenstore_domain_interface *page, const char *data, size_t len)
{
    XENSTORE_RING_IDX cons = __atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE);
    XENSTORE_RING_IDX prod = page->req_prod;
    size_t room = XENSTORE_RING_SIZE - (prod - cons);

    if (len > room)
        len = room;
    for (size_t i = 0; i < len; i++)
        page->req[MASK_XENSTORE_IDX(prod + i)] = data[i];
    __atomic_store_n(&page->req_prod, prod + (XENSTORE_RING_IDX)len, __ATOMIC_SEQ_CST);
    return len;
}

size_t guest_get(struct xenstore_domain_interface *page, char *data, size_t len)
{
    XENSTORE_RING_IDX prod = __atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE);
    XENSTORE_RING_IDX cons = page->rsp_cons;
    size_t have = prod - cons;

    if (len > have)
        len = have;
    for (size_t i = 0; i < len; i++)
        data[i] = page->rsp[MASK_XENSTORE_IDX(cons + i)];
    __atomic_store_n(&page->rsp_cons, cons + (XENSTORE_RING_IDX)len, __ATOMIC_SEQ_CST);
    return len;
}
