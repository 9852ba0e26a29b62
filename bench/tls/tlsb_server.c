/* The server: answers every request with an event stream, over TLS. Ends when
 * the control socket does. Knows nothing of clients beyond their requests: the
 * letter after TLSB_PATH, and Last-Event-ID.
 *
 * What follows the head and the first event is the scenario's: shake: the end;
 * bulk: events that fill a record each, without end; latency: an event for each
 * steady stream in turn, once all of them are there; else silence.
 *
 * Control: it first writes its port; then reads d: close every connection that
 * is not steady, without a word. */
#define _GNU_SOURCE /* accept4 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tlsb_peer.h"

#define HEAD                                                                   \
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"                     \
  "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
#define LAST_CHUNK "0\r\n\r\n"
#define EVENT_BYTES_MAX 256
#define GATHERED_BYTES ((size_t)98304) /* for one send */
#define PEERS_MAX 20480
/* Events that are later than this are left out: the streams would not have had
 * them in a burst. */
#define LATE_NS UINT64_C(50000000)

enum peer_state { ASKING, WAITING, SENDING };

static struct {
  const struct tlsb_plan *plan;
  SSL_CTX *context;
  int epoll;
  int listener;
  int timer;
  struct tlsb_peer *peers[PEERS_MAX]; /* by descriptor; NULL: none */
  struct tlsb_peer **steady;          /* in the order of coming */
  int steady_len;
  int turn;        /* whose event is next */
  uint64_t due_ns; /* when it is */
  char *record;    /* bulk: a chunk, whose number is written anew each time */
} self;

static void watch(int fd, void *what, int how, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.ptr = what}};
  if (epoll_ctl(self.epoll, how, fd, &event) != 0)
    tlsb_fail("server: epoll_ctl");
}

/* A steady stream goes with the client alone: no more events are due. */
static void drop_peer(struct tlsb_peer *peer) {
  if (peer->steady)
    self.steady_len = 0;
  self.peers[peer->fd] = NULL;
  tlsb_peer_free(peer);
}

/* Sends, and has the rest sent when the socket takes more. 0: peer is gone. */
static int flush(struct tlsb_peer *peer) {
  int all = tlsb_peer_flush(peer);
  if (all < 0) {
    drop_peer(peer);
    return 0;
  }
  uint8_t wants_out = !all || peer->state == SENDING;
  if (wants_out != peer->wants_out)
    watch(peer->fd, peer, EPOLL_CTL_MOD, EPOLLIN | (wants_out ? EPOLLOUT : 0u));
  peer->wants_out = wants_out;
  return 1;
}

/* Events ------------------------------------------------------------------- */

/* The next event in a chunk; its length. */
static size_t print_event(char *to, size_t size, struct tlsb_peer *peer) {
  char event[EVENT_BYTES_MAX];
  int len = snprintf(event, sizeof event,
                     "retry: 1\nid: %08u\ndata: {\"n\":%08u,\"t\":%019llu}\n\n",
                     (unsigned)peer->next, (unsigned)peer->next,
                     (unsigned long long)tlsb_now_ns());
  peer->next++;
  return (size_t)snprintf(to, size, "%x\r\n%s\r\n", (unsigned)len, event);
}

/* A chunk whose one event fills a record. */
static void make_record(size_t record_bytes) {
  char *record = malloc(record_bytes + 1);
  if (record == NULL)
    tlsb_fail("server: memory");
  size_t payload = record_bytes - 2;
  int head = snprintf(NULL, 0, "%zx\r\n", payload);
  payload -= (size_t)head; /* at most one digit less than before */
  head =
      snprintf(record, record_bytes, "%0*zx\r\ndata: {\"n\":%08u,\"t\":%019u}",
               head - 2, payload, 0u, 0u);
  memset(record + head, 'x', record_bytes - (size_t)head);
  memcpy(record + record_bytes - 4, "\n\n\r\n", 5);
  self.record = record;
}

static void send_bulk(struct tlsb_peer *peer) {
  size_t record_bytes = (size_t)self.plan->record_bytes;
  char *number = strchr(self.record, '{') + TLSB_NUMBER_AT;
  size_t gathered = 0;
  while (gathered < GATHERED_BYTES) {
    char digits[TLSB_NUMBER_LEN + 1];
    snprintf(digits, sizeof digits, "%08u",
             (unsigned)peer->next++ % 100000000u);
    memcpy(number, digits, TLSB_NUMBER_LEN);
    tlsb_peer_write(peer, self.record, record_bytes);
    gathered += record_bytes;
  }
  flush(peer);
}

/* Steady events that are due. */
static void tick(void) {
  char event[EVENT_BYTES_MAX + 16];
  if (self.plan->steady == 0 || self.steady_len < self.plan->steady)
    return;
  uint64_t gap_ns =
      TLSB_STEADY_MS * UINT64_C(1000000) / (uint64_t)self.steady_len;
  uint64_t now_ns;
  while (self.steady_len > 0 && (now_ns = tlsb_now_ns()) >= self.due_ns) {
    if (now_ns - self.due_ns > LATE_NS)
      self.due_ns = now_ns;
    struct tlsb_peer *peer = self.steady[self.turn];
    tlsb_peer_write(peer, event, print_event(event, sizeof event, peer));
    self.turn = (self.turn + 1) % self.steady_len;
    self.due_ns += gap_ns;
    flush(peer);
  }
}

