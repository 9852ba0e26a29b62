/* See tls_cut_conn.h. */
#include "tls_cut_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

struct tls_cut_conn {
  int fds[2]; /* by enum tls_cut_side; -1: closed */
  struct way ways[2];
  struct tls_cut_rule rule;
  uint64_t *counts; /* of all connections */
  int acted;
  int stalled; /* nothing passes any more; waits for the client's end */
};

/* Ends --------------------------------------------------------------------- */

static void close_side(struct tls_cut_conn *conn, enum tls_cut_side side) {
  if (conn->fds[side] >= 0)
    close(conn->fds[side]);
  conn->fds[side] = -1;
}

static void reset_side(struct tls_cut_conn *conn, enum tls_cut_side side) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  if (conn->fds[side] >= 0)
    setsockopt(conn->fds[side], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close_side(conn, side);
}

/* All of it goes, however small the socket's buffer: for a few bytes only. */
static void inject(const struct tls_cut_conn *conn) {
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

void tls_cut_conn_act(struct tls_cut_conn *conn, enum tls_cut_act what) {
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

/* Passing bytes ------------------------------------------------------------ */

static void count_record(uint64_t *counts, enum tls_cut_side from,
                         const struct way *way) {
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
static void read_on(struct tls_cut_conn *conn, enum tls_cut_side from,
                    unsigned char byte) {
  struct way *way = &conn->ways[from];
  conn->counts[from == TLS_CUT_CLIENT ? TLS_CUT_CLIENT_BYTES
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
  count_record(conn->counts, from, way);
  way->records++;
  way->header_len = 0;
  way->into = 0;
}

static int is_due(const struct tls_cut_conn *conn, enum tls_cut_side from) {
  const struct tls_cut_rule *rule = &conn->rule;
  const struct way *way = &conn->ways[from];
  return rule->act != TLS_CUT_NOTHING && !conn->acted && rule->from == from &&
         way->records == rule->records && way->into == rule->bytes;
}

/* Sends on what came up to there. 0: no more can be sent now. */
static int flush(struct tls_cut_conn *conn, enum tls_cut_side from,
                 size_t until) {
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

static void come_to_rule(struct tls_cut_conn *conn, enum tls_cut_side from) {
  conn->acted = 1;
  conn->counts[TLS_CUT_ACTED]++;
  if (conn->rule.act == TLS_CUT_DRIBBLE)
    conn->ways[from].dribbles = 1;
  else
    tls_cut_conn_act(conn, conn->rule.act);
}

/* Takes in what that side sent, as far as the rule lets it. */
static void take(struct tls_cut_conn *conn, enum tls_cut_side from,
                 size_t len) {
  struct way *way = &conn->ways[from];
  size_t got = len;
  way->at = way->len = 0;
  for (size_t i = 0; i < got; i++) {
    if (is_due(conn, from)) {
      if (!flush(conn, from, i)) {
        fprintf(stderr, "tls_cut: the client is too slow for a rule\n");
        abort();
      }
      come_to_rule(conn, from);
      if (conn->stalled || conn->fds[TLS_CUT_CLIENT] < 0)
        return;
    }
    read_on(conn, from, way->bytes[i]);
  }
  way->len = got;
  int sent = flush(conn, from, got);
  if (sent && is_due(conn, from))
    come_to_rule(conn, from);
}

static void read_side(struct tls_cut_conn *conn, enum tls_cut_side from) {
  struct way *way = &conn->ways[from];
  ssize_t len = recv(conn->fds[from], way->bytes, sizeof way->bytes, 0);
  if (len > 0 && !conn->stalled) {
    take(conn, from, (size_t)len);
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

void tls_cut_conn_turn(struct tls_cut_conn *conn, enum tls_cut_side side,
                       short revents) {
  struct way *other = &conn->ways[!side];
  if (revents == 0 || conn->fds[side] < 0)
    return;
  if ((revents & POLLOUT) != 0 && other->at < other->len &&
      flush(conn, !side, other->len) && is_due(conn, !side))
    come_to_rule(conn, !side);
  if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 && conn->fds[side] >= 0)
    read_side(conn, side);
}

/* Turns -------------------------------------------------------------------- */

/* Bytes are waited for unless what came before is still to be sent on; and room
 * for that of the other side. */
struct pollfd tls_cut_conn_poll(const struct tls_cut_conn *conn,
                                enum tls_cut_side side) {
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

int tls_cut_conn_is_over(const struct tls_cut_conn *conn) {
  return conn->fds[TLS_CUT_CLIENT] < 0 ||
         (conn->ways[TLS_CUT_CLIENT].ended && conn->ways[TLS_CUT_SERVER].ended);
}

void tls_cut_conn_free(struct tls_cut_conn *conn) {
  close_side(conn, TLS_CUT_CLIENT);
  close_side(conn, TLS_CUT_SERVER);
  free(conn);
}

static void set_up(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
}

struct tls_cut_conn *tls_cut_conn_take(int client, int server,
                                       const struct tls_cut_rule *rule,
                                       uint64_t *counts) {
  struct tls_cut_conn *conn = calloc(1, sizeof *conn);
  if (conn == NULL)
    abort();
  conn->fds[TLS_CUT_CLIENT] = client;
  conn->fds[TLS_CUT_SERVER] = server;
  conn->rule = *rule;
  conn->counts = counts;
  set_up(client);
  set_up(server);
  if (is_due(conn, rule->from))
    come_to_rule(conn, rule->from);
  return conn;
}
