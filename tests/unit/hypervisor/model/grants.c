/* SPDX-License-Identifier: MIT */
/*
 * Grants: three domains write entries, map, unmap, copy, swap and die at random, each owner and
 * user at once. The model: what each guest has written, who has pinned what, the handles in the
 * order in which they are given out, each frame's references and the first bytes of its contents.
 */
#include <hv/grant.h>
#include <xen/grant_table.h>
#include "model.h"
#include "../../../../hypervisor/common/grant/gt.h" /* to look at the real counts */
#include "domains.h"                                /* after it: its names shadow ours otherwise */

#define REFS    12
#define FRAMES  6   /* of each domain */
#define HANDLES 512 /* two pages of tracks */
#define MAPS    64  /* as many PTEs as the fake machine keeps */
#define BYTES   128 /* of a frame that copies reach */
#define LISTED  5   /* operations in one call, at most */

struct mframe { /* index: the frame number */
    unsigned refs, writers;
    bool table;
    int owner; /* -1: there is no such frame */
    uint8_t bytes[BYTES];
};

static struct model {
    struct grant_entry_v1 entry[REFS];
    struct mpin {
        unsigned readers, writers, frame;
        domid_t user;
    } pin[REFS];
    struct mhandle {
        unsigned ref, frame, owner, parts; /* parts: GNTMAP_host_map, GNTMAP_device_map */
        bool readonly;
    } handle[HANDLES];
    unsigned free[HANDLES], nr_free; /* the next one given out is the last */
    unsigned made;                   /* handles that there are */
} model[DOMS];
static struct mframe frames[FAKE_FRAMES];
static struct {
    uint64_t addr; /* 0: unused */
    unsigned frame, dom;
} maps[MAPS];
static unsigned first_frame[DOMS], nr_frames;

static void birth(unsigned d)
{
    real[d] = fake_domain(id[d], 1, false);
    memset(&model[d], 0, sizeof(model[d]));
}

static void begin(void)
{
    fake_machine(1);
    for (unsigned f = 0; f < FAKE_FRAMES; f++)
        frames[f].owner = -1;
    for (unsigned d = 0; d < DOMS; d++) {
        birth(d);
        for (unsigned i = 0; i < FRAMES; i++) {
            nr_frames = (unsigned)fake_frame_of(real[d]).m;
            frames[nr_frames] = (struct mframe){.refs = 1, .owner = (int)d};
        }
        first_frame[d] = nr_frames - FRAMES + 1;
    }
}

static void kill(const bool who[DOMS]);

static void end(void)
{
    kill((bool[DOMS]){true, true, true});
    for (unsigned f = 1; f <= nr_frames; f++)
        if (fake_frames[f].refs != 1 || fake_frames[f].typed)
            printf("frame %u is left with %u references\n", f, fake_frames[f].refs), abort();
    fake_machine_down();
}

/* --- the model --- */

static bool is_pinned(const struct mpin *p)
{
    return p->readers + p->writers != 0;
}

static void show_use(struct model *o, unsigned ref)
{
    const struct mpin *p = &o->pin[ref];

    if (!p->writers)
        o->entry[ref].flags &= (uint16_t)~GTF_writing;
    if (!is_pinned(p))
        o->entry[ref].flags &= (uint16_t)~GTF_reading;
}

/* May d have a reference to frame f, to write if it says so? */
static int frame_for(unsigned d, uint64_t f, bool readonly)
{
    if (f >= FAKE_FRAMES || frames[f].owner < 0)
        return GNTST_bad_page;
    if (frames[f].owner != (int)d || (!readonly && frames[f].table))
        return GNTST_general_error;
    return GNTST_okay;
}

