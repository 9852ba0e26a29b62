/* The proxy's thread: accepts, connects on, waits in poll, and passes bytes,
 * all under one lock but the poll itself; a pipe wakes the thread. */
#define _GNU_SOURCE /* accept4, pipe2: no descriptor leaks into a child */
#include "tls_cut.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 1024
#define WATCHDOG_S 60
#define ROOM 32768
#define HEADER 5 /* of a record */

/* One direction of one connection. */
struct way {
  unsigned char bytes[ROOM];
  size_t at; /* passed on */
  size_t len;
  size_t header_len; /* of the record under way */
  unsigned char header[HEADER];
  size_t body_left;
  uint64_t records; /* whole */
  uint64_t into;    /* bytes of the next one so far */
  int ended;        /* its sender's FIN came */
  int dribbles;
};

struct conn {
  int fds[2]; /* by enum tls_cut_side; -1: closed */
  struct way ways[2];
  struct tls_cut_rule rule;
  int acted;
  int stalled; /* nothing passes any more; waits for the client's end */
};

struct tls_cut {
  int port;
  int listener;
  int wake[2];
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* Under the lock: */
  int stop;
  int server_port;
  enum tls_cut_act now; /* wanted of all connections */
  struct tls_cut_rule rule;
  uint64_t counts[TLS_CUT_COUNTS];
  struct conn **conns;
  size_t conns_len;
  size_t conns_cap;
  /* The thread's own: */
  struct pollfd *polls;
  size_t polls_cap;
};

static void *must(void *memory) {
  if (memory == NULL) {
    perror("tls_cut");
    abort();
  }
  return memory;
}

static void must_be(int right) {
  if (!right) {
    perror("tls_cut");
    abort();
  }
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in addr = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
  addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return addr;
}

/* Ends ----------------------------------------------------------------------
 */

static void close_side(struct conn *conn, enum tls_cut_side side) {
  if (conn->fds[side] >= 0)
    close(conn->fds[side]);
  conn->fds[side] = -1;
}

static void reset_side(struct conn *conn, enum tls_cut_side side) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  if (conn->fds[side] >= 0)
    setsockopt(conn->fds[side], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close_side(conn, side);
}

/* All of it goes, however small the socket's buffer: for a few bytes only. */
static void inject(const struct conn *conn) {
  const char *bytes = conn->rule.inject;
  size_t left = conn->rule.inject_len;
  while (left > 0) {
    ssize_t sent = send(conn->fds[TLS_CUT_CLIENT], bytes, left, MSG_NOSIGNAL);
    if (sent <= 0)
      return;
    bytes += sent;
    left -= (size_t)sent;
  }
}

/* After this nothing passes. */
static void act(struct conn *conn, enum tls_cut_act what) {
  if (what == TLS_CUT_RESET) {
    reset_side(conn, TLS_CUT_CLIENT);
    reset_side(conn, TLS_CUT_SERVER);
    return;
  }
  conn->stalled = 1;
  if (what == TLS_CUT_FIN) {
    shutdown(conn->fds[TLS_CUT_CLIENT], SHUT_WR);
    close_side(conn, TLS_CUT_SERVER);
  } else if (what == TLS_CUT_INJECT) {
    inject(conn);
  }
}

/* Passing bytes -------------------------------------------------------------
 */

static void count_record(struct tls_cut *cut, enum tls_cut_side from,
                         const struct way *way) {
  uint64_t *counts = cut->counts;
  uint64_t size = (uint64_t)way->header[3] << 8 | way->header[4];
  if (from == TLS_CUT_SERVER) {
    counts[TLS_CUT_SERVER_RECORDS]++;
    return;
  }
  counts[TLS_CUT_CLIENT_RECORDS]++;
  counts[TLS_CUT_CLIENT_ALERT] += way->header[0] == 21;
  counts[TLS_CUT_CLIENT_HANDSHAKE] += way->header[0] == 22;
  if (way->header[0] != 23)
    return;
  counts[TLS_CUT_CLIENT_DATA]++;
  if (size > counts[TLS_CUT_CLIENT_DATA_MAX])
    counts[TLS_CUT_CLIENT_DATA_MAX] = size;
}

