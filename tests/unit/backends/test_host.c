/* SPDX-License-Identifier: MIT */
/*
 * What touches the host itself: the sandbox (in a child), the journal's owner, a TAP in a bridge
 * (in a network namespace of its own, so that nothing of this machine is touched). Needs root;
 * without it each test says that it was skipped.
 */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal.h"
#include "sandbox.h"
#include "tap.h"

/* Runs `child` in a process of its own; its exit status, or -1 when a signal ended it. */
static int in_child(int (*child)(void *arg), void *arg)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        alarm(20);
        _exit(child(arg));
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool skipped(void)
{
    if (geteuid() == 0)
        return false;
    printf("skipped: needs root ... ");
    return true;
}

/* --- the sandbox --- */

struct stage {
    char dir[64];
    struct journal journal;
};

/* Each check has a number of its own, which is the child's exit status when it fails. */
static int sandboxed(void *arg)
{
    struct sandbox s = {.uid = SANDBOX_UID + 7};
    struct stage *st = arg;
    struct reason why;
    void *p;

    if (sandbox_enter(&s, &why)) {
        report("%s", why.text);
        return 1;
    }
    if (setuid(0) == 0)
        return 2;
    if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM)
        return 3;
    if (fork() >= 0)
        return 4;
    if (execl("/bin/true", "true", NULL) == 0 || errno != EPERM)
        return 5;
    if (kill(getppid(), 0) == 0)
        return 6;
    if (ioctl(0, TIOCGWINSZ, &p) == 0 || errno != EPERM)
        return 7;
    /* What it needs still works. */
    p = malloc(1 << 20);
    if (!p)
        return 8;
    memset(p, 1, 1 << 20);
    free(p);
    st->journal.head->epoch = 42;
    journal_remove(&st->journal);
    if (st->journal.head->epoch != 0)
        return 9;
    return 0;
}

static int lost_store(void *arg)
{
    struct sandbox s = {.uid = SANDBOX_UID + 7};
    struct reason why;

    if (sandbox_enter(&s, &why))
        return 99;
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 98 : 97;
}

static void sandbox(void)
{
    struct stage st;
    struct reason why;
    struct stat sb;

    if (skipped())
        return;
    strcpy(st.dir, "/tmp/mullion-host-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(st.dir));
    /* As journal_open() makes the directory itself. */
    CU_ASSERT_EQUAL(chown(st.dir, 0, SANDBOX_GID), 0);
    CU_ASSERT_EQUAL(chmod(st.dir, 01770), 0);
    CU_ASSERT_EQUAL_FATAL(
        journal_open(&st.journal, st.dir, "vbd-7-1", 4096, SANDBOX_UID + 7, SANDBOX_GID, &why), 0);
    CU_ASSERT_EQUAL(in_child(sandboxed, &st), 0);
    CU_ASSERT_EQUAL(stat(st.journal.path, &sb), -1);
    CU_ASSERT_EQUAL(in_child(lost_store, NULL), SANDBOX_LOST_STORE);
    journal_close(&st.journal);
    rmdir(st.dir);
}

static void journal_of_a_stranger(void)
{
    char dir[] = "/tmp/mullion-host-XXXXXX", path[64];
    struct reason why = {""};
    struct journal j;
    int fd;

    if (skipped())
        return;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/vbd-7-1", dir);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", path), 0);
    CU_ASSERT(journal_open(&j, dir, "vbd-7-1", 4096, SANDBOX_UID + 7, SANDBOX_GID, &why) < 0);
    unlink(path);
    fd = open(path, O_CREAT | O_RDWR, 0666);
    CU_ASSERT_EQUAL(fchown(fd, 1234, 1234), 0);
    close(fd);
    CU_ASSERT(journal_open(&j, dir, "vbd-7-1", 4096, SANDBOX_UID + 7, SANDBOX_GID, &why) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, path));
    unlink(path);
    /* Another layout's journal, as after an upgrade, is void. */
    CU_ASSERT_EQUAL(journal_open(&j, dir, "vbd-7-1", 4096, SANDBOX_UID + 7, SANDBOX_GID, &why), 0);
    CU_ASSERT_NOT_EQUAL(journal_begin(&j), 0);
    journal_close(&j);
    CU_ASSERT_EQUAL(journal_open(&j, dir, "vbd-7-1", 4096, SANDBOX_UID + 7, SANDBOX_GID, &why), 0);
    CU_ASSERT_NOT_EQUAL(j.head->epoch, 0);
    journal_close(&j);
    CU_ASSERT_EQUAL(journal_open(&j, dir, "vbd-7-1", 8192, SANDBOX_UID + 7, SANDBOX_GID, &why), 0);
    CU_ASSERT_EQUAL(j.head->epoch, 0);
    journal_remove(&j);
    journal_close(&j);
    rmdir(dir);
}

