/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks (ticket: first come, first served) and the one order in which they may be taken.
 *
 *   spin_lock/spin_unlock          for locks never taken by an interrupt handler
 *   spin_lock_irqsave/…restore     for locks that an interrupt handler takes too
 *
 * Order, outermost first. A thread may take a lock only if it holds none that stands below it:
 *   1  domctl_lock            one control operation at a time
 *   2  domain_list_lock       domid → struct domain
 *   3  d->lock                lifecycle of one domain: vCPU creation, shutdown code, max_pages
 *   4  d->grant->lock         grant table of one domain (two domains: lower domid first)
 *   5  d->evtchn_lock         event ports of one domain (two domains: lower domid first)
 *  5a  fifo->lock            FIFO event queues of one domain; taken in sections of evtchn/port.h
 *   6  d->mmu_lock            page-table edits by one domain
 *   7  d->page_lock           list and count of a domain's frames
 *   8  heap locks             page allocator, hypervisor heap
 *   9  irq desc locks         irqsave
 *      reserve_lock           which reservation is kept where (sched/reserve.c)
 *  10  runqueue locks         irqsave; a second one is only tried for
 *  11  timer queue locks      irqsave
 *  12  console lock           irqsave
 */
#ifndef HV_LOCK_H
#define HV_LOCK_H

#include <hv/types.h>
#include <asm/cpu.h>

typedef struct {
    _Atomic uint16_t next;
    _Atomic uint16_t owner;
} spinlock_t;

#define SPINLOCK_INIT {0, 0}

static inline void spin_lock_init(spinlock_t *l)
{
    *l = (spinlock_t)SPINLOCK_INIT;
}
static inline void spin_lock(spinlock_t *l)
{
    uint16_t mine = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != mine)
        cpu_relax();
}
static inline bool spin_trylock(spinlock_t *l)
{
    uint16_t owner = __atomic_load_n(&l->owner, __ATOMIC_RELAXED), want = owner;
    return __atomic_compare_exchange_n(&l->next, &want, (uint16_t)(owner + 1), false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}
static inline void spin_unlock(spinlock_t *l)
{
    __atomic_store_n(&l->owner, (uint16_t)(l->owner + 1), __ATOMIC_RELEASE);
}
static inline unsigned long spin_lock_irqsave(spinlock_t *l)
{
    unsigned long flags = irq_save();
    spin_lock(l);
    return flags;
}
static inline void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags)
{
    spin_unlock(l);
    irq_restore(flags);
}

#endif
