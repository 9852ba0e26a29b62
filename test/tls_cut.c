/* The proxy's thread: accepts, connects on, waits in poll, and passes bytes,
 * all under one lock but the poll itself; a pipe wakes the thread. */
#define _GNU_SOURCE /* accept4, pipe2: no descriptor leaks into a child */
#include "tls_cut_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 1024
#define WATCHDOG_S 60

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
  struct tls_cut_conn **conns;
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

/* The thread --------------------------------------------------------------- */

static void serve(struct tls_cut *cut, size_t polled) {
  size_t kept = 0;
  for (size_t i = 0; i < cut->conns_len; i++) {
    struct tls_cut_conn *conn = cut->conns[i];
    for (size_t side = 0; side < 2 && 2 + 2 * i + side < polled; side++)
      tls_cut_conn_turn(conn, (enum tls_cut_side)side,
                        cut->polls[2 + 2 * i + side].revents);
    if (cut->now != TLS_CUT_NOTHING)
      tls_cut_conn_act(conn, cut->now);
    if (!tls_cut_conn_is_over(conn)) {
      cut->conns[kept++] = conn;
      continue;
    }
    tls_cut_conn_free(conn);
    cut->counts[TLS_CUT_ENDED]++;
  }
  cut->conns_len = kept;
  cut->now = TLS_CUT_NOTHING;
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
  if (cut->conns_len == cut->conns_cap) {
    cut->conns_cap = cut->conns_cap * 2 + 16;
    cut->conns = must(
        realloc(cut->conns, cut->conns_cap * sizeof(struct tls_cut_conn *)));
  }
  cut->conns[cut->conns_len++] =
      tls_cut_conn_take(fd, server, &cut->rule, cut->counts);
  wake(cut); /* it may be over already */
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
          tls_cut_conn_poll(cut->conns[i], (enum tls_cut_side)side);
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

/* The test's side ---------------------------------------------------------- */

static int make_socket(int family) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  must_be(fd >= 0);
  return fd;
}

static void listen_on_port(struct tls_cut *cut) {
  struct sockaddr_in addr = loopback(0);
  socklen_t len = sizeof addr;
  cut->listener = make_socket(AF_INET);
  must_be(bind(cut->listener, (struct sockaddr *)&addr, len) == 0 &&
          getsockname(cut->listener, (struct sockaddr *)&addr, &len) == 0);
  cut->port = ntohs(addr.sin_port);
}

static void listen_on_path(struct tls_cut *cut, const char *path) {
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  must_be(strlen(path) < sizeof addr.sun_path);
  strcpy(addr.sun_path, path);
  cut->listener = make_socket(AF_UNIX);
  must_be(bind(cut->listener, (struct sockaddr *)&addr, sizeof addr) == 0);
}

struct tls_cut *tls_cut_new(const char *unix_path, int server_port) {
  struct tls_cut *cut = must(calloc(1, sizeof *cut));
  cut->server_port = server_port;
  if (unix_path == NULL)
    listen_on_port(cut);
  else
    listen_on_path(cut, unix_path);
  must_be(listen(cut->listener, BACKLOG) == 0 &&
          pipe2(cut->wake, O_CLOEXEC | O_NONBLOCK) == 0);
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
    tls_cut_conn_free(cut->conns[i]);
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
