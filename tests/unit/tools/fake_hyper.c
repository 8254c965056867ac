/* SPDX-License-Identifier: MIT */
/* The fake of fake_hyper.h. Frame numbers begin at 1000, so that 0 and pfns are never taken for
 * machine frames. */
#include "fake_hyper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests.h"

#define FIRST 1000

struct fake fake;

void fake_free(void)
{
    free(fake.frames);
    free(fake.owned);
    free(fake.m2p);
    fake = (struct fake){0};
}

void fake_reset(unsigned fail_at, int fail_with)
{
    fake_free();
    fake.fail_at = fail_at;
    fake.fail_with = fail_with;
    fake.superpages = 40;
    fake.room_us = ~0u;
    fake.next_frame = FIRST;
    fake.frames = calloc(FAKE_FRAMES, 4096);
    fake.owned = calloc(FAKE_FRAMES, 1);
    fake.m2p = calloc(FAKE_FRAMES, sizeof(uint64_t));
    fake.shared_info = fake.next_frame++;
    fake.owned[fake.shared_info] = 1;
}

/* True when this call is the one that is to fail. */
static bool fails(void)
{
    return ++fake.calls == fake.fail_at;
}

#define MAYBE_FAIL()                \
    do {                            \
        if (fails())                \
            return -fake.fail_with; \
    } while (0)

int hyper_create(struct hyper *h, const uint8_t handle[16], uint32_t max_vcpus, uint32_t *domid)
{
    MAYBE_FAIL();
    memcpy(fake.handle, handle, 16);
    fake.max_vcpus = max_vcpus;
    fake.created++;
    *domid = FAKE_DOMID;
    return 0;
}

int hyper_max_vcpus(struct hyper *h, uint32_t domid, uint32_t max)
{
    MAYBE_FAIL();
    CU_ASSERT_EQUAL(max, fake.max_vcpus);
    return 0;
}

int hyper_max_memory(struct hyper *h, uint32_t domid, uint64_t kib)
{
    MAYBE_FAIL();
    fake.max_kib = kib;
    return 0;
}

int hyper_set_share(struct hyper *h, uint32_t domid, uint16_t weight, uint16_t cap)
{
    MAYBE_FAIL();
    fake.weight = weight;
    fake.cap = cap;
    return 0;
}

/* As the hypervisor: a vCPU's part has room on one of the CPUs where it may run, or none gets any.
 */
int hyper_set_reservation(struct hyper *h, uint32_t domid, uint32_t period_us, uint32_t budget_us)
{
    MAYBE_FAIL();
    if (budget_us > fake.room_us)
        return -ENOSPC;
    fake.budget_us = budget_us;
    return 0;
}

int hyper_set_affinity(struct hyper *h, uint32_t domid, uint32_t vcpu, const struct cpu_set *hard,
                       const struct cpu_set *soft)
{
    MAYBE_FAIL();
    CU_ASSERT_EQUAL(fake.budget_us, 0); /* one that is kept elsewhere would forbid the change */
    CU_ASSERT_EQUAL(vcpu, fake.affinities % fake.max_vcpus);
    fake.affinities++;
    fake.hard = *hard;
    fake.soft = *soft;
    return 0;
}

int hyper_unpause(struct hyper *h, uint32_t domid)
{
    fake.unpaused = true;
    return 0;
}

int hyper_destroy(struct hyper *h, uint32_t domid)
{
    CU_ASSERT_EQUAL(domid, FAKE_DOMID);
    CU_ASSERT_EQUAL(fake.mappings, 0); /* what is mapped would keep the domain alive */
    fake.destroyed++;
    return 0;
}

int hyper_hypercall_page(struct hyper *h, uint32_t domid, uint64_t mfn)
{
    MAYBE_FAIL();
    fake.hypercall_page = mfn;
    return 0;
}

int hyper_set_context(struct hyper *h, uint32_t domid, uint32_t vcpu,
                      const struct vcpu_guest_context *context)
{
    MAYBE_FAIL();
    CU_ASSERT_EQUAL(vcpu, 0);
    fake.context = *context;
    return 0;
}