static int pin(unsigned owner, unsigned user, uint64_t ref, bool readonly, unsigned *frame)
{
    struct model *o = &model[owner];
    struct grant_entry_v1 *e;
    struct mpin *p;
    unsigned f;
    bool known;
    int rc;

    if (ref >= REFS) /* the rest of the table is empty, and behind it there is none */
        return ref < ENTRIES_PER_FRAME ? GNTST_general_error : GNTST_bad_gntref;
    e = &o->entry[ref];
    p = &o->pin[ref];
    known = readonly ? is_pinned(p) : p->writers != 0;
    if (is_pinned(p) && p->user != id[user])
        return GNTST_general_error;
    if (!known && ((e->flags & GTF_type_mask) != GTF_permit_access || e->domid != id[user] ||
                   (!readonly && (e->flags & GTF_readonly))))
        return GNTST_general_error;
    f = is_pinned(p) ? p->frame : e->frame;
    if (!known)
        e->flags |= GTF_reading | (readonly ? 0 : GTF_writing);
    if (!is_pinned(p)) {
        p->frame = f;
        p->user = id[user];
    }
    rc = frame_for(owner, f, readonly);
    if (rc) {
        show_use(o, (unsigned)ref);
        return rc;
    }
    if (readonly)
        p->readers++;
    else
        p->writers++, frames[f].writers++;
    frames[f].refs++;
    *frame = f;
    return GNTST_okay;
}

static void unpin(unsigned owner, unsigned ref, bool readonly)
{
    struct mpin *p = &model[owner].pin[ref];

    if (readonly)
        p->readers--;
    else
        p->writers--, frames[p->frame].writers--;
    frames[p->frame].refs--;
    show_use(&model[owner], ref);
}

static int new_handle(unsigned me)
{
    struct model *m = &model[me];

    if (!m->nr_free) {
        unsigned page = PAGE_SIZE / 16;

        if (m->made + page > HANDLES)
            return -1;
        for (unsigned i = 0; i < page; i++)
            m->free[i] = m->made + page - 1 - i;
        m->nr_free = page;
        m->made += page;
    }
    return (int)m->free[--m->nr_free];
}

static void free_handle(unsigned me, unsigned h)
{
    model[me].handle[h] = (struct mhandle){0};
    model[me].free[model[me].nr_free++] = h;
}

static bool map_pte(unsigned me, uint64_t addr, unsigned frame)
{
    for (unsigned i = 0; i < MAPS; i++)
        if (!maps[i].addr) {
            maps[i].addr = addr;
            maps[i].frame = frame;
            maps[i].dom = me;
            return true;
        }
    return false;
}

static bool unmap_pte(unsigned me, uint64_t addr, unsigned frame)
{
    for (unsigned i = 0; i < MAPS; i++)
        if (maps[i].addr == addr && maps[i].frame == frame && maps[i].dom == me) {
            maps[i].addr = 0;
            return true;
        }
    return false;
}

/* --- map --- */

static domid_t any_domid(void)
{
    return pick(30) ? id[pick(DOMS)] : pick(2) ? 77 : DOMID_SELF;
}

static grant_ref_t any_ref(void)
{
    static const grant_ref_t odd[] = {REFS, 511, 512, 513, 0x80000000, ~0u};

    return pick(30) ? pick(REFS) : odd[pick(ARRAY_SIZE(odd))];
}

static uint64_t any_address(void)
{
    return 0x10000 + pick(24) * PAGE_SIZE;
}

static int map_one(unsigned me, const struct gnttab_map_grant_ref *op, int *handle, unsigned *frame)
{
    bool readonly = op->flags & GNTMAP_readonly;
    unsigned parts = op->flags & (GNTMAP_host_map | GNTMAP_device_map);
    int owner = index_of(op->dom), rc;

    if (!parts)
        return GNTST_bad_gntref;
    if (owner < 0)
        return GNTST_bad_domain;
    *handle = new_handle(me);
    if (*handle < 0)
        return GNTST_no_space;
    rc = pin((unsigned)owner, me, op->ref, readonly, frame);
    if (!rc && (parts & GNTMAP_host_map) && !map_pte(me, op->host_addr, *frame)) {
        unpin((unsigned)owner, op->ref, readonly);
        rc = GNTST_general_error;
    }
    if (rc) {
        free_handle(me, (unsigned)*handle);
        return rc;
    }
    model[me].handle[*handle] = (struct mhandle){.ref = op->ref,
                                                 .frame = *frame,
                                                 .owner = (unsigned)owner,
                                                 .parts = parts,
                                                 .readonly = readonly};
    done++;
    return GNTST_okay;
}

