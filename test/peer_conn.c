/* A connection of the scripted peer. Invariants: `out` holds the bytes of the
 * step that is being sent and nothing else; `begun` tells whether the step at
 * `at` has been begun; the client's FIN or RST ends the connection. */
#include "peer_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer_request.h"

/* Bytes sent in one turn before other connections get theirs. */
#define TURN_BYTES_MAX (256U * 1024)
#define FLOOD_BLOCK_BYTES (64U * 1024)

struct peer_conn {
  int fd;
  size_t index;
  const struct peer_step *script;
  size_t at;
  int begun; /* the step at `at` */
  int eof;   /* the client closed, or reset */
  int full;  /* the socket took no more bytes */
  struct peer_out in;
  struct peer_out out;
  size_t sent;               /* of `out` */
  uint64_t blocks;           /* times `out` is still to be sent after this one;
                                UINT64_MAX: without end */
  size_t tail;               /* bytes of `out` in the last of them */
  struct peer_request *last; /* owned by peer_shared; NULL: none yet */
  struct peer_step after;    /* what a PEER_DO function wanted next */
};

enum turn { TURN_NEXT, TURN_STAY, TURN_YIELD, TURN_OVER };

struct peer_conn *peer_conn_take(int fd, size_t index,
                                 const struct peer_step *script) {
  struct peer_conn *conn = calloc(1, sizeof *conn);
  if (conn == NULL)
    abort();
  conn->fd = fd;
  conn->index = index;
  conn->script = script;
  return conn;
}

void peer_conn_free(struct peer_conn *conn) {
  close(conn->fd);
  peer_out_deinit(&conn->in);
  peer_out_deinit(&conn->out);
  free(conn);
}

int peer_conn_fd(const struct peer_conn *conn) { return conn->fd; }

/* A flood whose block went out has more of them to send. */
static int sending(const struct peer_conn *conn) {
  return conn->sent < conn->out.len || conn->blocks > 0;
}

short peer_conn_events(const struct peer_conn *conn) {
  return (short)(POLLIN | (sending(conn) ? POLLOUT : 0));
}

int peer_conn_ready(const struct peer_conn *conn) {
  return sending(conn) && !conn->full;
}

static void read_all(struct peer_conn *conn) {
  char bytes[16384];
  for (;;) {
    ssize_t len = recv(conn->fd, bytes, sizeof bytes, 0);
    if (len > 0) {
      peer_write(&conn->in, bytes, (size_t)len);
      continue;
    }
    if (len < 0 && errno == EINTR)
      continue;
    if (len == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
      conn->eof = 1;
    return;
  }
}

static void record(struct peer_shared *shared, struct peer_request *request) {
  size_t len = (size_t)shared->counts[PEER_REQUESTS];
  if (len == shared->requests_cap) {
    shared->requests_cap = len == 0 ? 16 : len * 2;
    shared->requests = realloc(shared->requests,
                               shared->requests_cap * sizeof *shared->requests);
    if (shared->requests == NULL)
      abort();
  }
  shared->requests[len] = request;
  shared->counts[PEER_REQUESTS]++;
}

static enum turn play_read(struct peer_conn *conn, struct peer_shared *shared) {
  struct peer_request *request = peer_request_take(&conn->in, conn->index);
  if (request == NULL)
    return TURN_STAY;
  record(shared, request);
  conn->last = request;
  return TURN_NEXT;
}

static void load(struct peer_conn *conn) {
  conn->out.len = 0;
  conn->sent = 0;
  conn->blocks = 0;
}

static void load_flood(struct peer_conn *conn, const char *bytes, size_t len,
                       uint64_t times) {
  uint64_t per_block = FLOOD_BLOCK_BYTES / len + 1;
  for (uint64_t i = 0; i < per_block; i++)
    peer_write(&conn->out, bytes, len);
  if (times == 0) {
    conn->blocks = UINT64_MAX;
    return;
  }
  uint64_t full = times / per_block;
  conn->tail = (size_t)(times % per_block) * len;
  conn->blocks = full;
  if (full == 0)
    conn->out.len = conn->tail;
}

static void load_step(struct peer_conn *conn, const struct peer_step *step,
                      struct peer_shared *shared) {
  static const struct peer_step then[] = {[PEER_THEN_CLOSE] = PEER_END(),
                                          [PEER_THEN_RESET] = PEER_RESET(),
                                          [PEER_THEN_STALL] = PEER_STALL()};
  size_t len = step->len;
  if (len == 0 && step->bytes != NULL)
    len = strlen(step->bytes);
  load(conn);
  conn->after.act = PEER_ACT_DO;
  if (step->act == PEER_ACT_DO) {
    enum peer_then what =
        step->answer(&conn->out, conn->last, conn->index, shared->user);
    if (what != PEER_THEN_GO_ON)
      conn->after = then[what];
  } else if (step->act == PEER_ACT_FLOOD) {
    load_flood(conn, step->bytes, len, step->number);
  } else {
    if (step->act == PEER_ACT_CHUNK)
      peer_printf(&conn->out, "%zx\r\n", len);
    peer_write(&conn->out, step->bytes, len);
    if (step->act == PEER_ACT_CHUNK)
      peer_write(&conn->out, "\r\n", 2);
  }
}

/* The block of a flood was sent: 1 when another one follows. */
static int reload(struct peer_conn *conn) {
  if (conn->blocks == 0)
    return 0;
  conn->sent = 0;
  if (conn->blocks == UINT64_MAX)
    return 1;
  if (--conn->blocks == 0)
    conn->out.len = conn->tail;
  return conn->out.len > 0;
}

/* One send. > 0: bytes went out; 0: the socket is full, or the client gone. */
static size_t send_some(struct peer_conn *conn, size_t piece,
                        struct peer_shared *shared) {
  size_t len = conn->out.len - conn->sent;
  if (piece > 0 && piece < len)
    len = piece;
  ssize_t took;
  do
    took = send(conn->fd, conn->out.bytes + conn->sent, len, MSG_NOSIGNAL);
  while (took < 0 && errno == EINTR);
  if (took < 0) {
    conn->full = errno == EAGAIN || errno == EWOULDBLOCK;
    conn->eof = !conn->full;
    shared->counts[PEER_BLOCKED] += (uint64_t)conn->full;
    return 0;
  }
  conn->sent += (size_t)took;
  shared->counts[PEER_SENT] += (uint64_t)took;
  return (size_t)took;
}

static enum turn end_step(struct peer_conn *conn);

static enum turn play_send(struct peer_conn *conn, const struct peer_step *step,
                           struct peer_shared *shared) {
  if (!conn->begun)
    load_step(conn, step, shared);
  conn->begun = 1;
  for (size_t total = 0; conn->sent < conn->out.len || reload(conn);) {
    size_t took = send_some(conn, step->piece, shared);
    if (took == 0)
      return conn->eof ? TURN_OVER : TURN_STAY;
    total += took;
    if (sending(conn) && (step->piece > 0 || total > TURN_BYTES_MAX))
      return TURN_YIELD;
  }
  return conn->after.act == PEER_ACT_DO ? TURN_NEXT : end_step(conn);
}

/* Half of an orderly close; the client's own FIN is the other. */
static enum turn play_end(struct peer_conn *conn) {
  if (!conn->begun)
    shutdown(conn->fd, SHUT_WR);
  conn->begun = 1;
  return TURN_STAY;
}

static enum turn play_reset(struct peer_conn *conn) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  return TURN_OVER;
}

