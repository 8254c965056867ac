/* SPDX-License-Identifier: MIT */
/*
 * Doubles of everything that common/ asks of the machine, and the steering wheel for tests
 * (fake.h). No lock: one thread plays all CPUs, one after the other; or each CPU has a thread
 * (tests/unit/hypervisor/threads), and then what they share here, counts of frames and PTEs of
 * grants, is changed by relaxed atomics, which order nothing that the code under test does not
 * order itself.
 */
#include <hv/cmdline.h>
#include <hv/boot_info.h>
#include <hv/control.h>
#include <hv/irq.h>
#include <hv/printk.h>
#include <hv/sched.h>
#include <hv/softirq.h>
#include <hv/string.h>
#include <hv/time.h>
#include <hv/timer.h>
#include <asm/cpu.h>
#include <asm/pv.h>
#include <asm/uaccess.h>
#include <xen/grant_table.h>
#include <stdlib.h>
#include "../../common/sched/sched.h"
#include "fake.h"

struct fake_frame fake_frames[FAKE_FRAMES];
uint64_t fake_now, fake_deadline[MAX_CPUS], fake_flush_refs, fake_forbidden, fake_guest,
    fake_guest_size;
unsigned fake_ipis[MAX_CPUS], fake_flushes;
long fake_alloc_budget = -1;
jmp_buf *fake_machine_end;
const char *fake_machine_word;
char fake_log[512];
bool fake_map_fails;
void (*fake_on_put)(mfn_t f);

struct hv_options opt;
struct boot_info boot_info;
struct cpu *cpu_data[MAX_CPUS];
cpumask_t cpus_online;
unsigned nr_cpus;
_Thread_local struct cpu_top *fake_top;

static struct cpu_top tops[MAX_CPUS];
static struct cpu cpus[MAX_CPUS];
static unsigned next_frame = 1;

/* --- the log and the end --------------------------------------------------------------------- */

void printk_level(enum loglevel level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(fake_log, sizeof(fake_log), fmt, ap);
    va_end(ap);
    if (getenv("FAKE_LOG"))
        fputs(fake_log, stderr);
}

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    abort();
}

static __noreturn void machine_ends(const char *word)
{
    fake_machine_word = word;
    if (!fake_machine_end)
        panic("the machine ended (%s) and no test expected it\n", word);
    longjmp(*fake_machine_end, 1);
}
void machine_power_off(void)
{
    machine_ends("off");
}
void machine_restart(void)
{
    machine_ends("restart");
}
void machine_halt(void)
{
    machine_ends("halt");
}

static unsigned count(unsigned *n, int by) /* what it was */
{
    return __atomic_fetch_add(n, (unsigned)by, __ATOMIC_RELAXED);
}

/* --- time and CPUs --------------------------------------------------------------------------- */

uint64_t now(void)
{
    return fake_now;
}
void timer_hw_set(uint64_t deadline)
{
    fake_deadline[this_cpu_id()] = deadline;
}
void vcpu_time_update(struct vcpu *v)
{
}
int vcpu_time_publish(struct vcpu *v)
{
    return 0;
}
void wallclock_write(struct domain *d)
{
}
void cpu_wait(void)
{
}
void smp_call(void (*fn)(void))
{
}
void smp_send_event_check(unsigned cpu)
{
    count(&fake_ipis[cpu], 1);
}
void context_switch(struct vcpu *prev, struct vcpu *next)
{
    current = next;
}
void pv_toggle_mode(struct vcpu *v)
{
    v->arch.user_mode = !v->arch.user_mode;
}
bool pv_deliver(struct vcpu *v, struct cpu_user_regs *regs)
{
    return true;
}
void pv_hypercall(struct cpu_user_regs *regs)
{
}

void fake_run_on(unsigned cpu)
{
    fake_top = &tops[cpu];
}

void fake_softirqs(void)
{
    softirq_run();
}

void fake_become(struct vcpu *v)
{
    current = v;
}

void fake_advance(uint64_t to)
{
    unsigned was = this_cpu_id();

    for (;;) {
        uint64_t next = to;

        for (unsigned i = 0; i < nr_cpus; i++) {
            fake_run_on(i);
            fake_softirqs();
            if (fake_deadline[i] < next)
                next = fake_deadline[i];
        }
        bool idle = true;
        for (unsigned i = 0; i < nr_cpus; i++)
            idle &= !cpus[i].softirq_pending;
        if (!idle)
            continue;
        if (next > fake_now)
            fake_now = next;
        if (fake_now >= to && next >= to)
            break;
        for (unsigned i = 0; i < nr_cpus; i++)
            if (fake_deadline[i] <= fake_now) { /* one shot */
                fake_deadline[i] = UINT64_MAX;
                cpus[i].softirq_pending |= 1u << SOFTIRQ_TIMER;
            }
    }
    fake_run_on(was);
}