static void add_steady(struct tlsb_peer *peer) {
  struct itimerspec every = {.it_interval = {.tv_nsec = 500000},
                             .it_value = {.tv_nsec = 500000}};
  peer->steady = 1;
  self.steady[self.steady_len++] = peer;
  if (self.steady_len < self.plan->steady)
    return;
  self.due_ns = tlsb_now_ns();
  if (timerfd_settime(self.timer, 0, &every, NULL) != 0)
    tlsb_fail("server: timer");
}

/* Requests ----------------------------------------------------------------- */

static void greet(struct tlsb_peer *peer) {
  char text[1024] = HEAD;
  size_t len = sizeof HEAD - 1;
  const char *id = strstr(peer->request, "Last-Event-ID: ");
  if (id != NULL)
    peer->next = (uint32_t)tlsb_number(id + 15, TLSB_NUMBER_LEN) + 1;
  peer->state = WAITING;
  if (self.plan->kind == TLSB_BULK)
    peer->state = SENDING;
  else
    len += print_event(text + len, sizeof text - len, peer);
  if (self.plan->kind == TLSB_SHAKE) {
    memcpy(text + len, LAST_CHUNK, sizeof LAST_CHUNK);
    len += sizeof LAST_CHUNK - 1;
  }
  tlsb_peer_write(peer, text, len);
  if (self.plan->kind == TLSB_SHAKE)
    tlsb_peer_bye(peer);
  if (!flush(peer))
    return;
  if (self.plan->kind == TLSB_SHAKE)
    drop_peer(peer);
  else if (strstr(peer->request, TLSB_PATH "a ") != NULL)
    add_steady(peer);
}

static void hear(struct tlsb_peer *peer) {
  int got = tlsb_peer_read(peer, peer->request + peer->request_len,
                           sizeof peer->request - 1 - peer->request_len);
  if (got < 0 || (got > 0 && peer->state != ASKING)) {
    drop_peer(peer);
    return;
  }
  if (!flush(peer) || got == 0)
    return;
  peer->request_len += (size_t)got;
  peer->request[peer->request_len] = '\0';
  if (strstr(peer->request, "\r\n\r\n") != NULL)
    greet(peer);
}

/* The loop ----------------------------------------------------------------- */

static void accept_all(void) {
  int fd, on = 1;
  while ((fd = accept4(self.listener, NULL, NULL,
                       SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (fd >= PEERS_MAX)
      tlsb_fail("server: too many connections");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    self.peers[fd] = tlsb_peer_new(self.context, fd);
    watch(fd, self.peers[fd], EPOLL_CTL_ADD, EPOLLIN);
  }
}

static void serve(const struct epoll_event *event) {
  if (event->data.ptr == &self.listener) {
    accept_all();
  } else if (event->data.ptr == &self.timer) {
    uint64_t times;
    (void)!read(self.timer, &times, sizeof times);
  } else if ((event->events & ~(uint32_t)EPOLLOUT) != 0) {
    hear(event->data.ptr);
  } else {
    struct tlsb_peer *peer = event->data.ptr;
    if (flush(peer) && peer->state == SENDING && peer->sent == 0)
      send_bulk(peer);
  }
  tick();
}

/* 0: the control socket ended. */
static int obey(void) {
  char order = 0;
  if (read(PAIR_CONTROL_FD, &order, 1) != 1)
    return 0;
  for (int fd = 0; fd < PEERS_MAX; fd++)
    if (self.peers[fd] != NULL && !self.peers[fd]->steady) {
      drop_peer(self.peers[fd]);
      tick();
    }
  return 1;
}

static void begin(const struct tlsb_task *task) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t len = sizeof address;
  self.plan = &task->plan;
  self.context = tlsb_peer_context(task);
  self.steady = calloc((size_t)self.plan->steady + 1, sizeof *self.steady);
  self.epoll = epoll_create1(EPOLL_CLOEXEC);
  self.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  self.listener =
      socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (self.steady == NULL || self.listener < 0 ||
      bind(self.listener, (struct sockaddr *)&address, len) != 0 ||
      listen(self.listener, SOMAXCONN) != 0 ||
      getsockname(self.listener, (struct sockaddr *)&address, &len) != 0)
    tlsb_fail("server: listen");
  if (self.plan->kind == TLSB_BULK)
    make_record((size_t)self.plan->record_bytes);
  watch(self.listener, &self.listener, EPOLL_CTL_ADD, EPOLLIN);
  watch(self.timer, &self.timer, EPOLL_CTL_ADD, EPOLLIN);
  watch(PAIR_CONTROL_FD, NULL, EPOLL_CTL_ADD, EPOLLIN);
  uint16_t port = ntohs(address.sin_port);
  if (write(PAIR_CONTROL_FD, &port, sizeof port) != sizeof port)
    tlsb_fail("server: control");
}

int tlsb_server_run(const struct tlsb_task *task) {
  struct epoll_event events[64];
  begin(task);
  for (;;) {
    int count = epoll_wait(self.epoll, events, 64, -1);
    int ordered = 0;
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == NULL)
        ordered = 1;
      else
        serve(&events[i]);
    }
    /* Last, for an order frees peers that `events` may still name. */
    if (ordered && !obey())
      return 0;
  }
}