static const char *map(unsigned me)
{
    struct gnttab_map_grant_ref op[LISTED], was[LISTED];
    unsigned n = 1 + pick(LISTED);

    for (unsigned i = 0; i < n; i++)
        op[i] = (struct gnttab_map_grant_ref){.host_addr = any_address(),
                                              .flags = pick(4) | (pick(2) ? GNTMAP_readonly : 0),
                                              .ref = any_ref(),
                                              .dom = any_domid()};
    memcpy(was, op, sizeof(op));
    if (hypercall(do_grant_table_op, GNTTABOP_map_grant_ref, op, n))
        return "map_grant_ref fails as a whole";
    for (unsigned i = 0; i < n; i++) {
        unsigned frame = 0;
        int handle = -1, want = map_one(me, &was[i], &handle, &frame);

        if (op[i].status != want)
            return differs("mapping ref %u of %u, flags %x: %d, the model says %d", was[i].ref,
                           was[i].dom, was[i].flags, op[i].status, want);
        if (!want &&
            (op[i].handle != (unsigned)handle || op[i].dev_bus_addr != (uint64_t)frame << 12))
            return differs("mapping ref %u of %u: handle %u of %lx, the model says %d of %x000",
                           was[i].ref, was[i].dom, op[i].handle, op[i].dev_bus_addr, handle, frame);
    }
    return NULL;
}

/* --- unmap --- */

static int claim(unsigned me, const struct gnttab_unmap_grant_ref *op, unsigned *parts)
{
    struct mhandle *h;

    *parts = 0;
    if (op->handle >= model[me].made || !model[me].handle[op->handle].parts)
        return GNTST_bad_handle;
    h = &model[me].handle[op->handle];
    *parts = h->parts &
             ((op->host_addr ? GNTMAP_host_map : 0) | (op->dev_bus_addr ? GNTMAP_device_map : 0));
    if ((*parts & GNTMAP_device_map) && op->dev_bus_addr != (uint64_t)h->frame << 12) {
        *parts = 0;
        return GNTST_bad_dev_addr;
    }
    if ((*parts & GNTMAP_host_map) && !unmap_pte(me, op->host_addr, h->frame)) {
        *parts = 0;
        return GNTST_general_error;
    }
    h->parts &= ~*parts;
    return GNTST_okay;
}

static const char *unmap_list(unsigned me, struct gnttab_unmap_grant_ref *op, unsigned n)
{
    struct gnttab_unmap_grant_ref was[LISTED];
    unsigned parts[LISTED];
    int want[LISTED];

    memcpy(was, op, n * sizeof(*op));
    if (hypercall(do_grant_table_op, GNTTABOP_unmap_grant_ref, op, n))
        return "unmap_grant_ref fails as a whole";
    /* All entries of a list go before the first pin does. */
    for (unsigned i = 0; i < n; i++)
        want[i] = claim(me, &was[i], &parts[i]);
    for (unsigned i = 0; i < n; i++) {
        const struct mhandle *h = &model[me].handle[was[i].handle % HANDLES];
        bool last = parts[i] && !h->parts;

        if (op[i].status != want[i])
            return differs("unmapping handle %u at %lx and %lx: %d, the model says %d",
                           was[i].handle, was[i].host_addr, was[i].dev_bus_addr, op[i].status,
                           want[i]);
        done += parts[i] != 0;
        for (unsigned k = i + 1; k < n; k++) /* with the last part go the pin and the handle */
            last &= !(parts[k] && was[k].handle == was[i].handle);
        if (last) {
            unpin(h->owner, h->ref, h->readonly);
            free_handle(me, was[i].handle);
        }
    }
    return NULL;
}

static const char *unmap(unsigned me)
{
    struct gnttab_unmap_grant_ref op[LISTED];
    unsigned n = 1 + pick(LISTED);

    for (unsigned i = 0; i < n; i++) {
        unsigned h = pick(20) ? pick(32) : pick(HANDLES + 2);

        op[i] = (struct gnttab_unmap_grant_ref){.handle = h};
        if (pick(3))
            op[i].host_addr = any_address();
        for (unsigned k = 0; op[i].host_addr && pick(6) && k < MAPS; k++)
            if (h < HANDLES && maps[k].addr && maps[k].dom == me &&
                maps[k].frame == model[me].handle[h].frame)
                op[i].host_addr = maps[k].addr;
        if (pick(2))
            op[i].dev_bus_addr =
                (h < HANDLES && pick(8) ? model[me].handle[h].frame : 1 + pick(20)) * PAGE_SIZE;
    }
    return unmap_list(me, op, n);
}

