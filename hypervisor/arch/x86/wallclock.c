/* SPDX-License-Identifier: MIT */
/*
 * The wall clock: read once from the CMOS clock, set by dom0, kept as the wall time at system time
 * 0. Guests add their own system time. Lock: wc_lock.
 */
#include <hv/domain.h>
#include <hv/lock.h>
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

struct date {
    unsigned year, month, day, hour, minute, second;
};

static unsigned from_bcd(unsigned v)
{
    return (v & 15) + (v >> 4) * 10;
}

static struct date read_date(void)
{
    /* Not while it counts (bit 7 of A); bounded, for machines without one. */
    for (unsigned i = 0; i < 100000 && (cmos(0x0a) & 0x80); i++)
        ;
    return (struct date){cmos(9), cmos(8), cmos(7), cmos(4), cmos(2), cmos(0)};
}

static bool same(const struct date *a, const struct date *b)
{
    return a->second == b->second && a->minute == b->minute && a->hour == b->hour &&
           a->day == b->day;
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
    struct date d = read_date(), again;
    bool pm = false;
    uint8_t mode = cmos(0x0b);

    for (unsigned i = 0; i < 4; i++) {
        again = read_date();
        if (same(&d, &again))
            break;
        d = again;
    }
    if (!(mode & 2)) { /* 12-hour clock */
        pm = d.hour & 0x80;
        d.hour &= 0x7f;
    }
    if (!(mode & 4))
        d = (struct date){from_bcd(d.year), from_bcd(d.month),  from_bcd(d.day),
                          from_bcd(d.hour), from_bcd(d.minute), from_bcd(d.second)};
    if (!(mode & 2))
        d.hour = d.hour % 12 + (pm ? 12 : 0);
    if (d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31) {
        pr_warn(
            "The CMOS clock has no valid date; the wall clock starts at 1970 until dom0 sets it\n");
        return;
    }
    wc_sec = days_from_epoch(2000 + d.year, d.month, d.day) * 86400 + d.hour * 3600 +
             d.minute * 60 + d.second - now() / 1000000000;
    pr_info("Wall clock: 20%02u-%02u-%02u %02u:%02u:%02u UTC\n", d.year, d.month, d.day, d.hour,
            d.minute, d.second);
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