void fake_machine(unsigned n)
{
    memset(cpus, 0, sizeof(cpus));
    memset(tops, 0, sizeof(tops));
    cpus_online = (cpumask_t){{0}};
    nr_cpus = n;
    fake_now = 1000;
    for (unsigned i = 0; i < n; i++) {
        cpus[i].id = i;
        cpu_data[i] = &cpus[i];
        tops[i].cpu = &cpus[i];
        cpumask_set(&cpus_online, i);
        fake_deadline[i] = UINT64_MAX;
    }
    fake_run_on(0);
    idle_cpus = (cpumask_t){{0}};
    for (unsigned i = 0; i < n; i++) {
        timer_cpu_init(i);
        sched_cpu_init(i);
    }
    domains_init();
    for (unsigned i = n; i-- > 0;) {
        fake_run_on(i);
        current = cpus[i].idle;
    }
}

/* --- memory ---------------------------------------------------------------------------------- */

static bool may_alloc(void)
{
    if (fake_alloc_budget == 0)
        return false;
    if (fake_alloc_budget > 0)
        fake_alloc_budget--;
    return true;
}

void *hv_alloc(size_t size)
{
    return may_alloc() ? calloc(1, size) : NULL;
}
void hv_free(void *p)
{
    free(p);
}
void *heap_alloc_pages(unsigned order)
{
    void *p = may_alloc() ? aligned_alloc(PAGE_SIZE, PAGE_SIZE << order) : NULL;

    if (p)
        memset(p, 0, PAGE_SIZE << order);
    return p;
}
void heap_free_pages(void *p, unsigned order)
{
    free(p);
}
mfn_t virt_to_mfn(const void *p)
{
    return mfn((uint64_t)p >> PAGE_SHIFT);
}
void share_page(struct domain *d, void *p, bool writable)
{
}
void unshare_page(void *p)
{
    free(p);
}

static bool forbidden(uint64_t va, size_t n)
{
    if (fake_guest_size &&
        (va < fake_guest || n > fake_guest_size || va - fake_guest > fake_guest_size - n))
        return true;
    return va < PAGE_SIZE || !guest_range_ok(va, n) ||
           (fake_forbidden && va < fake_forbidden + PAGE_SIZE && va + n > fake_forbidden);
}
int copy_from_guest(void *dst, uint64_t va, size_t n)
{
    if (n && forbidden(va, n))
        return -EFAULT;
    memcpy(dst, (const void *)va, n);
    return 0;
}
int copy_to_guest(uint64_t va, const void *src, size_t n)
{
    if (n && forbidden(va, n))
        return -EFAULT;
    memcpy((void *)va, src, n);
    return 0;
}

static struct fake_frame *frame_at(mfn_t f)
{
    return f.m && f.m < FAKE_FRAMES && fake_frames[f.m].page ? &fake_frames[f.m] : NULL;
}

mfn_t fake_frame_of(struct domain *d)
{
    struct fake_frame *f = &fake_frames[next_frame];

    if (next_frame >= FAKE_FRAMES)
        panic("the test uses more than %u frames\n", FAKE_FRAMES);
    *f =
        (struct fake_frame){.owner = d->id, .refs = 1, .page = aligned_alloc(PAGE_SIZE, PAGE_SIZE)};
    memset(f->page, 0, PAGE_SIZE);
    return mfn(next_frame++);
}

bool mfn_is_ram(mfn_t f)
{
    return frame_at(f);
}
bool frame_get(mfn_t m, const struct domain *d)
{
    struct fake_frame *f = frame_at(m);

    if (!f || f->owner != d->id || !__atomic_load_n(&f->refs, __ATOMIC_RELAXED))
        return false;
    count(&f->refs, 1);
    return true;
}
void frame_put(mfn_t m)
{
    if (fake_on_put)
        fake_on_put(m);
    if (!count(&frame_at(m)->refs, -1))
        panic("frame %lu: a reference too many was dropped\n", m.m);
}
int frame_get_typed(mfn_t m, const struct domain *d, enum frame_type t)
{
    struct fake_frame *f = frame_at(m);

    if (f && !f->is_table && t == FT_WRITABLE && frame_get(m, d)) {
        count(&f->typed, 1);
        return 0;
    }
    return -EINVAL;
}
void frame_put_typed(mfn_t m)
{
    if (!count(&frame_at(m)->typed, -1))
        panic("frame %lu: a type reference too many was dropped\n", m.m);
    frame_put(m);
}
void *map_frame(mfn_t m)
{
    return frame_at(m)->page;
}
void unmap_frame(const void *p)
{
}
uint64_t fake_total_refs(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < FAKE_FRAMES; i++)
        n += __atomic_load_n(&fake_frames[i].refs, __ATOMIC_RELAXED) +
             __atomic_load_n(&fake_frames[i].typed, __ATOMIC_RELAXED);
    return n;
}

/* --- grants' PTEs ---------------------------------------------------------------------------- */

static struct fake_mapping maps[64]; /* d: whose, set first and cleared last */

