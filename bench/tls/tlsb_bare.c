/* The client `bare`: epoll, recv, and mbedTLS as it comes, nothing else. It
 * takes the response head for granted, reads no chunk sizes, and finds each
 * event's number in the record that brought it: what no client on mbedTLS can
 * do without. It reads 64 KiB at a time and sends once for each flight; it
 * shakes hands as the peers' answers come, however many wait behind them. */
#define _GNU_SOURCE /* memmem */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tlsb_mbed.h"

enum bare_step { CONNECTING, SHAKING, OPEN };

struct bare_conn {
  mbedtls_ssl_context ssl;
  struct tlsb_tally tally;
  int fd;
  int step;
  int is_verified; /* a certificate came: the handshake is a full one */
};

/* The buffers are used up within one turn. */
static struct {
  struct tlsb_session *session;
  int epoll;
  struct bare_conn **conns; /* each of its own, as they come */
  double full;
  double resumed;
  const char *in;
  size_t in_len;
  int dry; /* mbedTLS wanted more than there was */
  char out[32768];
  size_t out_len;
} self;

/* mbedTLS's input and output */

static int read_fed(void *ctx, unsigned char *to, size_t room) {
  (void)ctx;
  size_t len = room < self.in_len ? room : self.in_len;
  if (len == 0) {
    self.dry = 1;
    return MBEDTLS_ERR_SSL_WANT_READ;
  }
  memcpy(to, self.in, len);
  self.in += len;
  self.in_len -= len;
  return (int)len;
}

static int write_out(void *ctx, const unsigned char *bytes, size_t len) {
  (void)ctx;
  if (len > sizeof self.out - self.out_len)
    tlsb_fail("bare: a flight is too long");
  memcpy(self.out + self.out_len, bytes, len);
  self.out_len += len;
  return (int)len;
}

static int note_certificate(void *ctx, mbedtls_x509_crt *cert, int depth,
                            uint32_t *flags) {
  struct bare_conn *conn = ctx;
  (void)cert;
  (void)depth;
  (void)flags;
  conn->is_verified = 1;
  return 0;
}

static void flush(struct bare_conn *conn) {
  if (self.out_len > 0 && send(conn->fd, self.out, self.out_len,
                               MSG_NOSIGNAL) != (ssize_t)self.out_len)
    tlsb_fail("bare: send");
  self.out_len = 0;
}

/* Connections -------------------------------------------------------------- */

static void watch(struct bare_conn *conn, int how, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.ptr = conn}};
  if (epoll_ctl(self.epoll, how, conn->fd, &event) != 0)
    tlsb_fail("bare: epoll_ctl");
}

static void begin(struct bare_conn *conn) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  int on = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(self.session->port);
  conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  conn->step = CONNECTING;
  conn->is_verified = 0;
  if (conn->fd < 0 ||
      (connect(conn->fd, (struct sockaddr *)&address, sizeof address) != 0 &&
       errno != EINPROGRESS))
    tlsb_fail("bare: connect");
  setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  tlsb_mbed_setup(&conn->ssl);
  mbedtls_ssl_set_bio(&conn->ssl, NULL, write_out, read_fed, NULL);
  mbedtls_ssl_set_verify(&conn->ssl, note_certificate, conn);
  watch(conn, EPOLL_CTL_ADD, EPOLLOUT);
}

static void hang_up(struct bare_conn *conn) {
  mbedtls_ssl_free(&conn->ssl);
  close(conn->fd);
}

static void end(struct bare_conn *conn) {
  tlsb_session_ended(self.session, &conn->tally);
  self.out_len = 0;
  hang_up(conn);
  begin(conn);
}

static void ask(struct bare_conn *conn) {
  char text[512];
  int len = snprintf(text, sizeof text,
                     "GET " TLSB_PATH "%s HTTP/1.1\r\nHost: " TLSB_HOST "\r\n"
                     "Accept: text/event-stream\r\nCache-Control: no-cache\r\n"
                     "User-Agent: bare\r\n",
                     conn->tally.steady ? "a" : "b");
  if (conn->tally.next > 0)
    len += snprintf(text + len, sizeof text - (size_t)len,
                    "Last-Event-ID: %08u\r\n", (unsigned)conn->tally.next - 1);
  len += snprintf(text + len, sizeof text - (size_t)len, "\r\n");
  if (mbedtls_ssl_write(&conn->ssl, (unsigned char *)text, (size_t)len) != len)
    tlsb_fail("bare: the request was not written");
}

