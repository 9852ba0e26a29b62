/* The scripted peer's thread: listens, accepts, waits in poll, and gives turns
 * to connections (peer_conn.c), all under one lock but the poll itself. The
 * test's side takes the same lock; a pipe wakes the thread. */
#define _GNU_SOURCE /* accept4: no descriptor may leak into a spawned child */
#include "peer.h"

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
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "peer_conn.h"
#include "peer_request.h"

#define BACKLOG 1024

/* What the test wants done to the listener. */
enum peer_ask { ASK_NOTHING, ASK_LISTEN, ASK_REFUSE };

struct peer {
  struct peer_options options;
  char unix_path[108];
  int family;
  int port;
  int wake[2]; /* a pipe: the test writes, the thread reads */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* Under the lock: */
  int listener;
  int listening;
  int stop;
  enum peer_ask ask;
  int dry; /* accept ran out of descriptors: wait until one is given back */
  struct peer_shared shared;
  struct peer_conn **conns;
  size_t conns_len;
  size_t conns_cap;
  /* The thread's own: */
  struct pollfd *polls;
  size_t polls_cap;
};

union any_addr {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
  struct sockaddr_un un;
};

static void *grown(void *array, size_t *cap, size_t want, size_t item) {
  if (want <= *cap)
    return array;
  *cap = want * 2;
  array = realloc(array, *cap * item);
  if (array == NULL)
    abort();
  return array;
}

static socklen_t make_addr(const struct peer *peer, union any_addr *addr) {
  memset(addr, 0, sizeof *addr);
  addr->any.sa_family = (sa_family_t)peer->family;
  const char *address = peer->options.address;
  if (peer->family == AF_UNIX) {
    memcpy(addr->un.sun_path, peer->unix_path, sizeof peer->unix_path);
    return sizeof addr->un;
  }
  if (peer->family == AF_INET6) {
    addr->in6.sin6_addr = in6addr_loopback;
    if (address != NULL)
      (void)inet_pton(AF_INET6, address, &addr->in6.sin6_addr);
    addr->in6.sin6_port = htons((uint16_t)peer->port);
    return sizeof addr->in6;
  }
  addr->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (address != NULL)
    (void)inet_pton(AF_INET, address, &addr->in.sin_addr);
  addr->in.sin_port = htons((uint16_t)peer->port);
  return sizeof addr->in;
}

/* A bound socket; the first call chooses the port, later ones take it again. */
static int bind_listener(struct peer *peer) {
  union any_addr addr;
  socklen_t len = make_addr(peer, &addr);
  int on = 1;
  int fd = socket(peer->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  if (peer->family == AF_UNIX)
    unlink(peer->unix_path);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, &addr.any, len) != 0 || getsockname(fd, &addr.any, &len) != 0) {
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  if (peer->family != AF_UNIX)
    peer->port =
        ntohs(peer->family == AF_INET6 ? addr.in6.sin6_port : addr.in.sin_port);
  return fd;
}

static void wake(struct peer *peer) {
  ssize_t wrote;
  do
    wrote = write(peer->wake[1], "", 1);
  while (wrote < 0 && errno == EINTR);
}

/* The thread -------------------------------------------------------------- */

static void adopt(struct peer *peer, int fd) {
  const struct peer_options *options = &peer->options;
  size_t index = (size_t)peer->shared.counts[PEER_ACCEPTED]++;
  size_t script =
      index < options->scripts_len ? index : options->scripts_len - 1;
  int on = 1, size = options->send_buffer_bytes;
  if (peer->family != AF_UNIX)
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (size > 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  peer->conns = grown(peer->conns, &peer->conns_cap, peer->conns_len + 1,
                      sizeof(struct peer_conn *));
  peer->conns[peer->conns_len++] =
      peer_conn_take(fd, index, options->scripts[script]);
}

static void accept_all(struct peer *peer) {
  while (peer->listening) {
    int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      adopt(peer, fd);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED)
      continue;
    peer->dry = errno == EMFILE || errno == ENFILE;
    return;
  }
}

