/* SPDX-License-Identifier: MIT */
/* socket.h: clients in dom0, on a unix socket that only root may open. They act as dom0. */
#ifndef XSD_SOCKET_H
#define XSD_SOCKET_H

#include <sys/un.h>

struct inherited;
struct loop;
struct store;

/** The address that our sockets are bound to: the passing name of the listener, see socket.c. */
int socket_address(struct sockaddr_un *addr, const char *dir);

/**
 * Serve DIR/socket (and DIR/socket_ro, the same for old tools): on the listener that a predecessor
 * left, or on a new one, whose name appears with the first moment at which a connection succeeds.
 * Clients that a predecessor left go on; those that the journal knows and that are gone are
 * closed. @return 0 or an errno; why is on stderr.
 */
int socket_serve(struct store *s, struct loop *l, const char *dir, struct inherited *in);

#endif
