/* SPDX-License-Identifier: MIT */
/* The host's end of a guest's interface: see tap.h. By ioctl: six calls do not need a netlink
 * library. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The address of bridge ports: highest, so that a bridge never takes it for its own. */
static const unsigned char port_mac[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};

static int attach(const char *name, struct reason *why)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return because(why, -errno, "cannot open /dev/net/tun: %s; load the module tun",
                       strerror(errno));
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &r) || ioctl(fd, TUNSETPERSIST, 1)) {
        int err = -errno;

        close(fd);
        return because(why, err, "cannot create the link %s: %s%s", name, strerror(-err),
                       err == -EBUSY || err == -EINVAL ? "; another device of that name exists"
                                                       : "");
    }
    return fd;
}

/* The guest's packets are none of dom0's IP stack's business. */
static void no_ipv6(const char *name)
{
    char path[96];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* no IPv6 at all */
    if (write(fd, "1", 1) != 1)
        report("cannot switch IPv6 off on %s: %s", name, strerror(errno));
    close(fd);
}

static int join(int s, const char *name, const char *bridge, struct reason *why)
{
    struct ifreq r = {0}, mtu = {0};

    snprintf(mtu.ifr_name, sizeof(mtu.ifr_name), "%s", bridge);
    if (ioctl(s, SIOCGIFMTU, &mtu))
        return because(why, -errno, "no bridge %s: %s; create it or name another in `bridge`",
                       bridge, strerror(errno));
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    r.ifr_mtu = mtu.ifr_mtu; /* a port with a smaller one would shrink the bridge's */
    ioctl(s, SIOCSIFMTU, &r);

    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", bridge);
    r.ifr_ifindex = (int)if_nametoindex(name);
    if (ioctl(s, SIOCBRADDIF, &r) && errno != EBUSY) /* busy: our predecessor added it */
        return because(why, -errno, "cannot add %s to the bridge %s: %s", name, bridge,
                       strerror(errno));
    return 0;
}

static int configure(const struct tap_config *c, struct reason *why)
{
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = 0;

    if (s < 0)
        return because(why, -errno, "cannot open a socket: %s", strerror(errno));
    no_ipv6(c->name);
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", c->name);
    r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(r.ifr_hwaddr.sa_data, port_mac, sizeof(port_mac));
    if (ioctl(s, SIOCSIFHWADDR, &r))
        err = because(why, -errno, "cannot set the address of %s: %s", c->name, strerror(errno));
    if (!err && c->bridge)
        err = join(s, c->name, c->bridge, why);
    if (!err) {
        r.ifr_flags = IFF_UP | IFF_NOARP;
        if (ioctl(s, SIOCSIFFLAGS, &r))
            err = because(why, -errno, "cannot bring %s up: %s", c->name, strerror(errno));
    }
    close(s);
    return err;
}

int tap_open(const struct tap_config *c, struct reason *why)
{
    int fd, err;

    if (!*c->name || strlen(c->name) >= IFNAMSIZ || strpbrk(c->name, "/ \t\n"))
        return because(why, -EINVAL,
                       "`vifname` %s is not a link name: at most %d letters and digits", c->name,
                       IFNAMSIZ - 1);
    if (c->bridge && strlen(c->bridge) >= IFNAMSIZ)
        return because(why, -EINVAL, "`bridge` %s is not a link name", c->bridge);
    fd = attach(c->name, why);
    if (fd < 0)
        return fd;
    err = configure(c, why);
    if (err) {
        tap_not_persistent(fd);
        close(fd);
        return err;
    }
    return fd;
}

void tap_offload(int fd, const struct tap_offload *o)
{
    unsigned f = o->csum ? TUN_F_CSUM : 0;

    if (o->csum && o->tso4)
        f |= TUN_F_TSO4;
    if (o->csum && o->tso6)
        f |= TUN_F_TSO6;
    if (ioctl(fd, TUNSETOFFLOAD, f) && errno != ENOTTY) /* a test's socket is not a TAP */
        report("cannot set offloads %#x: %s", f, strerror(errno));
}

void tap_carrier(int fd, bool on)
{
    int v = on;

    ioctl(fd, TUNSETCARRIER, &v);
}

void tap_not_persistent(int fd)
{
    ioctl(fd, TUNSETPERSIST, 0);
}

void tap_forget(const char *name)
{
    struct reason why;
    int fd = *name && if_nametoindex(name) ? attach(name, &why) : -1;

    if (fd >= 0) {
        tap_not_persistent(fd);
        close(fd);
    }
}
