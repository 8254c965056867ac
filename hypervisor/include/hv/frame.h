/* SPDX-License-Identifier: MIT */
/*
 * Frames: one descriptor for each 4 KiB frame of RAM, its owner, references and type; the frame allocator; short-lived
 * mappings; and the hypervisor's own heap.
 *
 * Invariant (the essay is at the top of arch/x86/pv/page_type.c): a frame has one type at a time while its type count is
 * not 0; every PTE of a validated table holds a reference to what it maps, and a type reference when it maps it writable or
 * as a table. A frame is freed, scrubbed, when its last reference goes.
 */
#ifndef HV_FRAME_H
#define HV_FRAME_H

#include <hv/types.h>

struct domain;
struct vcpu;

enum frame_type {
    FT_NONE = 0,
    FT_L1 = 1,
    FT_L2 = 2,
    FT_L3 = 3,
    FT_L4 = 4,
    FT_SEGDESC = 5, /* GDT/LDT page */
    FT_SHARED = 6,  /* hypervisor page shared with a guest, writable */
    FT_WRITABLE = 7,
};

struct frame {
    _Atomic uint64_t ref;  /* flags and count: arch/x86/pv/page_type.c */
    _Atomic uint64_t type; /* enum frame_type, flags and count: the same */
    uint32_t next, prev;   /* frame numbers: free list, or the owner's list (d->page_lock) */
    uint16_t owner;        /* domid; DOMID_XEN, DOMID_IO; valid while ref count != 0 */
    uint16_t flags;
    uint32_t aux;          /* free: order; table: validated entries */
};
_Static_assert(sizeof(struct frame) == 32, "32 bytes a frame is under 1 % of RAM");

/* --- descriptors ------------------------------------------------------------------------------------------------ */
bool mfn_is_ram(mfn_t f);                    /* has a descriptor and is RAM (not a hole, not MMIO) */
uint64_t frames_total(void), frames_free(void), frames_claimed(void);
mfn_t max_ram_mfn(void);                     /* highest RAM frame + 1 */

/* --- references --------------------------------------------------------------------------------------------------- */
/* Take a reference if the frame is RAM, allocated, and owned by d. */
bool __must_check frame_get(mfn_t f, const struct domain *d);
void frame_put(mfn_t f);                     /* the last one frees it */
/* Take a reference and a type reference (promoting the frame when nothing holds another type). -EINVAL, -EBUSY, … */
int __must_check frame_get_typed(mfn_t f, const struct domain *d, enum frame_type t);
void frame_put_typed(mfn_t f);

/* --- allocation ----------------------------------------------------------------------------------------------------- */
#define ALLOC_NO_SCRUB 1u                    /* the caller overwrites all of it at once */
#define ALLOC_DMA32    2u                    /* below 4 GiB */
/*
 * Allocate 2^order contiguous frames for a domain (added to its list, one reference each: PGC_allocated) or, d NULL, for
 * the hypervisor, unmapped. INVALID_MFN when there is no memory or d would pass max_pages.
 */
mfn_t alloc_frames(struct domain *d, unsigned order, unsigned flags);
/*
 * Set frames aside so that d can grow to `pages`; nobody else gets them. 0 gives back what is left. -EINVAL: it has a claim,
 * has so many, may not have so many, or is dying; -ENOMEM.
 */
int frames_claim(struct domain *d, uint64_t pages);
void free_frames(mfn_t f, unsigned order);   /* that nobody owns */
/* Give back the domain's own (allocation) reference; the frame goes when nobody else holds it. False: it was gone already. */
bool frame_release(mfn_t f, struct domain *d);
/* Destroy: devalidate and release all of a dying domain's frames. -HC_RESTART when preempted. */
long domain_relinquish_frames(struct domain *d);

/* --- reaching a frame's contents ---------------------------------------------------------------------------------------- */
/*
 * Map a frame read-write for this CPU, for the length of one operation. Per-CPU slots (≥ 16 at once); cheap when the
 * frame is still in a slot. Not across a context switch: maps_flush() drops all slots when the CPU changes domains.
 */
void *map_frame(mfn_t f);
void unmap_frame(const void *p);
void maps_flush(void);                       /* called by the context switch */

/* --- the hypervisor's heap: permanently mapped, never holds guest data except pages shared with a guest ------------------- */
void *heap_alloc_pages(unsigned order);      /* zeroed; NULL when out of memory */
void heap_free_pages(void *p, unsigned order);
void *hv_alloc(size_t size);                 /* zeroed, aligned to 16 (to its size if a power of two ≤ 4096) */
void hv_free(void *p);
mfn_t virt_to_mfn(const void *heap_page);
void *heap_mfn_to_virt(mfn_t f);
uint64_t heap_bytes_used(void);
/* Make a heap page mappable by d (shared_info, grant table, …): owner d, FT_SHARED if writable. Undo with unshare_page. */
void share_page(struct domain *d, void *heap_page, bool writable);
/* Stop sharing; the page is freed at once, or when the guest's last mapping goes. */
void unshare_page(void *heap_page);

/* --- boot ------------------------------------------------------------------------------------------------------------------- */
void frames_init(void);                      /* from boot_info.e820, less image, modules, low 1 MiB */
void heap_init(void);
void frames_release_range(uint64_t start, uint64_t end); /* boot modules, init sections: give to the allocator */

#endif