static enum turn play_wait(struct peer_conn *conn, const struct peer_step *step,
                           struct peer_shared *shared) {
  if (shared->level >= step->number)
    return TURN_NEXT;
  shared->counts[PEER_WAITING] += !conn->begun;
  conn->begun = 1;
  return TURN_STAY;
}

/* A PEER_DO function wanted an end: what follows takes the step's place. */
static enum turn end_step(struct peer_conn *conn) {
  if (conn->after.act == PEER_ACT_RESET)
    return play_reset(conn);
  if (conn->after.act == PEER_ACT_END)
    shutdown(conn->fd, SHUT_WR);
  static const struct peer_step stall[] = {PEER_STALL()};
  conn->script = stall;
  conn->at = 0;
  return TURN_STAY;
}

static enum turn play_step(struct peer_conn *conn, struct peer_shared *shared) {
  const struct peer_step *step = &conn->script[conn->at];
  switch (step->act) {
  case PEER_ACT_READ:
    return play_read(conn, shared);
  case PEER_ACT_SEND:
  case PEER_ACT_CHUNK:
  case PEER_ACT_FLOOD:
  case PEER_ACT_DO:
    return play_send(conn, step, shared);
  case PEER_ACT_WAIT:
    return play_wait(conn, step, shared);
  case PEER_ACT_HALF_CLOSE:
    shutdown(conn->fd, SHUT_WR);
    return TURN_NEXT;
  case PEER_ACT_RESET:
    return play_reset(conn);
  case PEER_ACT_AGAIN:
    conn->at = (size_t)-1; /* stepped over to 0 */
    return TURN_NEXT;
  case PEER_ACT_STALL:
    return TURN_STAY;
  case PEER_ACT_END:
    break;
  }
  return play_end(conn);
}

int peer_conn_turn(struct peer_conn *conn, struct peer_shared *shared,
                   short revents) {
  if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0)
    read_all(conn);
  if ((revents & POLLOUT) != 0)
    conn->full = 0;
  if (conn->full && !conn->eof)
    return 1;
  enum turn turn = TURN_NEXT;
  while (turn == TURN_NEXT) {
    turn = play_step(conn, shared);
    if (turn == TURN_NEXT) {
      conn->at++;
      conn->begun = 0;
    }
  }
  return turn != TURN_OVER && !conn->eof;
}
