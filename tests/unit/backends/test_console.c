/* SPDX-License-Identifier: MIT */
/* The console: ring indices that lie, the log's limits, and whole guests with their terminals
 * against the fake machine. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/grant_table.h>

#include "console.h"
#include "fake.h"
#include "terminal.h"

#define DOM  "/local/domain/7"
#define PORT 5u

static void ring_indices(void)
{
    static struct xencons_interface page;
    static const uint32_t bad[] = {2049, 0x80000000, 0xffffffff};
    struct console_ring r;
    char text[CONSOLE_OUT_BYTES];

    /* Indices that wrap, as after 4 GiB of output. */
    page.out_cons = page.out_prod = 0xfffffffe;
    console_ring_init(&r, &page);
    memcpy(page.out + 2046, "ab", 2);
    memcpy(page.out, "cd", 2);
    page.out_prod += 4;
    CU_ASSERT_EQUAL(console_ring_peek(&r, text), 4);
    CU_ASSERT_EQUAL(memcmp(text, "abcd", 4), 0);
    console_ring_consume(&r, 4);
    CU_ASSERT_EQUAL(page.out_cons, 2);
    CU_ASSERT_EQUAL(console_ring_peek(&r, text), 0);
    page.out_cons = 1000; /* the guest rewrites our index: not believed */
    CU_ASSERT_EQUAL(console_ring_peek(&r, text), 0);
    page.out_prod = 2 + 2048;
    CU_ASSERT_EQUAL(console_ring_peek(&r, text), 2048);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        page.out_prod = 2 + bad[i];
        CU_ASSERT_EQUAL(console_ring_peek(&r, text), -EPROTO);
        page.in_cons = r.in_prod - bad[i];
        CU_ASSERT_EQUAL(console_ring_room(&r), -EPROTO);
    }
    page.in_cons = r.in_prod;
    CU_ASSERT_EQUAL(console_ring_room(&r), 1024);
    console_ring_feed(&r, "xyz", 3);
    CU_ASSERT_EQUAL(console_ring_room(&r), 1021);
    CU_ASSERT_EQUAL(page.in_prod, 3);
}

static void names(void)
{
    static const char *const row[][2] = {
        {"web", "web"},           {"../../etc/passwd", "_.._.._etc_passwd"},
        {".hidden", "_hidden"},   {"a b\nc", "a_b_c"},
        {"v1.2-x_y", "v1.2-x_y"},
    };
    char out[32];

    for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
        log_safe_name(out, sizeof(out), row[i][0]);
        if (i == 1) { /* whatever it is, it stays in its directory */
            CU_ASSERT_PTR_NULL(strchr(out, '/'));
            CU_ASSERT_NOT_EQUAL(out[0], '.');
        } else {
            CU_ASSERT_STRING_EQUAL(out, row[i][1]);
        }
    }
}

static off_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) ? -1 : st.st_size;
}

static void log_limits(void)
{
    char dir[] = "/tmp/mullion-log-XXXXXX", old[224], line[100];
    struct log l;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    log_open(&l, dir, "x", 1000);
    snprintf(old, sizeof(old), "%s.1", l.path);
    memset(line, 'a', sizeof(line));
    for (unsigned i = 0; i < 10; i++)
        log_write(&l, line, sizeof(line));
    CU_ASSERT_EQUAL(size_of(l.path), 1000);
    CU_ASSERT_EQUAL(size_of(old), -1);
    log_write(&l, "b", 1);
    CU_ASSERT_EQUAL(size_of(l.path), 1);
    CU_ASSERT_EQUAL(size_of(old), 1000);
    log_close(&l);
    log_open(&l, dir, "x", 1000); /* goes on where it was */
    for (unsigned i = 0; i < 100; i++)
        log_write(&l, line, sizeof(line));
    CU_ASSERT(size_of(l.path) <= 1000 && size_of(old) <= 1000);
    log_close(&l);
    unlink(l.path);
    unlink(old);
    rmdir(dir);
}

/* --- a terminal --- */

#define LINE 64u

/* Line `i` of an output that never repeats itself. */
static void line_of(char line[LINE + 1], unsigned i)
{
    snprintf(line, LINE + 1, "%063u\n", i);
}