/* --- copy --- */

static struct gnttab_copy_ptr any_side(unsigned me, bool is_ref)
{
    struct gnttab_copy_ptr p = {.domid = is_ref || !pick(20) ? any_domid() : DOMID_SELF,
                                .offset = (uint16_t)pick(64)};

    if (is_ref)
        p.u.ref = any_ref();
    else
        p.u.gmfn = pick(10) ? first_frame[me] + pick(FRAMES) : pick(FAKE_FRAMES + 20);
    if (!pick(30))
        p.offset = (uint16_t)(PAGE_SIZE - pick(20));
    return p;
}

/* The domain of a side; negative: a status. */
static int side_domain(unsigned me, const struct gnttab_copy_ptr *p, bool is_ref, unsigned *d)
{
    int i = p->domid == DOMID_SELF ? (int)me : index_of(p->domid);

    if (i < 0)
        return GNTST_bad_domain;
    *d = (unsigned)i;
    return is_ref || p->domid == DOMID_SELF ? GNTST_okay : GNTST_permission_denied;
}

static int side_frame(unsigned me, unsigned d, const struct gnttab_copy_ptr *p, bool is_ref,
                      bool readonly, unsigned *f)
{
    int rc;

    if (is_ref)
        return pin(d, me, p->u.ref, readonly, f);
    rc = frame_for(me, p->u.gmfn, readonly);
    *f = (unsigned)p->u.gmfn;
    /* Another's is as bad as none. */
    return rc && frame_for(me, p->u.gmfn, true) ? GNTST_bad_page : rc;
}

static int copy_one(unsigned me, const struct gnttab_copy *op)
{
    bool from_ref = op->flags & GNTCOPY_source_gref, to_ref = op->flags & GNTCOPY_dest_gref;
    unsigned from_dom = 0, to_dom = 0, from = 0, to = 0;
    uint8_t through[BYTES];
    int rc = side_domain(me, &op->source, from_ref, &from_dom);

    if (!rc)
        rc = side_domain(me, &op->dest, to_ref, &to_dom);
    if (!rc)
        rc = side_frame(me, from_dom, &op->source, from_ref, true, &from);
    if (rc)
        return rc;
    rc = side_frame(me, to_dom, &op->dest, to_ref, false, &to);
    if (!rc && (op->source.offset + op->len > PAGE_SIZE || op->dest.offset + op->len > PAGE_SIZE)) {
        rc = GNTST_bad_copy_arg;
    } else if (!rc && op->source.offset + op->len <= BYTES && op->dest.offset + op->len <= BYTES) {
        memcpy(through, frames[from].bytes + op->source.offset, op->len);
        memcpy(frames[to].bytes + op->dest.offset, through, op->len);
        done++;
    }
    if (to_ref && (!rc || rc == GNTST_bad_copy_arg))
        unpin(to_dom, op->dest.u.ref, false);
    if (from_ref)
        unpin(from_dom, op->source.u.ref, true);
    return rc;
}

static const char *copy(unsigned me)
{
    struct gnttab_copy op[LISTED];
    unsigned n = 1 + pick(LISTED);

    for (unsigned i = 0; i < n; i++) {
        bool again = i && pick(2); /* the same sides as before: they stay pinned */

        op[i] = (struct gnttab_copy){.flags = (uint16_t)pick(4), .len = (uint16_t)pick(64)};
        op[i].source = any_side(me, op[i].flags & GNTCOPY_source_gref);
        op[i].dest = any_side(me, op[i].flags & GNTCOPY_dest_gref);
        if (again) {
            op[i].flags = op[i - 1].flags;
            op[i].source = op[i - 1].source;
            op[i].dest = op[i - 1].dest;
        }
        if (op[i].source.offset >= BYTES || op[i].dest.offset >= BYTES)
            op[i].len += 20; /* surely too much */
    }
    if (hypercall(do_grant_table_op, GNTTABOP_copy, op, n))
        return "copy fails as a whole";
    for (unsigned i = 0; i < n; i++) {
        int want = copy_one(me, &op[i]);

        if (op[i].status != want)
            return differs("copy %lx of %u to %lx of %u, flags %u: %d, the model says %d",
                           op[i].source.u.gmfn, op[i].source.domid, op[i].dest.u.gmfn,
                           op[i].dest.domid, op[i].flags, op[i].status, want);
    }
    return NULL;
}

