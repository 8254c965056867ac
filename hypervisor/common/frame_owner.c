/* SPDX-License-Identifier: MIT */
/*
 * From a frame's owner (a domid) to its struct domain, without the domain list's lock, since frames
 * are freed under almost any lock; and the domain_put()s that follow from freeing a domain's last
 * frame, done later, with no lock held.
 *
 * Invariant: a domain that owns a frame is held (page_alloc.c), so its entry in the directory is
 * good while that frame has a reference. Entries are never removed, only replaced by the next
 * domain with that id. Locks: dir_lock for making the directory's pages, reap_lock for the list of
 * owed puts; both innermost.
 */
#include <hv/frame_priv.h>
#include <hv/domain.h>

#define DIR_PAGES    64 /* × 512 domids: all that can be given to a guest */
#define DIR_PER_PAGE 512

static struct domain **dir[DIR_PAGES];
static spinlock_t dir_lock = SPINLOCK_INIT, reap_lock = SPINLOCK_INIT;
struct domain *frames_to_reap;

struct domain *frame_owner(const struct frame *f)
{
    unsigned id = f->owner;

    if (id == DOMID_XEN)
        return dom_xen;
    if (id == DOMID_IO)
        return dom_io;
    if (id / DIR_PER_PAGE >= DIR_PAGES || !dir[id / DIR_PER_PAGE])
        return NULL;
    return __atomic_load_n(&dir[id / DIR_PER_PAGE][id % DIR_PER_PAGE], __ATOMIC_ACQUIRE);
}

int frame_owner_prepare(domid_t id)
{
    struct domain ***slot = &dir[id / DIR_PER_PAGE];
    void *page;

    if (id / DIR_PER_PAGE >= DIR_PAGES)
        return -EINVAL;
    if (*slot)
        return 0;
    page = heap_alloc_pages(0);
    if (!page)
        return -ENOMEM;
    spin_lock(&dir_lock);
    if (!*slot) {
        *slot = page;
        page = NULL;
    }
    spin_unlock(&dir_lock);
    if (page)
        heap_free_pages(page, 0);
    return 0;
}

void frame_owner_register(struct domain *d)
{
    __atomic_store_n(&dir[d->id / DIR_PER_PAGE][d->id % DIR_PER_PAGE], d, __ATOMIC_RELEASE);
}

void frames_reap_later(struct domain *d)
{
    spin_lock(&reap_lock);
    if (!d->arch.reap_count++) {
        d->arch.reap_next = frames_to_reap;
        frames_to_reap = d;
    }
    spin_unlock(&reap_lock);
}

void frames_reap(void)
{
    while (READ_ONCE(frames_to_reap)) {
        struct domain *d;
        unsigned n = 0;

        spin_lock(&reap_lock);
        d = frames_to_reap;
        if (d) {
            frames_to_reap = d->arch.reap_next;
            n = d->arch.reap_count;
            d->arch.reap_count = 0;
        }
        spin_unlock(&reap_lock);
        while (n--)
            domain_put(d);
    }
}
