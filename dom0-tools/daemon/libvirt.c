/* SPDX-License-Identifier: MIT */
/* Files for libvirtd; see libvirt.h. The form is that of libvirt's documentation of a domain. */
#include "libvirt.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "paths.h"

#define FILE_LIMIT 262144

static const char *installed_sign = PATH_LIBVIRT, *state_folder = PATH_LIBVIRT_STATE;

void libvirt_set_folders(const char *sign, const char *state)
{
    installed_sign = sign;
    state_folder = state;
}

/* <name attribute="text"/> and the like are put together by hand; whatever a document holds goes
 * through here. */
static void text(FILE *out, const char *before, const char *s, const char *after)
{
    fputs(before, out);
    for (; *s; s++)
        if (strchr("&<>'\"", *s))
            fprintf(out, "&#%d;", *s);
        else
            fputc(*s, out);
    fputs(after, out);
}

static void write_disk(FILE *out, const struct disk_config *disk)
{
    bool block = strncmp(disk->image, "/dev/", 5) == 0;

    fprintf(out, "<disk type='%s' device='disk'><driver name='phy' type='raw'/>",
            block ? "block" : "file");
    text(out, block ? "<source dev='" : "<source file='", disk->image, "'/>");
    text(out, "<target dev='", disk->target, "' bus='xen'/>");
    fprintf(out, "%s</disk>\n", disk->mode == DISK_RO ? "<readonly/>" : "");
}

static void write_net(FILE *out, const struct net_config *net, uint32_t domid, uint32_t index)
{
    char name[24];

    snprintf(name, sizeof(name), "vif%" PRIu32 ".%" PRIu32, domid, index);
    fprintf(out, "<interface type='%s'>", net->bridge[0] ? "bridge" : "ethernet");
    text(out, "<mac address='", net->mac, "'/>");
    if (net->bridge[0])
        text(out, "<source bridge='", net->bridge, "'/>");
    text(out, "<target dev='", net->name[0] ? net->name : name, "'/></interface>\n");
}

static void write_devices(FILE *out, const struct domain_config *c, uint32_t domid, const char *tty)
{
    fputs("<devices>\n", out);
    for (uint32_t i = 0; i < c->nr_disks; i++)
        write_disk(out, &c->disks[i]);
    for (uint32_t i = 0; i < c->nr_nets; i++)
        write_net(out, &c->nets[i], domid, i);
    if (tty[0]) {
        text(out, "<console type='pty' tty='", tty, "'>");
        text(out, "<source path='", tty, "'/><target type='xen' port='0'/></console>\n");
    }
    fputs("</devices>\n", out);
}

static void write_status(FILE *out, const struct domain_config *c, uint32_t domid, const char *tty)
{
    fprintf(out, "<domstatus state='running' reason='booted' pid='0'>\n");
    fprintf(out, "<domain type='xen' id='%" PRIu32 "'>\n", domid);
    text(out, "<name>", c->name, "</name>");
    text(out, "<uuid>", c->uuid, "</uuid>\n");
    fputs("<title>made and looked after by mullion</title>\n", out);
    fprintf(out, "<memory unit='KiB'>%" PRIu64 "</memory>", c->memory >> 10);
    fprintf(out, "<vcpu current='%" PRIu32 "'>%" PRIu32 "</vcpu>\n", c->vcpus, c->vcpus_max);
    text(out, "<os><type arch='x86_64' machine='xenpv'>linux</type><kernel>", c->kernel.path,
         "</kernel>");
    if (c->kernel.initrd[0])
        text(out, "<initrd>", c->kernel.initrd, "</initrd>");
    if (c->kernel.cmdline[0])
        text(out, "<cmdline>", c->kernel.cmdline, "</cmdline>");
    fputs("</os>\n<on_poweroff>preserve</on_poweroff><on_reboot>preserve</on_reboot>"
          "<on_crash>preserve</on_crash>\n",
          out);
    write_devices(out, c, domid, tty);
    fputs("</domain>\n</domstatus>\n", out);
}

static void path_of(const struct domain_config *c, char *path, size_t size)
{
    snprintf(path, size, "%s/%s.xml", state_folder, c->name);
}

/* 0: there is none; 1: it speaks of this guest; -1: of another. libvirtd rewrites ours when it has
 * changed the guest's state. */
static int whose(const struct domain_config *c, const char *path)
{
    char *content;
    size_t size;
    int owner;

    if (file_read(path, FILE_LIMIT, &content, &size))
        return 0;
    owner = strcasestr(content, c->uuid) ? 1 : -1;
    free(content);
    return owner;
}

void libvirt_tell(const struct domain_config *config, uint32_t domid, const char *tty)
{
    char path[PATH_MAX], *content = NULL;
    size_t size = 0;
    int error;
    FILE *out;

    path_of(config, path, sizeof(path));
    if (access(installed_sign, F_OK) || whose(config, path) < 0)
        return;
    error = make_folders(state_folder);
    out = error ? NULL : open_memstream(&content, &size);
    if (out) {
        write_status(out, config, domid, tty);
        error = fclose(out) ? -ENOMEM : file_replace(path, content, size);
        free(content);
    } else if (!error) {
        error = -ENOMEM;
    }
    if (error)
        log_line("%s: cannot tell libvirt: %s: %s", config->name, path, strerror(-error));
}

void libvirt_untell(const struct domain_config *config)
{
    char path[PATH_MAX];

    path_of(config, path, sizeof(path));
    if (whose(config, path) > 0)
        unlink(path);
}