/* --- what a guest does to its own table and pages --- */

static const char *write_entry(unsigned me)
{
    static const uint16_t types[] = {GTF_permit_access, GTF_permit_access, GTF_permit_access,
                                     GTF_permit_access, GTF_invalid,       GTF_accept_transfer};
    unsigned ref = pick(REFS);
    struct grant_entry_v1 e = {.flags =
                                   types[pick(ARRAY_SIZE(types))] | (pick(3) ? 0 : GTF_readonly),
                               .domid = any_domid(),
                               .frame = first_frame[me] + pick(FRAMES)};

    if (!pick(12))
        e.frame = pick(FAKE_FRAMES + 20);
    if (!pick(12))
        e.flags |= pick(4) * GTF_reading;
    real[me]->grant->shared[0][ref] = model[me].entry[ref] = e;
    return NULL;
}

static const char *swap(unsigned me)
{
    struct gnttab_swap_grant_ref op = {.ref_a = any_ref(), .ref_b = any_ref()};
    grant_ref_t a = op.ref_a, b = op.ref_b;
    int want = GNTST_okay;

    if (hypercall(do_grant_table_op, GNTTABOP_swap_grant_ref, &op, 1))
        return "swap fails as a whole";
    if (a >= ENTRIES_PER_FRAME || b >= ENTRIES_PER_FRAME)
        want = GNTST_bad_gntref;
    else if (a != b && ((a < REFS && is_pinned(&model[me].pin[a])) ||
                        (b < REFS && is_pinned(&model[me].pin[b]))))
        want = GNTST_eagain;
    if (op.status != want)
        return differs("swapping %u and %u: %d, the model says %d", a, b, op.status, want);
    if (want || a == b)
        return NULL;
    if (a >= REFS || b >= REFS) { /* the model keeps its part: put it back */
        struct grant_entry_v1 *inside = a < REFS   ? &real[me]->grant->shared[0][a]
                                        : b < REFS ? &real[me]->grant->shared[0][b]
                                                   : NULL;

        if (inside)
            *inside = model[me].entry[a < REFS ? a : b];
        if (a >= REFS)
            real[me]->grant->shared[0][a] = (struct grant_entry_v1){0};
        if (b >= REFS)
            real[me]->grant->shared[0][b] = (struct grant_entry_v1){0};
        return NULL;
    }
    struct grant_entry_v1 t = model[me].entry[a];

    model[me].entry[a] = model[me].entry[b];
    model[me].entry[b] = t;
    return NULL;
}

/* A frame becomes a page table, or ends to be one. */
static const char *change_type(unsigned me)
{
    unsigned f = first_frame[me] + pick(FRAMES);

    if (!frames[f].writers && !pick(3))
        fake_frames[f].is_table = frames[f].table = !frames[f].table;
    return NULL;
}

static void drop_all(unsigned user)
{
    for (unsigned h = 0; h < model[user].made; h++) {
        struct mhandle *m = &model[user].handle[h];

        if (m->parts)
            unpin(m->owner, m->ref, m->readonly);
    }
    for (unsigned i = 0; i < MAPS; i++)
        if (maps[i].dom == user)
            maps[i].addr = 0;
}

/* These die, in any order; what is mapped of a dead one keeps it until its mapper is gone, as its
 * frames would. */
static void kill(const bool who[DOMS])
{
    fake_become(this_cpu()->idle);
    for (unsigned d = 0; d < DOMS; d++)
        if (who[d]) {
            drop_all(d);
            domain_hold(real[d]);
        }
    for (unsigned d = DOMS; d-- > 0;)
        if (who[d])
            fake_kill(real[d]);
    for (unsigned d = 0; d < DOMS; d++)
        if (who[d])
            domain_put(real[d]);
}