/* polls[0] is the pipe, polls[1] the listener, then the connections. */
static size_t fill_polls(struct peer *peer, int *timeout_ms) {
  size_t len = peer->conns_len + 2;
  peer->polls = grown(peer->polls, &peer->polls_cap, len, sizeof *peer->polls);
  peer->polls[0] = (struct pollfd){.fd = peer->wake[0], .events = POLLIN};
  int deaf = !peer->listening || peer->dry;
  peer->polls[1] =
      (struct pollfd){.fd = deaf ? -1 : peer->listener, .events = POLLIN};
  *timeout_ms = -1;
  for (size_t i = 0; i < peer->conns_len; i++) {
    struct peer_conn *conn = peer->conns[i];
    peer->polls[i + 2] = (struct pollfd){.fd = peer_conn_fd(conn),
                                         .events = peer_conn_events(conn)};
    if (peer_conn_ready(conn))
      *timeout_ms = 0;
  }
  return len;
}

static void serve(struct peer *peer, size_t polled) {
  size_t kept = 0;
  for (size_t i = 0; i < peer->conns_len; i++) {
    struct peer_conn *conn = peer->conns[i];
    short revents = i + 2 < polled ? peer->polls[i + 2].revents : 0;
    if (peer_conn_turn(conn, &peer->shared, revents)) {
      peer->conns[kept++] = conn;
      continue;
    }
    peer_conn_free(conn);
    peer->shared.counts[PEER_ENDED]++;
    peer->dry = 0;
  }
  peer->conns_len = kept;
}

/* A socket cannot stop listening: it is closed, and another, bound to the same
 * port, holds it without listening. */
static void answer(struct peer *peer) {
  if (peer->ask == ASK_REFUSE && peer->listening) {
    close(peer->listener);
    peer->listener = bind_listener(peer);
    peer->listening = 0;
  } else if (peer->ask == ASK_LISTEN && peer->listener >= 0) {
    peer->listening = listen(peer->listener, BACKLOG) == 0;
  }
  peer->ask = ASK_NOTHING;
  pthread_cond_broadcast(&peer->changed);
}

static void *run(void *arg) {
  struct peer *peer = arg;
  uint64_t seen[PEER_COUNTS] = {0};
  char drained[64];
  pthread_mutex_lock(&peer->lock);
  while (!peer->stop) {
    int timeout_ms;
    size_t polled = fill_polls(peer, &timeout_ms);
    pthread_mutex_unlock(&peer->lock);
    (void)poll(peer->polls, (nfds_t)polled, timeout_ms);
    while (read(peer->wake[0], drained, sizeof drained) > 0)
      ;
    pthread_mutex_lock(&peer->lock);
    if (peer->stop)
      break;
    if (peer->ask != ASK_NOTHING)
      answer(peer);
    serve(peer, polled);
    accept_all(peer);
    int news = memcmp(seen, peer->shared.counts, sizeof seen) != 0;
    if (!news)
      continue;
    memcpy(seen, peer->shared.counts, sizeof seen);
    pthread_cond_broadcast(&peer->changed);
    if (peer->options.on_change == NULL)
      continue;
    pthread_mutex_unlock(&peer->lock);
    peer->options.on_change(peer->options.user);
    pthread_mutex_lock(&peer->lock);
  }
  pthread_mutex_unlock(&peer->lock);
  return NULL;
}

/* The test's side --------------------------------------------------------- */

static int set_up(struct peer *peer) {
  const struct peer_options *options = &peer->options;
  const char *address = options->address;
  peer->family = AF_INET;
  if (address != NULL && strchr(address, ':') != NULL)
    peer->family = AF_INET6;
  if (options->unix_path != NULL) {
    peer->family = AF_UNIX;
    if (strlen(options->unix_path) >= sizeof peer->unix_path)
      return -1;
    strcpy(peer->unix_path, options->unix_path);
  }
  peer->port = options->port;
  if (pipe2(peer->wake, O_CLOEXEC | O_NONBLOCK) != 0)
    return -1;
  peer->listener = bind_listener(peer);
  if (peer->listener < 0)
    return -1;
  if (!options->deaf && listen(peer->listener, BACKLOG) != 0)
    return -1;
  peer->listening = !options->deaf;
  return pthread_create(&peer->thread, NULL, run, peer) == 0 ? 0 : -1;
}