/* Reads on in the record by one byte. */
static void read_on(struct tls_cut *cut, enum tls_cut_side from,
                    struct way *way, unsigned char byte) {
  cut->counts[from == TLS_CUT_CLIENT ? TLS_CUT_CLIENT_BYTES
                                     : TLS_CUT_SERVER_BYTES]++;
  way->into++;
  if (way->header_len < HEADER) {
    way->header[way->header_len++] = byte;
    if (way->header_len < HEADER)
      return;
    way->body_left = (size_t)way->header[3] << 8 | way->header[4];
  } else {
    way->body_left--;
  }
  if (way->body_left > 0)
    return;
  count_record(cut, from, way);
  way->records++;
  way->header_len = 0;
  way->into = 0;
}

static int is_due(const struct conn *conn, enum tls_cut_side from) {
  const struct tls_cut_rule *rule = &conn->rule;
  const struct way *way = &conn->ways[from];
  return rule->act != TLS_CUT_NOTHING && !conn->acted && rule->from == from &&
         way->records == rule->records && way->into == rule->bytes;
}

/* Sends on what came up to there. 0: no more can be sent now. */
static int flush(struct conn *conn, enum tls_cut_side from, size_t until) {
  struct way *way = &conn->ways[from];
  while (way->at < until) {
    size_t len = way->dribbles ? 1 : until - way->at;
    ssize_t sent =
        send(conn->fds[!from], way->bytes + way->at, len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return errno == EAGAIN ? 0 : (way->at = until, 1);
    way->at += (size_t)sent;
  }
  return 1;
}

static void come_to_rule(struct tls_cut *cut, struct conn *conn,
                         enum tls_cut_side from) {
  conn->acted = 1;
  cut->counts[TLS_CUT_ACTED]++;
  if (conn->rule.act == TLS_CUT_DRIBBLE)
    conn->ways[from].dribbles = 1;
  else
    act(conn, conn->rule.act);
}

/* Takes in what that side sent, as far as the rule lets it. */
static void take(struct tls_cut *cut, struct conn *conn, enum tls_cut_side from,
                 size_t len) {
  struct way *way = &conn->ways[from];
  size_t got = len;
  way->at = way->len = 0;
  for (size_t i = 0; i < got; i++) {
    if (is_due(conn, from)) {
      must_be(flush(conn, from, i));
      come_to_rule(cut, conn, from);
      if (conn->stalled || conn->fds[TLS_CUT_CLIENT] < 0)
        return;
    }
    read_on(cut, from, way, way->bytes[i]);
  }
  way->len = got;
  int sent = flush(conn, from, got);
  if (sent && is_due(conn, from))
    come_to_rule(cut, conn, from);
}

static void read_side(struct tls_cut *cut, struct conn *conn,
                      enum tls_cut_side from) {
  struct way *way = &conn->ways[from];
  ssize_t len = recv(conn->fds[from], way->bytes, sizeof way->bytes, 0);
  if (len > 0 && !conn->stalled) {
    take(cut, conn, from, (size_t)len);
  } else if (len == 0 && !conn->stalled) {
    way->ended = 1;
    shutdown(conn->fds[!from], SHUT_WR);
  } else if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
    if (len < 0 && !conn->stalled)
      reset_side(conn, !from);
    close_side(conn, TLS_CUT_CLIENT);
    close_side(conn, TLS_CUT_SERVER);
  }
}

/* Something came for this side, or it takes bytes again. */
static void serve_side(struct tls_cut *cut, struct conn *conn,
                       enum tls_cut_side side, short revents) {
  struct way *other = &conn->ways[!side];
  if (revents == 0 || conn->fds[side] < 0)
    return;
  if ((revents & POLLOUT) != 0 && other->at < other->len &&
      flush(conn, !side, other->len) && is_due(conn, !side))
    come_to_rule(cut, conn, !side);
  if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 && conn->fds[side] >= 0)
    read_side(cut, conn, side);
}

/* The thread ----------------------------------------------------------------
 */

/* What is waited for on one side: bytes, unless what came before is still to be
 * sent on; and room for that of the other side. */