/* Others give back first what they have of it, mapping by mapping. */
static const char *give_back(unsigned user, unsigned owner)
{
    const char *bad = NULL;

    fake_become(real[user]->vcpu[0]);
    for (unsigned h = 0; h < model[user].made && !bad; h++) {
        const struct mhandle *m = &model[user].handle[h];
        struct gnttab_unmap_grant_ref op = {.handle = h};

        if (!m->parts || m->owner != owner)
            continue;
        if (m->parts & GNTMAP_device_map)
            op.dev_bus_addr = (uint64_t)m->frame << 12;
        for (unsigned k = 0; k < MAPS && (m->parts & GNTMAP_host_map); k++)
            if (maps[k].addr && maps[k].dom == user && maps[k].frame == m->frame)
                op.host_addr = maps[k].addr;
        bad = unmap_list(user, &op, 1);
        if (!bad && m->parts)
            bad = "a mapping that cannot be given back";
    }
    return bad;
}

static const char *die(unsigned me)
{
    bool who[DOMS] = {false};
    const char *bad = NULL;

    for (unsigned d = 0; d < DOMS && !bad; d++)
        if (d != me)
            bad = give_back(d, me);
    if (bad)
        return bad;
    who[me] = true;
    kill(who);
    birth(me);
    return NULL;
}

/* --- comparison --- */

static const char *compare_domain(unsigned d)
{
    struct grant_table *gt = real[d]->grant;
    const struct model *m = &model[d];

    for (unsigned ref = 0; ref < REFS; ref++) {
        const struct active *a = gt->active[0] ? &gt->active[0][ref] : NULL;
        const struct grant_entry_v1 *e = &gt->shared[0][ref];

        if (memcmp(e, &m->entry[ref], sizeof(*e)))
            return differs("entry %u of %u: flags %x domid %u frame %x, the model says %x %u %x",
                           ref, id[d], e->flags, e->domid, e->frame, m->entry[ref].flags,
                           m->entry[ref].domid, m->entry[ref].frame);
        if ((a ? a->readers : 0) != m->pin[ref].readers ||
            (a ? a->writers : 0) != m->pin[ref].writers)
            return differs("entry %u of %u: %u readers, %u writers, the model says %u, %u", ref,
                           id[d], a ? a->readers : 0, a ? a->writers : 0, m->pin[ref].readers,
                           m->pin[ref].writers);
    }
    if (gt->nr_tracks != m->made)
        return differs("domain %u has %u handles, the model says %u", id[d], gt->nr_tracks,
                       m->made);
    for (unsigned h = 0; h < m->made && h < 64; h++) {
        unsigned parts = gt->tracks[h / TRACKS_PER_PAGE][h % TRACKS_PER_PAGE].flags & GRANT_PARTS;

        if (parts != m->handle[h].parts)
            return differs("handle %u of %u: parts %u, the model says %u", h, id[d], parts,
                           m->handle[h].parts);
    }
    return NULL;
}

static const char *compare(void)
{
    const char *bad = NULL;

    for (unsigned d = 0; d < DOMS && !bad; d++)
        bad = compare_domain(d);
    for (unsigned f = 1; f <= nr_frames && !bad; f++)
        if (fake_frames[f].refs != frames[f].refs || fake_frames[f].typed != frames[f].writers)
            bad = differs("frame %u: %u references, %u to write, the model says %u, %u", f,
                          fake_frames[f].refs, fake_frames[f].typed, frames[f].refs,
                          frames[f].writers);
        else if (memcmp(fake_frames[f].page, frames[f].bytes, BYTES))
            bad = differs("frame %u holds other bytes than the model's", f);
    return bad;
}

static const char *step(void)
{
    static const char *(*const how[])(unsigned me) = {
        write_entry, write_entry, map, map, map, unmap, unmap, unmap, copy, copy, swap, change_type,
    };
    unsigned me = pick(DOMS);
    const char *bad;

    fake_become(real[me]->vcpu[0]);
    this_cpu()->softirq_pending = pick(4) ? 0 : 1;
    if (pick(3000))
        bad = how[pick(ARRAY_SIZE(how))](me);
    else
        bad = die(1 + pick(DOMS - 1));
    this_cpu()->softirq_pending = 0;
    if (!pick(4)) { /* a guest at work */
        unsigned f = first_frame[me] + pick(FRAMES), at = pick(BYTES);

        fake_frames[f].page[at] = (char)(frames[f].bytes[at] = (uint8_t)any());
    }
    return bad ? bad : compare();
}

const struct room grants_room = {"grants", begin, step, end, progress};
