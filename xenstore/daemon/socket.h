/* SPDX-License-Identifier: MIT */
/* socket.h: clients in dom0, on a unix socket that only root may open. They act as dom0. */
#ifndef XSD_SOCKET_H
#define XSD_SOCKET_H

struct loop;
struct store;

/**
 * Serve DIR/socket (and DIR/socket_ro, the same for old tools). The name appears with the first
 * moment at which a connection succeeds, replacing a dead predecessor's.
 * @return 0 or an errno; why is on stderr.
 */
int socket_listen(struct store *s, struct loop *l, const char *dir);

#endif