static struct pollfd poll_of(const struct conn *conn, enum tls_cut_side side) {
  const struct way *own = &conn->ways[side], *other = &conn->ways[!side];
  struct pollfd poll = {.fd = conn->fds[side]};
  if (conn->stalled) {
    if (side == TLS_CUT_CLIENT)
      poll.events = POLLIN;
    else
      poll.fd = -1;
    return poll;
  }
  if (!own->ended && own->at == own->len)
    poll.events |= POLLIN;
  if (other->at < other->len)
    poll.events |= POLLOUT;
  if (poll.events == 0)
    poll.fd = -1;
  return poll;
}

static int is_over(const struct conn *conn) {
  return conn->fds[TLS_CUT_CLIENT] < 0 ||
         (conn->ways[TLS_CUT_CLIENT].ended && conn->ways[TLS_CUT_SERVER].ended);
}

static void free_conn(struct conn *conn) {
  close_side(conn, TLS_CUT_CLIENT);
  close_side(conn, TLS_CUT_SERVER);
  free(conn);
}

static void serve(struct tls_cut *cut, size_t polled) {
  size_t kept = 0;
  for (size_t i = 0; i < cut->conns_len; i++) {
    struct conn *conn = cut->conns[i];
    for (size_t side = 0; side < 2 && 2 + 2 * i + side < polled; side++)
      serve_side(cut, conn, (enum tls_cut_side)side,
                 cut->polls[2 + 2 * i + side].revents);
    if (cut->now != TLS_CUT_NOTHING)
      act(conn, cut->now);
    if (!is_over(conn)) {
      cut->conns[kept++] = conn;
      continue;
    }
    free_conn(conn);
    cut->counts[TLS_CUT_ENDED]++;
  }
  cut->conns_len = kept;
  cut->now = TLS_CUT_NOTHING;
}