static bool swap_owner(struct fake_mapping *m, struct domain *is, struct domain *will)
{
    return __atomic_compare_exchange_n(&m->d, &is, will, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

int pv_grant_map_pte(struct vcpu *v, uint64_t addr, mfn_t f, bool readonly, bool contains_pte,
                     uint64_t avail)
{
    if (fake_map_fails) {
        fake_map_fails = false;
        return GNTST_general_error;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(maps); i++) {
        if (!swap_owner(&maps[i], NULL, v->domain))
            continue;
        maps[i].frame = f;
        maps[i].readonly = readonly;
        __atomic_store_n(&maps[i].addr, addr, __ATOMIC_RELEASE);
        return GNTST_okay;
    }
    return GNTST_general_error;
}
int pv_grant_unmap_pte(struct vcpu *v, uint64_t addr, mfn_t f, bool readonly, bool contains_pte,
                       uint64_t new_addr)
{
    for (unsigned i = 0; i < ARRAY_SIZE(maps); i++) {
        uint64_t is = __atomic_load_n(&maps[i].addr, __ATOMIC_ACQUIRE);

        if (is == addr && __atomic_load_n(&maps[i].d, __ATOMIC_RELAXED) == v->domain &&
            mfn_eq(maps[i].frame, f) &&
            __atomic_compare_exchange_n(&maps[i].addr, &is, 0, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            swap_owner(&maps[i], v->domain, NULL);
            return GNTST_okay;
        }
    }
    return GNTST_general_error;
}
void pv_grant_flush(struct domain *d)
{
    count(&fake_flushes, 1);
    __atomic_store_n(&fake_flush_refs, fake_total_refs(), __ATOMIC_RELAXED);
}
unsigned fake_nr_mappings(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(maps); i++)
        n += maps[i].addr != 0;
    return n;
}
const struct fake_mapping *fake_mapping_at(uint64_t addr)
{
    for (unsigned i = 0; i < ARRAY_SIZE(maps); i++)
        if (maps[i].addr == addr)
            return &maps[i];
    return NULL;
}

/* --- domains --------------------------------------------------------------------------------- */

int arch_domain_create(struct domain *d)
{
    return 0;
}
long arch_domain_relinquish(struct domain *d)
{
    for (unsigned i = 0; i < ARRAY_SIZE(maps); i++)
        if (maps[i].d == d)
            maps[i] = (struct fake_mapping){NULL}; /* its page tables go with it */
    return 0;
}
void arch_domain_destroy(struct domain *d)
{
}
int arch_vcpu_create(struct vcpu *v)
{
    return 0;
}
void arch_vcpu_destroy(struct vcpu *v)
{
}
int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    v->initialised = true;
    v->down = !(c->flags & VGCF_online);
    return 0;
}

unsigned nr_pirqs(void)
{
    return 64;
}
int pirq_bind(struct vcpu *v, unsigned pirq, bool will_share)
{
    return pirq == 63 ? -EBUSY : 0;
}
void pirq_unbind(struct domain *d, unsigned pirq)
{
}
void pirq_set_affinity(struct domain *d, unsigned pirq, unsigned cpu)
{
}

struct domain *fake_domain(domid_t id, unsigned vcpus, bool run)
{
    struct domain_config cfg = {.max_vcpus = vcpus,
                                .max_evtchn_port = 1023,
                                .max_grant_frames = 4,
                                .max_maptrack_frames = 4,
                                .is_dom0 = id == 0};
    struct domain *d;

    if (domain_create(id, &cfg, &d) || domain_make_vcpus(d, vcpus))
        panic("cannot make domain %u\n", id);
    for (unsigned i = 0; i < vcpus; i++) {
        d->vcpu[i]->initialised = true;
        d->vcpu[i]->down = false;
    }
    if (run) {
        d->controller_pauses = 0;
        domain_unpause(d);
    }
    return d;
}

void fake_kill(struct domain *d)
{
    unsigned was = this_cpu_id();

    if (d->is_dom0)
        dom0 = NULL;
    /* One thread plays all CPUs: let each stop running it before domain_kill waits for that. */
    d->pause_count++;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i])
            vcpu_sleep_nosync(d->vcpu[i]);
    for (unsigned i = 0; i < nr_cpus; i++) {
        fake_run_on(i);
        fake_softirqs();
    }
    fake_run_on(was);
    while (domain_kill(d))
        ;
    frames_reap();
}

void fake_machine_down(void)
{
    for (unsigned i = 1; i < next_frame; i++) {
        free(fake_frames[i].page);
        fake_frames[i] = (struct fake_frame){.page = NULL};
    }
    for (unsigned i = 0; i < nr_cpus; i++) {
        free(cpus[i].rq);
        free(cpus[i].timers);
        free(cpus[i].idle->sched);
        free(cpus[i].idle);
    }
    free(idle_domain->vcpu);
    free(idle_domain);
    free(dom_xen);
    free(dom_io);
    next_frame = 1;
    memset(maps, 0, sizeof(maps));
    dom0 = NULL;
    fake_forbidden = fake_flush_refs = 0;
    fake_flushes = 0;
    fake_alloc_budget = -1;
}

/* Guest frames are plain memory here: any window does. */
void *vcpu_info_window(mfn_t f)
{
    static void *shown;

    if (shown)
        unmap_frame(shown);
    shown = mfn_eq(f, INVALID_MFN) ? NULL : map_frame(f);
    return shown;
}

/* The frame allocator's; there is none here. */
unsigned long frames_to_reap;
