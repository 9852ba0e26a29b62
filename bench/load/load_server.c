/* The server: answers every request with an event stream, and sends what was
 * made beforehand when the control socket says so. Never the bottleneck: it
 * hands whole laps to writev. Ends when the control socket does. Knows nothing
 * of clients beyond the end of their request (and Last-Event-ID, in a storm).
 *
 * Control: it first writes its ports; then reads g (blast: send), d (storm:
 * close every connection). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "load.h"

#define HEAD                                                                   \
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"                     \
  "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
#define LAST_CHUNK "0\r\n\r\n"
#define FDS_MAX 20480
#define SLICES_MAX 16

enum peer_state { LISTENING, ASKING, WAITING, SENDING };

struct peer {
  int fd;
  int state;
  uint64_t sent;      /* of laps and last chunk */
  size_t request_len; /* read so far */
  char request[1000]; /* a longer one closes the connection */
};

struct server {
  const struct load_plan *plan;
  int epoll;
  struct load_frames frames;
  struct peer *peers[FDS_MAX]; /* by descriptor; NULL: none */
};

static void watch(struct server *server, struct peer *peer, int how,
                  uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.ptr = peer}};
  if (epoll_ctl(server->epoll, how, peer->fd, &event) != 0)
    load_fail("server: epoll_ctl");
}

static void add_peer(struct server *server, int fd, int state) {
  struct peer *peer = malloc(sizeof *peer);
  if (peer == NULL || fd >= FDS_MAX)
    load_fail("server: too many connections");
  *peer = (struct peer){.fd = fd, .state = state};
  server->peers[fd] = peer;
  watch(server, peer, EPOLL_CTL_ADD, EPOLLIN);
}

static void drop_peer(struct server *server, struct peer *peer) {
  server->peers[peer->fd] = NULL;
  close(peer->fd);
  free(peer);
}

static void accept_all(struct server *server, struct peer *listener) {
  int fd;
  while ((fd = accept4(listener->fd, NULL, NULL,
                       SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    add_peer(server, fd, ASKING);
  }
}

/* The head; in a storm also the event after the last one that it had. */
static void greet(struct server *server, struct peer *peer) {
  char text[512] = HEAD;
  size_t len = sizeof HEAD - 1;
  if (server->plan->kind == LOAD_STORM) {
    const char *id = strstr(peer->request, "Last-Event-ID: ");
    unsigned number = id == NULL ? 0 : load_number(id + 15) + 1;
    char event[128];
    int event_len =
        snprintf(event, sizeof event,
                 "retry: 1\nid: %08u\ndata: {\"n\":%08u}\n\n", number, number);
    len += (size_t)snprintf(text + len, sizeof text - len, "%x\r\n%s\r\n",
                            (unsigned)event_len, event);
  }
  peer->state = WAITING;
  if (send(peer->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
    drop_peer(server, peer);
}

static void hear_request(struct server *server, struct peer *peer) {
  ssize_t got = recv(peer->fd, peer->request + peer->request_len,
                     sizeof peer->request - 1 - peer->request_len, 0);
  if (got < 0 && errno == EAGAIN)
    return;
  if (got <= 0) {
    drop_peer(server, peer);
    return;
  }
  peer->request_len += (size_t)got;
  peer->request[peer->request_len] = '\0';
  if (strstr(peer->request, "\r\n\r\n") != NULL)
    greet(server, peer);
}

static void send_more(struct server *server, struct peer *peer) {
  uint64_t lap = server->frames.len;
  uint64_t laps = lap * (uint64_t)server->plan->laps;
  uint64_t all = laps + sizeof LAST_CHUNK - 1;
  struct iovec slices[SLICES_MAX];
  int count = 0;
  for (uint64_t at = peer->sent; at < all && count < SLICES_MAX; count++) {
    const char *from =
        at < laps ? server->frames.bytes + at % lap : &LAST_CHUNK[at - laps];
    size_t len = (size_t)(at < laps ? lap - at % lap : all - at);
    slices[count].iov_base = (char *)(uintptr_t)from;
    slices[count].iov_len = len;
    at += len;
  }
  ssize_t sent = writev(peer->fd, slices, count);
  if (sent < 0 && errno == EAGAIN)
    return;
  if (sent < 0 || (peer->sent += (uint64_t)sent) == all)
    drop_peer(server, peer);
}

/* 0: the control socket ended. */
static int obey(struct server *server) {
  char order = 0;
  if (read(PAIR_CONTROL_FD, &order, 1) != 1)
    return 0;
  for (int fd = 0; fd < FDS_MAX; fd++) {
    struct peer *peer = server->peers[fd];
    if (peer == NULL || peer->state != WAITING)
      continue;
    if (order == 'd') {
      drop_peer(server, peer);
    } else {
      peer->state = SENDING;
      watch(server, peer, EPOLL_CTL_MOD, EPOLLOUT);
    }
  }
  return 1;
}

static void listen_all(struct server *server) {
  uint16_t ports[LOAD_ADDRESSES];
  for (int i = 0; i < LOAD_ADDRESSES; i++) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)i);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
      load_fail("server: listen");
    ports[i] = ntohs(address.sin_port);
    add_peer(server, fd, LISTENING);
  }
  if (write(PAIR_CONTROL_FD, ports, sizeof ports) != sizeof ports)
    load_fail("server: control");
}

static void serve(struct server *server, struct peer *peer) {
  switch (peer->state) {
  case LISTENING:
    accept_all(server, peer);
    break;
  case SENDING:
    send_more(server, peer);
    break;
  case ASKING:
    hear_request(server, peer);
    break;
  default: /* WAITING: nothing is expected but the client's end */
    drop_peer(server, peer);
  }
}

int load_server_run(const struct load_plan *plan) {
  static struct server server;
  struct epoll_event events[256];
  struct epoll_event control = {.events = EPOLLIN, .data = {.ptr = NULL}};

  server.plan = plan;
  server.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (load_frames_init(&server.frames, plan->size, plan->framing) != 0)
    load_fail("server: memory");
  if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, PAIR_CONTROL_FD, &control) != 0)
    load_fail("server: epoll_ctl");
  listen_all(&server);
  for (;;) {
    int count = epoll_wait(server.epoll, events, 256, -1);
    int ordered = 0;
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == NULL)
        ordered = 1;
      else
        serve(&server, events[i].data.ptr);
    }
    /* Last, for an order frees peers that `events` may still name. */
    if (ordered && !obey(&server))
      break;
  }
  for (int fd = 0; fd < FDS_MAX; fd++)
    if (server.peers[fd] != NULL)
      drop_peer(&server, server.peers[fd]);
  free(server.frames.bytes);
  return 0;
}
