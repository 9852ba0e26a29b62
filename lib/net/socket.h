/* System calls on one stream socket, EINTR and the systems' differences hidden.
 * Errors are positive errno values, or negative ones where a count is
 * returned. */
#ifndef RUNNEL_NET_SOCKET_H
#define RUNNEL_NET_SOCKET_H

#include <stddef.h>

#include "../core/world.h"

/* Makes a socket that neither blocks nor passes to another program, and has it
 * connect. *fd: the socket, to be closed even after an error, or -1. 0: the
 * connect is under way, or done. */
int runnel__socket_dial(int *fd, const struct runnel__target *target);

/* How the connect ended, once the socket is writable: 0 or an errno. */
int runnel__socket_result(int fd);

/* How many bytes were taken, 0 when none can be now; never SIGPIPE. */
ptrdiff_t runnel__socket_send(int fd, const char *bytes, size_t len);

/* How many bytes came, 0 when there are none now or, with *end = 1, ever. */
ptrdiff_t runnel__socket_recv(int fd, char *bytes, size_t size, int *end);

/* 1: bytes, an end or an error wait; none of them is taken out. */
int runnel__socket_ready(int fd);

void runnel__socket_close(int fd);

#endif