int hyper_info(struct hyper *h, uint32_t domid, domain_info *info)
{
    MAYBE_FAIL();
    memset(info, 0, sizeof(*info));
    info->domain = domid;
    info->shared_info_frame = fake.shared_info;
    return 0;
}

long hyper_populate(struct hyper *h, uint32_t domid, unsigned order, xen_pfn_t *frames,
                    unsigned long count)
{
    unsigned long done;

    MAYBE_FAIL();
    for (done = 0; done < count; done++) {
        uint64_t size = 1ULL << order;

        if (order && fake.superpages == 0)
            break;
        if (fake.next_frame + size > FAKE_FRAMES)
            break;
        fake.superpages -= order != 0;
        for (uint64_t i = 0; i < size; i++) {
            fake.owned[fake.next_frame + i] = 1;
            fake.m2p[fake.next_frame + i] = frames[done] + i;
        }
        frames[done] = fake.next_frame;
        fake.next_frame += size + 3; /* extents do not follow each other */
        fake.used += size;
    }
    return done;
}

int hyper_alloc_unbound(struct hyper *h, uint32_t domid, uint32_t remote, evtchn_port_t *port)
{
    static evtchn_port_t next = 1;

    MAYBE_FAIL();
    *port = next++;
    return 0;
}

int hyper_pin_l4(struct hyper *h, uint32_t domid, uint64_t mfn)
{
    MAYBE_FAIL();
    CU_ASSERT_EQUAL(fake.mappings, 0);
    fake.pinned = mfn;
    return 0;
}

/* Foreign mappings are copies, written back at unmap: a write after unmapping would be lost, as it
 * would be a fault. */
struct fake_map {
    size_t pages;
    xen_pfn_t frames[];
};

void *xenforeignmemory_map(xenforeignmemory_handle *handle, uint32_t dom, int prot, size_t pages,
                           const xen_pfn_t arr[], int err[])
{
    struct fake_map *map;

    if (fails()) {
        errno = fake.fail_with;
        return NULL;
    }
    map = malloc(sizeof(*map) + pages * sizeof(xen_pfn_t) + pages * 4096 + 8192);
    map->pages = pages;
    memcpy(map->frames, arr, pages * sizeof(xen_pfn_t));
    char *data = (char *)(map->frames + pages);

    data = (char *)(((uintptr_t)data + 8 + 4095) & ~4095UL);
    memcpy(data - 8, &map, sizeof(map));
    for (size_t i = 0; i < pages; i++) {
        CU_ASSERT_TRUE_FATAL(arr[i] < FAKE_FRAMES && fake.owned[arr[i]]);
        memcpy(data + i * 4096, fake.frames[arr[i]], 4096);
        if (err)
            err[i] = 0;
    }
    fake.mappings++;
    return data;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *handle, void *addr, size_t pages)
{
    struct fake_map *map;

    memcpy(&map, (char *)addr - 8, sizeof(map));
    CU_ASSERT_EQUAL(map->pages, pages);
    for (size_t i = 0; i < pages; i++)
        memcpy(fake.frames[map->frames[i]], (char *)addr + i * 4096, 4096);
    free(map);
    fake.mappings--;
    return 0;
}

xenforeignmemory_resource_handle *
xenforeignmemory_map_resource(xenforeignmemory_handle *handle, domid_t domid, unsigned int type,
                              unsigned int id, unsigned long frame, unsigned long nr_frames,
                              void **paddr, int prot, int flags)
{
    if (fails()) {
        errno = fake.fail_with;
        return NULL;
    }
    CU_ASSERT_EQUAL(type, XENMEM_resource_grant_table);
    fake.mappings++;
    *paddr = fake.grants;
    return (void *)fake.grants;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *handle,
                                    xenforeignmemory_resource_handle *fres)
{
    fake.mappings--;
    return 0;
}