static void come_up(struct bare_conn *conn) {
  if (conn->is_verified)
    self.full++;
  else
    self.resumed++;
  /* In TLS 1.3 it comes later. */
  if (tlsb_mbed_lacks() && self.session->plan.version == 12)
    tlsb_mbed_keep(&conn->ssl);
  conn->step = OPEN;
  ask(conn);
}

/* The server sends one event in a record, and never cuts one. */
static void hear(struct bare_conn *conn, const char *bytes, size_t len) {
  static const char before[] = "data: ";
  const char *data = memmem(bytes, len, before, sizeof before - 1);
  if (data == NULL)
    return;
  data += sizeof before - 1;
  if ((size_t)(bytes + len - data) < TLSB_DATA_LEN_MIN)
    tlsb_fail("bare: a short event");
  tlsb_session_take(self.session, &conn->tally, data);
}

/* One call of mbedTLS. 1: call again; 0: no more for now; -1: it ended. */
static int pull(struct bare_conn *conn) {
  static unsigned char plain[16384 + 1];
  self.dry = 0;
  int code = conn->step == SHAKING
                 ? mbedtls_ssl_handshake(&conn->ssl)
                 : mbedtls_ssl_read(&conn->ssl, plain, sizeof plain - 1);
  if (code == MBEDTLS_ERR_SSL_WANT_READ)
    return !self.dry;
  if (tlsb_mbed_is_ticket(code)) {
    if (tlsb_mbed_lacks())
      tlsb_mbed_keep(&conn->ssl);
    return 1;
  }
  if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
    return -1;
  if (code < 0)
    tlsb_mbed_fail(conn->step == SHAKING ? "handshake" : "read", code);
  if (conn->step == SHAKING)
    come_up(conn);
  else
    hear(conn, (const char *)plain, (size_t)code);
  return !self.session->done;
}

static void serve(struct bare_conn *conn) {
  static char cipher[TLSB_READ_BYTES];
  ssize_t got = 0;
  if (conn->step == CONNECTING) {
    conn->step = SHAKING;
    watch(conn, EPOLL_CTL_MOD, EPOLLIN);
  } else {
    got = recv(conn->fd, cipher, sizeof cipher, 0);
    if (got < 0 && errno == EAGAIN)
      return;
    if (got <= 0) {
      end(conn);
      return;
    }
  }
  self.in = cipher;
  self.in_len = (size_t)got;
  int more;
  do
    more = pull(conn);
  while (more > 0);
  if (more < 0)
    end(conn);
  else
    flush(conn);
}

/* The client --------------------------------------------------------------- */

static void open_conn(int index) {
  struct bare_conn *conn = calloc(1, sizeof *conn);
  if (conn == NULL)
    tlsb_fail("memory");
  self.conns[index] = conn;
  tlsb_tally_init(&conn->tally, self.session, index);
  begin(conn);
}

static void count(double *full, double *resumed) {
  *full = self.full;
  *resumed = self.resumed;
}

static void run(struct tlsb_session *session) {
  struct epoll_event events[256];
  const struct tlsb_plan *plan = &session->plan;
  int all = plan->streams + plan->steady;
  self.session = session;
  self.epoll = epoll_create1(EPOLL_CLOEXEC);
  self.conns = calloc((size_t)all, sizeof *self.conns);
  if (self.conns == NULL)
    tlsb_fail("memory");
  tlsb_mbed_init(session->task);
  if (plan->full && (plan->kind == TLSB_SHAKE || plan->kind == TLSB_IDLE))
    tlsb_mbed_forget();
  tlsb_session_start(session);
  while (!session->done) {
    int len = epoll_wait(self.epoll, events, 256, -1);
    for (int i = 0; i < len && !session->done; i++)
      serve(events[i].data.ptr);
  }
  for (int i = 0; i < all; i++) {
    hang_up(self.conns[i]);
    free(self.conns[i]);
  }
  free(self.conns);
  tlsb_mbed_deinit();
  close(self.epoll);
}

const struct tlsb_client tlsb_bare = {.name = "bare",
                                      .run = run,
                                      .open = open_conn,
                                      .forget = tlsb_mbed_forget,
                                      .count = count};