static void set_up(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void wake(struct tls_cut *cut) {
  ssize_t wrote;
  do
    wrote = write(cut->wake[1], "", 1);
  while (wrote < 0 && errno == EINTR);
}

/* On loopback a connect is done, or refused, at once. */
static void adopt(struct tls_cut *cut, int fd) {
  struct sockaddr_in addr = loopback(cut->server_port);
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cut->counts[TLS_CUT_ACCEPTED]++;
  if (server < 0 ||
      connect(server, (struct sockaddr *)&addr, sizeof addr) != 0) {
    perror("tls_cut: the server");
    close(server);
    close(fd);
    cut->counts[TLS_CUT_ENDED]++;
    return;
  }
  struct conn *conn = must(calloc(1, sizeof *conn));
  conn->fds[TLS_CUT_CLIENT] = fd;
  conn->fds[TLS_CUT_SERVER] = server;
  conn->rule = cut->rule;
  set_up(fd);
  set_up(server);
  if (is_due(conn, conn->rule.from)) {
    come_to_rule(cut, conn, conn->rule.from);
    wake(cut); /* it may be over */
  }
  if (cut->conns_len == cut->conns_cap) {
    cut->conns_cap = cut->conns_cap * 2 + 16;
    cut->conns =
        must(realloc(cut->conns, cut->conns_cap * sizeof(struct conn *)));
  }
  cut->conns[cut->conns_len++] = conn;
}

static void accept_all(struct tls_cut *cut) {
  for (;;) {
    int fd = accept4(cut->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
      return;
    adopt(cut, fd);
  }
}

static size_t fill_polls(struct tls_cut *cut) {
  size_t len = 2 * cut->conns_len + 2;
  if (len > cut->polls_cap) {
    cut->polls_cap = len * 2;
    cut->polls = must(realloc(cut->polls, cut->polls_cap * sizeof *cut->polls));
  }
  cut->polls[0] = (struct pollfd){.fd = cut->wake[0], .events = POLLIN};
  cut->polls[1] = (struct pollfd){.fd = cut->listener, .events = POLLIN};
  for (size_t i = 0; i < cut->conns_len; i++)
    for (size_t side = 0; side < 2; side++)
      cut->polls[2 + 2 * i + side] =
          poll_of(cut->conns[i], (enum tls_cut_side)side);
  return len;
}

static void *run(void *arg) {
  struct tls_cut *cut = arg;
  char drained[64];
  pthread_mutex_lock(&cut->lock);
  while (!cut->stop) {
    size_t polled = fill_polls(cut);
    pthread_mutex_unlock(&cut->lock);
    (void)poll(cut->polls, (nfds_t)polled, -1);
    while (read(cut->wake[0], drained, sizeof drained) > 0)
      ;
    pthread_mutex_lock(&cut->lock);
    serve(cut, polled);
    accept_all(cut);
    pthread_cond_broadcast(&cut->changed);
  }
  pthread_mutex_unlock(&cut->lock);
  return NULL;
}

/* The test's side -----------------------------------------------------------
 */

struct tls_cut *tls_cut_new(int server_port) {
  struct tls_cut *cut = must(calloc(1, sizeof *cut));
  struct sockaddr_in addr = loopback(0);
  socklen_t len = sizeof addr;
  cut->server_port = server_port;
  cut->listener =
      socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  must_be(cut->listener >= 0 &&
          bind(cut->listener, (struct sockaddr *)&addr, len) == 0 &&
          getsockname(cut->listener, (struct sockaddr *)&addr, &len) == 0 &&
          listen(cut->listener, BACKLOG) == 0 &&
          pipe2(cut->wake, O_CLOEXEC | O_NONBLOCK) == 0);
  cut->port = ntohs(addr.sin_port);
  pthread_mutex_init(&cut->lock, NULL);
  pthread_cond_init(&cut->changed, NULL);
  must_be(pthread_create(&cut->thread, NULL, run, cut) == 0);
  return cut;
}

void tls_cut_free(struct tls_cut *cut) {
  if (cut == NULL)
    return;
  pthread_mutex_lock(&cut->lock);
  cut->stop = 1;
  pthread_mutex_unlock(&cut->lock);
  wake(cut);
  pthread_join(cut->thread, NULL);
  for (size_t i = 0; i < cut->conns_len; i++)
    free_conn(cut->conns[i]);
  close(cut->listener);
  close(cut->wake[0]);
  close(cut->wake[1]);
  pthread_cond_destroy(&cut->changed);
  pthread_mutex_destroy(&cut->lock);
  free(cut->conns);
  free(cut->polls);
  free(cut);
}

int tls_cut_port(const struct tls_cut *cut) { return cut->port; }

void tls_cut_lead_to(struct tls_cut *cut, int server_port) {
  pthread_mutex_lock(&cut->lock);
  cut->server_port = server_port;
  pthread_mutex_unlock(&cut->lock);
}

void tls_cut_rule(struct tls_cut *cut, struct tls_cut_rule rule) {
  pthread_mutex_lock(&cut->lock);
  cut->rule = rule;
  pthread_mutex_unlock(&cut->lock);
}

void tls_cut_now(struct tls_cut *cut, enum tls_cut_act what) {
  pthread_mutex_lock(&cut->lock);
  cut->now = what;
  wake(cut);
  while (cut->now != TLS_CUT_NOTHING)
    pthread_cond_wait(&cut->changed, &cut->lock);
  pthread_mutex_unlock(&cut->lock);
}

uint64_t tls_cut_count(struct tls_cut *cut, enum tls_cut_count what) {
  pthread_mutex_lock(&cut->lock);
  uint64_t count = cut->counts[what];
  pthread_mutex_unlock(&cut->lock);
  return count;
}

void tls_cut_wait(struct tls_cut *cut, enum tls_cut_count what,
                  uint64_t at_least) {
  struct timespec until;
  int status = 0;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WATCHDOG_S;
  pthread_mutex_lock(&cut->lock);
  while (status == 0 && cut->counts[what] < at_least)
    status = pthread_cond_timedwait(&cut->changed, &cut->lock, &until);
  uint64_t count = cut->counts[what];
  pthread_mutex_unlock(&cut->lock);
  if (count >= at_least)
    return;
  fprintf(stderr, "tls_cut: count %d is %llu, not %llu, after %d s\n",
          (int)what, (unsigned long long)count, (unsigned long long)at_least,
          WATCHDOG_S);
  abort();
}

void tls_cut_forget(struct tls_cut *cut) {
  pthread_mutex_lock(&cut->lock);
  memset(cut->counts, 0, sizeof cut->counts);
  pthread_mutex_unlock(&cut->lock);
}
