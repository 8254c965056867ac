/* SPDX-License-Identifier: MIT */
/*
 * The wall clock: read once from the CMOS clock, set by dom0, kept as the wall time at system time
 * 0. Guests add their own system time. Lock: wc_lock.
 */
#include <hv/domain.h>
#include <hv/printk.h>
#include <hv/time.h>
#include <asm/io.h>

static spinlock_t wc_lock = SPINLOCK_INIT;
static uint64_t wc_sec; /* wall time at system time 0 */
static uint32_t wc_nsec;

static uint8_t cmos(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, the year beginning in March so that
 * leap days come last. */
static uint64_t days_from_epoch(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

    return 365UL * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

void wallclock_init(void)
{
    enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, FIELDS };
    static const uint8_t reg[FIELDS] = {0, 2, 4, 7, 8, 9};
    uint8_t d[FIELDS], mode = cmos(0x0b);
    unsigned tries = 0;
    bool pm;

    /* Not while it counts (bit 7 of A), and again if it did so meanwhile. Bounded, for machines
     * without one. */
    do {
        while ((cmos(0x0a) & 0x80) && ++tries < 100000)
            ;
        for (unsigned i = 0; i < FIELDS; i++)
            d[i] = cmos(reg[i]);
    } while (cmos(reg[SECOND]) != d[SECOND] && ++tries < 100000);
    pm = d[HOUR] & 0x80; /* 12-hour clocks only */
    d[HOUR] &= 0x7f;
    for (unsigned i = 0; i < FIELDS && !(mode & 4); i++)
        d[i] = (d[i] & 15) + (d[i] >> 4) * 10; /* BCD */
    if (!(mode & 2))
        d[HOUR] = d[HOUR] % 12 + (pm ? 12 : 0);
    if (d[MONTH] < 1 || d[MONTH] > 12 || d[DAY] < 1 || d[DAY] > 31) {
        pr_warn(
            "No valid date in the CMOS clock: the wall clock starts at 1970 until dom0 sets it\n");
        return;
    }
    wc_sec = days_from_epoch(2000 + d[YEAR], d[MONTH], d[DAY]) * 86400 + d[HOUR] * 3600 +
             d[MINUTE] * 60 + d[SECOND] - now() / 1000000000;
    pr_info("Wall clock: 20%02u-%02u-%02u %02u:%02u:%02u UTC\n", d[YEAR], d[MONTH], d[DAY], d[HOUR],
            d[MINUTE], d[SECOND]);
}

void wallclock_write(struct domain *d)
{
    struct shared_info *s = d->shared_info;
    uint64_t sec;

    spin_lock(&wc_lock);
    sec = wc_sec + (uint64_t)d->time_offset_seconds;
    /* Version protocol of <xen/xen.h>: odd while it is written. */
    WRITE_ONCE(s->wc_version, s->wc_version | 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    s->wc_sec = (uint32_t)sec;
    s->wc_sec_hi = (uint32_t)(sec >> 32);
    s->wc_nsec = wc_nsec;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(s->wc_version, s->wc_version + 1);
    spin_unlock(&wc_lock);
}

void wallclock_set(uint64_t sec, uint32_t nsec, uint64_t at)
{
    uint64_t total = sec * 1000000000 + nsec - at;
    struct domain *d;

    spin_lock(&wc_lock);
    wc_sec = total / 1000000000;
    wc_nsec = (uint32_t)(total % 1000000000);
    spin_unlock(&wc_lock);
    for (domid_t id = 0xffff; (d = domain_next(id)) != NULL;) {
        id = d->id;
        if (d->shared_info)
            wallclock_write(d);
        domain_put(d);
    }
}