static void free_parts(struct peer *peer) {
  for (size_t i = 0; i < peer->conns_len; i++)
    peer_conn_free(peer->conns[i]);
  for (uint64_t i = 0; i < peer->shared.counts[PEER_REQUESTS]; i++)
    peer_request_free(peer->shared.requests[i]);
  if (peer->listener >= 0)
    close(peer->listener);
  if (peer->wake[0] >= 0) {
    close(peer->wake[0]);
    close(peer->wake[1]);
  }
  if (peer->family == AF_UNIX)
    unlink(peer->unix_path);
  pthread_cond_destroy(&peer->changed);
  pthread_mutex_destroy(&peer->lock);
  free(peer->shared.requests);
  free(peer->conns);
  free(peer->polls);
  free(peer);
}

struct peer *peer_new(const struct peer_options *options) {
  struct peer *peer = calloc(1, sizeof *peer);
  if (peer == NULL)
    abort();
  peer->options = *options;
  peer->shared.user = options->user;
  peer->listener = peer->wake[0] = peer->wake[1] = -1;
  pthread_mutex_init(&peer->lock, NULL);
  pthread_cond_init(&peer->changed, NULL);
  if (set_up(peer) == 0)
    return peer;
  fprintf(stderr, "peer: cannot start: %s\n", strerror(errno));
  free_parts(peer);
  return NULL;
}

void peer_free(struct peer *peer) {
  if (peer == NULL)
    return;
  pthread_mutex_lock(&peer->lock);
  peer->stop = 1;
  pthread_mutex_unlock(&peer->lock);
  wake(peer);
  pthread_join(peer->thread, NULL);
  free_parts(peer);
}

/* The listener is changed by the thread alone: while it polls a socket, a close
 * from outside would not give the port back. */
static int ask_thread(struct peer *peer, enum peer_ask ask) {
  pthread_mutex_lock(&peer->lock);
  peer->ask = ask;
  wake(peer);
  while (peer->ask != ASK_NOTHING)
    pthread_cond_wait(&peer->changed, &peer->lock);
  int status = peer->listener >= 0 && peer->listening == (ask == ASK_LISTEN);
  pthread_mutex_unlock(&peer->lock);
  return status ? 0 : -1;
}

int peer_listen(struct peer *peer) { return ask_thread(peer, ASK_LISTEN); }

int peer_refuse(struct peer *peer) { return ask_thread(peer, ASK_REFUSE); }

void peer_raise(struct peer *peer, uint64_t level) {
  pthread_mutex_lock(&peer->lock);
  if (level > peer->shared.level)
    peer->shared.level = level;
  peer->dry = 0;
  pthread_mutex_unlock(&peer->lock);
  wake(peer);
}

int peer_port(const struct peer *peer) { return peer->port; }

const char *peer_url(const struct peer *peer, const char *target, char *dst,
                     size_t size) {
  int len;
  if (peer->family == AF_UNIX)
    len = snprintf(dst, size, "http://localhost%s", target);
  else
    len = snprintf(dst, size, "http://%s:%d%s",
                   peer->family == AF_INET6 ? "[::1]" : "127.0.0.1", peer->port,
                   target);
  if (len < 0 || (size_t)len >= size)
    abort();
  return dst;
}

uint64_t peer_count(struct peer *peer, enum peer_count what) {
  pthread_mutex_lock(&peer->lock);
  uint64_t count = peer->shared.counts[what];
  pthread_mutex_unlock(&peer->lock);
  return count;
}

int peer_wait_count(struct peer *peer, enum peer_count what,
                    uint64_t at_least) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += PEER_WATCHDOG_S;
  int status = 0;
  pthread_mutex_lock(&peer->lock);
  while (status == 0 && peer->shared.counts[what] < at_least)
    status = pthread_cond_timedwait(&peer->changed, &peer->lock, &until);
  uint64_t count = peer->shared.counts[what];
  pthread_mutex_unlock(&peer->lock);
  if (count >= at_least)
    return 0;
  fprintf(stderr, "peer: count %d is %llu, not %llu, after %d s\n", (int)what,
          (unsigned long long)count, (unsigned long long)at_least,
          PEER_WATCHDOG_S);
  return -1;
}

const struct peer_request *peer_request(struct peer *peer, size_t index) {
  const struct peer_request *request = NULL;
  pthread_mutex_lock(&peer->lock);
  if (index < peer->shared.counts[PEER_REQUESTS])
    request = peer->shared.requests[index];
  pthread_mutex_unlock(&peer->lock);
  return request;
}
