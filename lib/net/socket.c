/* System calls on one stream socket (POSIX.1-2008; RFC 9293). Knows nothing of
 * loops. No call here can raise SIGPIPE, which would end a host that does not
 * expect it. */
#if defined(__APPLE__)
#define _DARWIN_C_SOURCE 1 /* SO_NOSIGPIPE, TCP_KEEPALIVE */
#endif

#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#if defined(MSG_NOSIGNAL)
#define SEND_FLAGS MSG_NOSIGNAL
#elif defined(SO_NOSIGPIPE)
#define SEND_FLAGS 0 /* the option is set on the socket */
#else
#error "no way to send without SIGPIPE"
#endif

/* An address of any family. */
struct peer {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
  } at;
  socklen_t len;
};

/* 0 or an errno. */
static int set_peer(struct peer *peer, const struct runnel__target *target) {
  memset(peer, 0, sizeof *peer);
  const struct runnel__addr *addr = &target->addr;
  if (target->unix_path != NULL) {
    size_t size = strlen(target->unix_path) + 1;
    if (size > sizeof peer->at.path.sun_path)
      return ENAMETOOLONG;
    peer->at.path.sun_family = AF_UNIX;
    memcpy(peer->at.path.sun_path, target->unix_path, size);
    peer->len = sizeof peer->at.path;
  } else if (addr->v6) {
    peer->at.v6.sin6_family = AF_INET6;
    peer->at.v6.sin6_port = htons(addr->port);
    peer->at.v6.sin6_scope_id = addr->zone;
    memcpy(&peer->at.v6.sin6_addr, addr->ip, 16);
    peer->len = sizeof peer->at.v6;
  } else {
    peer->at.v4.sin_family = AF_INET;
    peer->at.v4.sin_port = htons(addr->port);
    memcpy(&peer->at.v4.sin_addr, addr->ip, 4);
    peer->len = sizeof peer->at.v4;
  }
  return 0;
}

/* The descriptor, or -1 with errno. */
static int open_socket(int family) {
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
  return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0)
    return -1;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    int err = errno;
    close(fd);
    errno = err;
    return -1;
  }
  return fd;
#endif
}

static void set_option(int fd, int level, int name, int value) {
  /* A kernel that refuses one of them still carries bytes. */
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

static void set_tcp_options(int fd, const struct runnel__target *target) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (target->keepalive_s <= 0)
    return;
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#if defined(TCP_KEEPIDLE)
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, target->keepalive_s);
#elif defined(TCP_KEEPALIVE)
  set_option(fd, IPPROTO_TCP, TCP_KEEPALIVE, target->keepalive_s);
#endif
#if defined(TCP_KEEPINTVL) && defined(TCP_KEEPCNT)
  if (target->keepalive_interval_s > 0)
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, target->keepalive_interval_s);
  if (target->keepalive_probes > 0)
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, target->keepalive_probes);
#endif
}

int runnel__socket_dial(int *fd, const struct runnel__target *target) {
  struct peer peer;
  *fd = -1;
  int err = set_peer(&peer, target);
  if (err != 0)
    return err;
  *fd = open_socket(peer.at.any.sa_family);
  if (*fd < 0)
    return errno;
#if defined(SO_NOSIGPIPE)
  set_option(*fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
  if (target->unix_path == NULL)
    set_tcp_options(*fd, target);
  /* A connect that a signal interrupts goes on by itself. */
  if (connect(*fd, &peer.at.any, peer.len) == 0 || errno == EINPROGRESS ||
      errno == EINTR)
    return 0;
  return errno;
}

static int same_end(const struct peer *a, const struct peer *b) {
  if (a->at.any.sa_family != b->at.any.sa_family)
    return 0;
  if (a->at.any.sa_family == AF_INET)
    return a->at.v4.sin_port == b->at.v4.sin_port &&
           a->at.v4.sin_addr.s_addr == b->at.v4.sin_addr.s_addr;
  return a->at.any.sa_family == AF_INET6 &&
         a->at.v6.sin6_port == b->at.v6.sin6_port &&
         memcmp(&a->at.v6.sin6_addr, &b->at.v6.sin6_addr, 16) == 0;
}

/* A dial of a local port that nobody listens on may be given that very port and
 * meet itself (RFC 9293 3.5, simultaneous open): that is nobody's answer. */
int runnel__socket_result(int fd) {
  int err = 0;
  socklen_t err_len = sizeof err;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) != 0)
    return errno;
  if (err != 0)
    return err;
  struct peer here = {.len = sizeof here.at};
  struct peer there = {.len = sizeof there.at};
  if (getpeername(fd, &there.at.any, &there.len) != 0 ||
      getsockname(fd, &here.at.any, &here.len) != 0)
    return errno;
  return same_end(&here, &there) ? ECONNREFUSED : 0;
}

static int is_again(int err) { return err == EAGAIN || err == EWOULDBLOCK; }

ptrdiff_t runnel__socket_send(int fd, const char *bytes, size_t len) {
  ssize_t sent;
  do
    sent = send(fd, bytes, len, SEND_FLAGS);
  while (sent < 0 && errno == EINTR);
  if (sent < 0)
    return is_again(errno) ? 0 : -errno;
  return sent;
}

ptrdiff_t runnel__socket_recv(int fd, char *bytes, size_t size, int *end) {
  ssize_t got;
  do
    got = recv(fd, bytes, size, 0);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return is_again(errno) ? 0 : -errno;
  *end = got == 0;
  return got;
}

/* poll, not a peek: a peek would take a reset out of the socket, and the next
 * read would see an orderly end. */
int runnel__socket_ready(int fd) {
  struct pollfd ask = {fd, POLLIN, 0};
  int ready;
  do
    ready = poll(&ask, 1, 0);
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

void runnel__socket_close(int fd) {
  /* After EINTR it is unspecified whether it is closed; on every system that
   * matters here it is, and a second close might hit another's descriptor. */
  (void)close(fd);
}
