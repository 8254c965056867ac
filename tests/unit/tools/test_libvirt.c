/* SPDX-License-Identifier: MIT */
/* What libvirt is told of a guest: the text, and whose files are touched. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "file.h"
#include "libvirt.h"
#include "tests.h"

#define UUID "1b4e28ba-2fa1-41d2-883f-0016d3cca427"

static char root[] = "/tmp/mullion-libvirt-XXXXXX";
static char folder[sizeof(root) + 16], path[sizeof(folder) + 16];

static const struct domain_config guest = {
    .name = "web",
    .uuid = UUID,
    .memory = 192 << 20,
    .vcpus = 2,
    .vcpus_max = 4,
    .kernel = {"/k&<k>'\"", "/i", "root=/dev/xvda a=\"<&>\""},
    .disks = {{"/images/a'b.img", "xvda", DISK_RW}, {"/dev/vg/<b>", "xvdb", DISK_RO}},
    .nr_disks = 2,
    .nets = {{"br0", "00:16:3e:00:00:01", ""}, {"", "00:16:3e:00:00:02", "tap1"}},
    .nr_nets = 2,
};

/* The whole of it, as libvirt 9.0 read it back (tests/system/dom0/virsh.sh). */
static const char expected[] =
    "<domstatus state='running' reason='booted' pid='0'>\n"
    "<domain type='xen' id='7'>\n"
    "<name>web</name><uuid>" UUID "</uuid>\n"
    "<title>made and looked after by mullion</title>\n"
    "<memory unit='KiB'>196608</memory><vcpu current='2'>4</vcpu>\n"
    "<os><type arch='x86_64' machine='xenpv'>linux</type>"
    "<kernel>/k&#38;&#60;k&#62;&#39;&#34;</kernel><initrd>/i</initrd>"
    "<cmdline>root=/dev/xvda a=&#34;&#60;&#38;&#62;&#34;</cmdline></os>\n"
    "<on_poweroff>preserve</on_poweroff><on_reboot>preserve</on_reboot>"
    "<on_crash>preserve</on_crash>\n"
    "<devices>\n"
    "<disk type='file' device='disk'><driver name='phy' type='raw'/>"
    "<source file='/images/a&#39;b.img'/><target dev='xvda' bus='xen'/></disk>\n"
    "<disk type='block' device='disk'><driver name='phy' type='raw'/>"
    "<source dev='/dev/vg/&#60;b&#62;'/><target dev='xvdb' bus='xen'/><readonly/></disk>\n"
    "<interface type='bridge'><mac address='00:16:3e:00:00:01'/><source bridge='br0'/>"
    "<target dev='vif7.0'/></interface>\n"
    "<interface type='ethernet'><mac address='00:16:3e:00:00:02'/>"
    "<target dev='tap1'/></interface>\n"
    "<console type='pty' tty='/dev/pts/3'><source path='/dev/pts/3'/>"
    "<target type='xen' port='0'/></console>\n"
    "</devices>\n</domain>\n</domstatus>\n";

static bool holds(const char *text)
{
    char *content;
    size_t size;
    bool same;

    if (file_read(path, 65536, &content, &size))
        return false;
    same = strcmp(content, text) == 0;
    free(content);
    return same;
}

static void without_libvirt_nothing(void)
{
    libvirt_set_folders("/nonexistent/libvirt", folder);
    libvirt_tell(&guest, 7, "/dev/pts/3");
    CU_ASSERT_NOT_EQUAL(access(folder, F_OK), 0);
    libvirt_set_folders(root, folder);
}

static void every_field_is_told(void)
{
    libvirt_tell(&guest, 6, "");
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    libvirt_tell(&guest, 7, "/dev/pts/3"); /* again, with more to say */
    CU_ASSERT_TRUE(holds(expected));
}

static void a_stopped_guest_is_not_told(void)
{
    libvirt_tell(&guest, 7, "");
    libvirt_untell(&guest);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    libvirt_untell(&guest);
}

static void anothers_file_is_left_alone(void)
{
    static const char other[] = "<domstatus><domain><uuid>of another</uuid></domain></domstatus>";

    CU_ASSERT_EQUAL(file_replace(path, other, sizeof(other) - 1), 0);
    libvirt_tell(&guest, 7, "");
    CU_ASSERT_TRUE(holds(other));
    libvirt_untell(&guest);
    CU_ASSERT_TRUE(holds(other));
    unlink(path);
}

static int set_up(void)
{
    if (!mkdtemp(root))
        return 1;
    snprintf(folder, sizeof(folder), "%s/run/libxl", root);
    snprintf(path, sizeof(path), "%s/web.xml", folder);
    return 0;
}

static int clean_up(void)
{
    char run[sizeof(root) + 8];

    snprintf(run, sizeof(run), "%s/run", root);
    return rmdir(folder) || rmdir(run) || rmdir(root);
}

void add_libvirt_suite(void)
{
    CU_pSuite s = CU_add_suite("what libvirt is told", set_up, clean_up);

    CU_add_test(s, "nothing where it is not installed", without_libvirt_nothing);
    CU_add_test(s, "every field", every_field_is_told);
    CU_add_test(s, "a stopped guest is taken back", a_stopped_guest_is_not_told);
    CU_add_test(s, "another's file is left alone", anothers_file_is_left_alone);
}