/* All that a reader gets. */
static size_t read_all(struct terminal *t, int fd, char *to, size_t room)
{
    size_t got = 0;
    ssize_t n;

    for (unsigned idle = 0; got < room && idle < 200;) {
        n = read(fd, to + got, room - got);
        got += n > 0 ? (size_t)n : 0;
        if (n <= 0) { /* the kernel hands over from a worker of its own */
            terminal_flush(t);
            usleep(1000);
        }
        idle = n > 0 ? 0 : idle + 1;
    }
    return got;
}

/* The reader comes after `lines` were written, and finds the newest of them, whole and in order. */
static void late_reader(unsigned lines, size_t least)
{
    static char got[4 * TERMINAL_KEPT];
    static struct terminal t;
    char name[64], line[LINE + 1];
    size_t n, wrong = 0;
    int fd;

    CU_ASSERT_EQUAL_FATAL(terminal_open(&t, name, sizeof(name)), 0);
    for (unsigned i = 0; i < lines; i++) {
        line_of(line, i);
        terminal_write(&t, line, LINE);
    }
    fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
    CU_ASSERT_FATAL(fd >= 0);
    n = read_all(&t, fd, got, sizeof(got));
    CU_ASSERT(n >= least && n % LINE == 0);
    CU_ASSERT_EQUAL(t.n, 0);
    for (unsigned i = 0; i < n / LINE; i++) {
        line_of(line, lines - (unsigned)(n / LINE) + i);
        wrong += memcmp(got + i * LINE, line, LINE) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    close(fd);
    terminal_close(&t);
}

static void late_reader_gets_all(void)
{
    late_reader(1, LINE);
    late_reader(1000, 1000 * LINE);
    late_reader(1100, 1100 * LINE); /* more than the kernel's queue takes */
}

static void late_reader_gets_newest(void)
{
    late_reader(20000, TERMINAL_KEPT - LINE);
}

static void late_reader_types(void)
{
    static struct terminal t;
    char name[64], text[8];
    int fd;

    CU_ASSERT_EQUAL_FATAL(terminal_open(&t, name, sizeof(name)), 0);
    CU_ASSERT_EQUAL(terminal_read(&t, text, sizeof(text)), 0);
    fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
    CU_ASSERT_EQUAL(write(fd, "ls\r", 3), 3);
    CU_ASSERT_EQUAL(terminal_read(&t, text, sizeof(text)), 3);
    CU_ASSERT_EQUAL(memcmp(text, "ls\r", 3), 0); /* raw */
    close(fd);
    CU_ASSERT_EQUAL(terminal_read(&t, text, sizeof(text)), 0); /* nobody there is no end of file */
    terminal_close(&t);
}

/* --- a guest --- */

struct rig {
    struct fake *f;
    struct loop loop;
    struct consoles all;
    struct xencons_interface *page;
    char dir[64], log[96];
    unsigned foreign_maps;
};

static void *foreign_map(void *ctx, uint32_t domid, uint64_t frame)
{
    struct rig *r = ctx;

    r->foreign_maps++;
    return frame == 3 ? fake_frame(r->f, 3) : NULL;
}

static void foreign_unmap(void *ctx, void *page)
{
    ((struct rig *)ctx)->foreign_maps--;
}

static void start(struct rig *r)
{
    loop_init(&r->loop);
    r->all = (struct consoles){.store = &r->f->store,
                               .xen = &r->f->xen,
                               .loop = &r->loop,
                               .foreign = {foreign_map, foreign_unmap, r},
                               .log_dir = r->dir,
                               .log_limit = LOG_LIMIT};
    CU_ASSERT_EQUAL(consoles_start(&r->all), 0);
}

static struct rig *rig_new(bool granted)
{
    struct rig *r = calloc(1, sizeof(*r));

    r->f = fake_new();
    strcpy(r->dir, "/tmp/mullion-console-XXXXXX");
    if (!mkdtemp(r->dir))
        abort();
    snprintf(r->log, sizeof(r->log), "%s/web.log", r->dir);
    r->page = fake_frame(r->f, 3);
    if (granted)
        fake_grant(r->f, GNTTAB_RESERVED_CONSOLE, 3, false);
    fake_set(r->f, DOM "/name", "web");
    fake_set(r->f, DOM "/console/type", "xenconsoled");
    fake_set(r->f, DOM "/console/ring-ref", "3");
    fake_set(r->f, DOM "/console/port", "%u", PORT);
    start(r);
    return r;
}

static void rig_free(struct rig *r)
{
    consoles_stop(&r->all);
    loop_close(&r->loop);
    CU_ASSERT_EQUAL(r->f->shared->mapped, 0);
    CU_ASSERT_EQUAL(r->f->shared->misuse, 0);
    CU_ASSERT_EQUAL(r->foreign_maps, 0);
    unlink(r->log);
    rmdir(r->dir);
    fake_free(r->f);
    free(r);
}

static void say(struct rig *r, const char *text)
{
    for (; *text; text++)
        r->page->out[MASK_XENCONS_IDX(r->page->out_prod++, r->page->out)] = *text;
    consoles_event(&r->all, (int)PORT + 100);
}

static bool log_is(struct rig *r, const char *text)
{
    char got[256] = {0};
    int fd = open(r->log, O_RDONLY);

    if (fd < 0 || read(fd, got, sizeof(got) - 1) < 0)
        abort();
    close(fd);
    return !strcmp(got, text);
}

static void talk(bool granted)
{
    struct rig *r = rig_new(granted);
    const char *tty = fake_get(r->f, DOM "/console/tty");
    char got[64] = {0};
    int fd;

    CU_ASSERT_PTR_NOT_NULL_FATAL(tty);
    say(r, "booting\n"); /* nobody listens: the log has it */
    CU_ASSERT(log_is(r, "booting\n"));
    CU_ASSERT_EQUAL(r->page->out_cons, 8);
    fd = open(tty, O_RDWR | O_NOCTTY | O_NONBLOCK);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(read(fd, got, sizeof(got)), 8); /* and whoever comes later */
    CU_ASSERT_STRING_EQUAL(got, "booting\n");
    say(r, "login: ");
    CU_ASSERT_EQUAL(read(fd, got, sizeof(got)), 7);
    CU_ASSERT_EQUAL(memcmp(got, "login: ", 7), 0);
    CU_ASSERT_EQUAL(write(fd, "root\n", 5), 5);
    loop_once(&r->loop, 1000);
    CU_ASSERT_EQUAL(r->page->in_prod, 5);
    CU_ASSERT_EQUAL(memcmp(r->page->in, "root\n", 5), 0);
    /* A reader that reads nothing: the guest goes on, the log has everything. */
    for (unsigned i = 0; i < 400; i++)
        say(r, "01234567890123456789012345678901234567890123456789012345678901234567890123456789012"
               "34567890123456789"
               "01234567890123456789012345678901234567890123456789012345678901234567890123456789012"
               "34567890123456789"
               "01234567890123456789012345678901234567890123456789012345678901234567890123456789012"
               "34567890123456789");
    CU_ASSERT_EQUAL(r->page->out_cons, r->page->out_prod);
    CU_ASSERT_EQUAL(size_of(r->log), 15 + 400 * 300);
    /* When it reads again, it gets what waited: the loop sees the room. */
    for (unsigned i = 0; i < 1000 && r->all.list->terminal.n; i++) {
        static char drained[65536];

        while (read(fd, drained, sizeof(drained)) > 0)
            ;
        loop_once(&r->loop, 20);
    }
    CU_ASSERT_EQUAL(r->all.list->terminal.n, 0);
    CU_ASSERT_FALSE(r->all.list->output_waits);
    close(fd);
    rig_free(r);
}

static void talk_by_grant(void)
{
    talk(true);
}

static void talk_by_foreign_page(void)
{
    talk(false);
}

/* The guest's ring is full: what is typed waits in the terminal, and goes on when the guest reads.
 */
static void full_input(void)
{
    struct rig *r = rig_new(true);
    int fd = open(fake_get(r->f, DOM "/console/tty"), O_RDWR | O_NOCTTY | O_NONBLOCK);
    char text[1500];

    memset(text, 'k', sizeof(text));
    CU_ASSERT_EQUAL(write(fd, text, sizeof(text)), (ssize_t)sizeof(text));
    for (unsigned i = 0; i < 10; i++)
        loop_once(&r->loop, 20);
    consoles_event(&r->all, (int)PORT + 100);
    CU_ASSERT_EQUAL(r->page->in_prod, 1024);
    r->page->in_cons = 1024;
    consoles_event(&r->all, (int)PORT + 100);
    CU_ASSERT_EQUAL(r->page->in_prod, 1500);
    close(fd);
    rig_free(r);
}

/* A guest that sends events without end stays masked for a while; its output is not lost. */
static void flood(void)
{
    struct rig *r = rig_new(true);

    for (unsigned i = 0; i < CONSOLE_BURST - 1; i++)
        consoles_event(&r->all, (int)PORT + 100);
    CU_ASSERT_EQUAL(r->f->shared->unmasked[PORT], CONSOLE_BURST - 1);
    say(r, "x");
    CU_ASSERT(log_is(r, "x"));
    CU_ASSERT_EQUAL(r->f->shared->unmasked[PORT], CONSOLE_BURST - 1);
    for (unsigned i = 0; i < 3 && r->f->shared->unmasked[PORT] < CONSOLE_BURST; i++)
        loop_once(&r->loop, 10 * CONSOLE_WINDOW_MS); /* the terminal may speak first */
    CU_ASSERT_EQUAL(r->f->shared->unmasked[PORT], CONSOLE_BURST);
    say(r, "y");
    CU_ASSERT_EQUAL(r->f->shared->unmasked[PORT], CONSOLE_BURST + 1);
    rig_free(r);
}

static void last_words(void)
{
    struct rig *r = rig_new(true);
    const char *text = "Kernel panic\n";

    for (; *text; text++) /* no event follows: the guest died */
        r->page->out[r->page->out_prod++] = *text;
    fake_rm(r->f, DOM);
    consoles_refresh(&r->all);
    CU_ASSERT(log_is(r, "Kernel panic\n"));
    CU_ASSERT_PTR_NULL(r->all.list);
    CU_ASSERT_EQUAL(r->f->shared->mapped, 0);
    rig_free(r);
}

static void hostile_guest(void)
{
    struct rig *r = rig_new(true);

    r->page->out_prod = 5000;
    consoles_event(&r->all, (int)PORT + 100);
    CU_ASSERT_EQUAL(r->f->shared->mapped, 0);
    CU_ASSERT_FALSE(r->f->shared->bound[PORT]);
    consoles_refresh(&r->all); /* and stays so for this domain */
    CU_ASSERT_EQUAL(r->f->shared->mapped, 0);
    rig_free(r);
}

/* Another domain under the same id and with the same numbers is another domain. */
static void reused_id(void)
{
    struct rig *r = rig_new(true);

    say(r, "first");
    memset(r->page, 0, sizeof(*r->page));
    fake_set(r->f, DOM "/vm", "/vm/another");
    consoles_refresh(&r->all);
    say(r, "second");
    CU_ASSERT(log_is(r, "firstsecond"));
    CU_ASSERT_EQUAL(r->f->shared->mapped, 1);
    rig_free(r);
}

static void successor(void)
{
    struct rig *r = rig_new(true);

    say(r, "one ");
    consoles_stop(&r->all); /* what a kill does: nothing is written anywhere */
    loop_close(&r->loop);
    say(r, "two ");
    start(r);
    say(r, "three");
    CU_ASSERT(log_is(r, "one two three"));
    rig_free(r);
}

static const struct test tests[] = {
    {"ring indices", ring_indices},
    {"names", names},
    {"log limits", log_limits},
    {"a terminal: a late reader gets all of it", late_reader_gets_all},
    {"a terminal: after a flood a late reader gets the newest", late_reader_gets_newest},
    {"a terminal: what is typed", late_reader_types},
    {"a conversation, page by grant", talk_by_grant},
    {"a conversation, foreign page", talk_by_foreign_page},
    {"a full input ring", full_input},
    {"a flood of events", flood},
    {"last words", last_words},
    {"a hostile guest", hostile_guest},
    {"a domain id used again", reused_id},
    {"a successor", successor},
};

int main(void)
{
    return suite_run("console", tests, sizeof(tests) / sizeof(*tests));
}