/* --- the TAP --- */

static bool read_mac(const char *link, char *text, size_t size)
{
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    bool ok;

    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", link);
    ok = ioctl(s, SIOCGIFHWADDR, &r) == 0;
    for (unsigned i = 0; i < 6 && ok; i++)
        snprintf(text + 2 * i, size - 2 * i, "%02x", (unsigned char)r.ifr_hwaddr.sa_data[i]);
    close(s);
    return ok;
}

static unsigned flags_of(const char *link)
{
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    unsigned flags;

    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", link);
    flags = ioctl(s, SIOCGIFFLAGS, &r) ? 0 : (unsigned)r.ifr_flags & 0xffffu;
    close(s);
    return flags;
}

static bool has_carrier(const char *link)
{
    struct ethtool_value v = {.cmd = ETHTOOL_GLINK};
    struct ifreq r = {.ifr_data = (char *)&v};
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", link);
    if (ioctl(s, SIOCETHTOOL, &r))
        v.data = 99;
    close(s);
    return v.data == 1;
}

/* Is the link a port of the bridge? */
static bool is_port(const char *bridge, const char *link)
{
    int ports[64] = {0}, index = (int)if_nametoindex(link);
    unsigned long args[4] = {7 /* BRCTL_GET_PORT_LIST */, (unsigned long)ports, 64, 0};
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    bool found = false;

    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", bridge);
    r.ifr_data = (char *)args;
    if (ioctl(s, SIOCDEVPRIVATE, &r) >= 0)
        for (unsigned i = 0; i < 64; i++)
            found |= ports[i] == index;
    close(s);
    return found;
}

static int tap_life(void *arg)
{
    struct tap_config c = {.name = "vif7.0", .bridge = "br-test"},
                      bad = {.name = "vif7.1", .bridge = "nowhere"};
    struct reason why = {""};
    char mac[16];
    int s, fd;

    if (unshare(CLONE_NEWNET))
        return 77;
    s = socket(AF_INET, SOCK_DGRAM, 0);
    if (ioctl(s, SIOCBRADDBR, "br-test"))
        return 77; /* no bridge on this kernel */
    close(s);
    fd = tap_open(&c, &why);
    if (fd < 0) {
        report("%s", why.text);
        return 1;
    }
    if (!read_mac("vif7.0", mac, sizeof(mac)) || strcmp(mac, "feffffffffff"))
        return 2;
    if (!(flags_of("vif7.0") & IFF_UP) || !is_port("br-test", "vif7.0"))
        return 3;
    tap_carrier(fd, false);
    if (has_carrier("vif7.0"))
        return 4;
    tap_carrier(fd, true);
    if (!has_carrier("vif7.0"))
        return 11;
    tap_offload(fd, &(struct tap_offload){true, true, true});
    close(fd); /* killed: the link stays, in its bridge */
    if (!is_port("br-test", "vif7.0"))
        return 5;
    fd = tap_open(&c, &why);
    if (fd < 0 || !is_port("br-test", "vif7.0"))
        return 6;
    tap_not_persistent(fd);
    close(fd); /* gone for good */
    if (if_nametoindex("vif7.0"))
        return 7;
    fd = tap_open(&c, &why);
    close(fd);
    tap_forget("vif7.0"); /* what a killed one left */
    if (if_nametoindex("vif7.0"))
        return 8;
    if (tap_open(&bad, &why) >= 0 || !strstr(why.text, "nowhere") || if_nametoindex("vif7.1"))
        return 9;
    bad = (struct tap_config){.name = "../../etc"};
    return tap_open(&bad, &why) >= 0 ? 10 : 0;
}

static void tap(void)
{
    int status = skipped() ? 0 : in_child(tap_life, NULL);

    if (status == 77)
        printf("skipped: no network namespace or bridge here ... ");
    else
        CU_ASSERT_EQUAL(status, 0);
}

static const struct test tests[] = {
    {"the sandbox", sandbox},
    {"the journal of a stranger", journal_of_a_stranger},
    {"a TAP in a bridge", tap},
};

int main(void)
{
    return suite_run("backends and the host", tests, sizeof(tests) / sizeof(*tests));
}
