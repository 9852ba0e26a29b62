/* The client `floor`: epoll, recv, memchr for newlines, nothing else. It takes
 * the response head for granted and looks through chunk sizes as if they were
 * lines: what no client can do without. */
#define _GNU_SOURCE /* memmem */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum floor_state { CONNECTING, IN_HEAD, IN_BODY };

struct floor_conn {
  int fd; /* -1: closed */
  uint8_t state;
  struct load_lines lines;
  struct load_tally tally;
};

struct floor {
  struct load_session *session;
  int epoll;
  struct floor_conn *conns;
};

static void watch(struct floor *self, struct floor_conn *conn, int how,
                  uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.ptr = conn}};
  if (epoll_ctl(self->epoll, how, conn->fd, &event) != 0)
    load_fail("floor: epoll_ctl");
}

static void begin(struct floor *self, struct floor_conn *conn) {
  conn->fd = load_raw_connect(self->session, (int)(conn - self->conns));
  conn->state = CONNECTING;
  conn->lines.kept_len = 0;
  watch(self, conn, EPOLL_CTL_ADD, EPOLLOUT);
}

static void end(struct floor *self, struct floor_conn *conn) {
  close(conn->fd);
  conn->fd = -1;
  if (load_session_ended(self->session, &conn->tally))
    begin(self, conn);
}

static void hear(struct floor *self, struct floor_conn *conn, const char *bytes,
                 size_t len) {
  if (conn->state == IN_HEAD) {
    const char *body = memmem(bytes, len, "\r\n\r\n", 4);
    if (body == NULL)
      load_fail("floor: the head is cut");
    conn->state = IN_BODY;
    load_session_opened(self->session);
    len -= (size_t)(body + 4 - bytes);
    bytes = body + 4;
  }
  load_lines_feed(&conn->lines, self->session, &conn->tally, bytes, len);
}

static void serve(struct floor *self, struct floor_conn *conn) {
  static char buffer[LOAD_READ_BYTES];
  if (conn->state == CONNECTING) {
    load_raw_ask(self->session, conn->fd, &conn->tally);
    conn->state = IN_HEAD;
    watch(self, conn, EPOLL_CTL_MOD, EPOLLIN);
    return;
  }
  ssize_t got = recv(conn->fd, buffer, sizeof buffer, 0);
  if (got > 0)
    hear(self, conn, buffer, (size_t)got);
  else if (got == 0 || errno != EAGAIN)
    end(self, conn);
}

void load_floor_run(struct load_session *session) {
  struct epoll_event events[256];
  struct floor self = {.session = session};
  int connections = session->plan.connections;

  self.epoll = epoll_create1(EPOLL_CLOEXEC);
  self.conns = calloc((size_t)connections, sizeof self.conns[0]);
  if (self.conns == NULL)
    load_fail("floor: memory");
  for (int i = 0; i < connections; i++) {
    load_tally_init(&self.conns[i].tally, session);
    begin(&self, &self.conns[i]);
  }
  while (!session->done) {
    int count = epoll_wait(self.epoll, events, 256, -1);
    for (int i = 0; i < count && !session->done; i++)
      serve(&self, events[i].data.ptr);
  }
  for (int i = 0; i < connections; i++)
    if (self.conns[i].fd >= 0)
      close(self.conns[i].fd);
  free(self.conns);
  close(self.epoll);
}
