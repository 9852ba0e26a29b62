/* A small session server on loopback, as an agent's back end would be: each
 * session is a log of events with ids from 1 on, which grows by the clock and
 * can be read again from any id (`Last-Event-ID`).
 *
 *   GET /stream?sessionId=ID   200 text/event-stream, or 404 as JSON
 *   GET /fail                  500 as JSON
 *
 * Every event has `event`, `id`, `retry` and one JSON object as `data`; every
 * eighth is a heartbeat, the first is `connected`, the last `complete`. With
 * --drop each session's first connection is cut in the middle of an event. With
 * --cert and --key it speaks TLS (session_tls). Prints its port, one line; ends
 * when its standard input does.
 *
 * What a client sends is bounded: one head of 8 KiB, the rest is not read. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "session_tls.h"

#define HEAD_BYTES_MAX 8192
#define QUEUE_BYTES_MAX 65536
#define EVENT_BYTES_MAX 512
#define SESSIONS_MAX 1000
#define HEARTBEAT_EVERY 8

struct session {
  unsigned newest; /* id of the last event so far; 0: not started */
  int dropped;     /* its one cut has been made */
};

struct peer {
  uv_tcp_t tcp;
  struct session_tls *tls; /* NULL: plain */
  struct peer *next;
  struct session *session; /* NULL: no stream (yet, or an error was sent) */
  unsigned sent;           /* id of the last event sent */
  int asked;               /* its request was read */
  size_t head_len;
  char head[HEAD_BYTES_MAX + 1];
};

/* What follows bytes that were sent. */
enum after { GO_ON, CLOSE, CUT }; /* CUT: over TLS without a close_notify */

struct send {
  uv_write_t write;
  enum after after;
  char *bytes; /* owned */
};

static struct {
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_timer_t clock;
  uv_pipe_t parent; /* standard input */
  struct peer *peers;
  struct session sessions[SESSIONS_MAX];
  unsigned sessions_len;
  unsigned events;
  unsigned interval_ms;
  unsigned retry_ms;
  unsigned port;
  int drop;
  const char *cert; /* argv's; NULL: plain */
  const char *key;
} server = {
    .sessions_len = 8, .events = 25, .interval_ms = 120, .retry_ms = 250};

static const char *const words[] = {"Reading the file",
                                    "It holds the table of rates",
                                    "Three of them changed last week",
                                    "Comparing with the archive",
                                    "The sums agree",
                                    "Writing a summary",
                                    "Checking it once more",
                                    "Almost there"};

static void on_peer_closed(uv_handle_t *handle) {
  struct peer *peer = handle->data;
  struct peer **at = &server.peers;
  while (*at != NULL && *at != peer)
    at = &(*at)->next;
  if (*at != NULL)
    *at = peer->next;
  session_tls_free(peer->tls);
  free(peer);
}

static void close_peer(struct peer *peer) {
  if (!uv_is_closing((uv_handle_t *)&peer->tcp))
    uv_close((uv_handle_t *)&peer->tcp, on_peer_closed);
}

static void pump(struct peer *peer);

static void on_sent(uv_write_t *write, int status) {
  struct send *send = (struct send *)(void *)write;
  struct peer *peer = write->handle->data;
  if (status != 0 || send->after != GO_ON)
    close_peer(peer);
  else
    pump(peer);
  free(send->bytes);
  free(send);
}

/* Takes `bytes` over; NULL: there was no memory for them. */
static void write_bytes(struct peer *peer, char *bytes, size_t len,
                        enum after after) {
  struct send *send = malloc(sizeof *send);
  uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);
  if (send != NULL && bytes != NULL) {
    send->after = after;
    send->bytes = bytes;
    if (uv_write(&send->write, (uv_stream_t *)&peer->tcp, &buf, 1, on_sent) ==
        0)
      return;
  }
  free(send);
  free(bytes);
  close_peer(peer);
}

/* Sends what TLS has to say. */
static void flush_tls(struct peer *peer, enum after after) {
  size_t len;
  char *bytes = session_tls_take_out(peer->tls, &len);
  if (len > 0)
    write_bytes(peer, bytes, len, after);
  else if (after != GO_ON)
    close_peer(peer);
}

static void send_bytes(struct peer *peer, const char *bytes, size_t len,
                       enum after after) {
  if (peer->tls == NULL) {
    char *copy = malloc(len);
    if (copy != NULL)
      memcpy(copy, bytes, len);
    write_bytes(peer, copy, len, after);
  } else if (session_tls_send(peer->tls, bytes, len) != 0) {
    close_peer(peer);
  } else {
    if (after == CLOSE)
      session_tls_bye(peer->tls);
    flush_tls(peer, after);
  }
}

static void send_error(struct peer *peer, int status, const char *reason,
                       const char *type, const char *message) {
  char body[256];
  char answer[512];
  int len =
      snprintf(body, sizeof body,
               "{\"error\":{\"code\":%d,\"message\":\"%s\",\"type\":\"%s\"}}",
               status, message, type);
  len = snprintf(answer, sizeof answer,
                 "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n"
                 "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                 status, reason, len, body);
  send_bytes(peer, answer, (size_t)len, CLOSE);
}

/* The event `id` of a session, always the same. */
static int print_event(char *dst, size_t size, size_t session, unsigned id) {
  const char *type = "content";
  char data[256];
  if (id == 1) {
    type = "connected";
    snprintf(data, sizeof data, "{\"sessionId\":\"session-%zu\"}", session + 1);
  } else if (id == server.events) {
    type = "complete";
    snprintf(data, sizeof data, "{\"type\":\"complete\",\"done\":true}");
  } else if (id % HEARTBEAT_EVERY == 0) {
    type = "heartbeat";
    snprintf(data, sizeof data, "{\"type\":\"ping\"}");
  } else {
    snprintf(data, sizeof data, "{\"type\":\"content\",\"content\":\"%s\"}",
             words[(session + id) % (sizeof words / sizeof *words)]);
  }
  return snprintf(dst, size, "event: %s\nid: %u\nretry: %u\ndata: %s\n\n", type,
                  id, server.retry_ms, data);
}

/* Sends the next event as one chunk, or, for the one cut, half of it. */
static void send_event(struct peer *peer) {
  char event[EVENT_BYTES_MAX];
  char chunk[EVENT_BYTES_MAX + 16];
  struct session *session = peer->session;
  unsigned id = peer->sent + 1;
  int cut = server.drop && !session->dropped && id > server.events / 2;
  int len =
      print_event(event, sizeof event, (size_t)(session - server.sessions), id);
  int all = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", (unsigned)len, event);
  peer->sent = id;
  if (cut) {
    session->dropped = 1;
    peer->session = NULL;
    all /= 2;
  }
  send_bytes(peer, chunk, (size_t)all, cut ? CUT : GO_ON);
}

static void pump(struct peer *peer) {
  while (peer->session != NULL && peer->sent < peer->session->newest &&
         !uv_is_closing((uv_handle_t *)&peer->tcp) &&
         uv_stream_get_write_queue_size((uv_stream_t *)&peer->tcp) <
             QUEUE_BYTES_MAX)
    send_event(peer);
}

static void on_clock(uv_timer_t *timer) {
  (void)timer;
  for (size_t i = 0; i < server.sessions_len; i++)
    if (server.sessions[i].newest > 0 &&
        server.sessions[i].newest < server.events)
      server.sessions[i].newest++;
  for (struct peer *peer = server.peers; peer != NULL; peer = peer->next)
    pump(peer);
}

/* The value of a header field of the request, cut at its line's end by the
 * caller's size; "" if there is none. */
static void find_field(char *dst, size_t size, const char *head,
                       const char *name) {
  size_t name_len = strlen(name);
  dst[0] = '\0';
  for (const char *line = strstr(head, "\r\n"); line != NULL;
       line = strstr(line + 2, "\r\n")) {
    size_t i = 0;
    while (i < name_len && (line[2 + i] | 0x20) == name[i])
      i++;
    if (i < name_len || line[2 + i] != ':')
      continue;
    const char *value = line + 3 + i;
    value += strspn(value, " \t");
    snprintf(dst, size, "%.*s", (int)strcspn(value, "\r"), value);
    return;
  }
}

/* The session that "/stream?sessionId=session-3" names, or NULL. The ids need
 * no percent-encoding, so an encoded one is unknown. */
static struct session *find_session(const char *target) {
  static const char prefix[] = "/stream?sessionId=session-";
  char *end;
  if (strncmp(target, prefix, sizeof prefix - 1) != 0)
    return NULL;
  const char *digits = target + sizeof prefix - 1;
  if (*digits < '1' || *digits > '9')
    return NULL;
  errno = 0;
  unsigned long number = strtoul(digits, &end, 10);
  if (errno != 0 || *end != '\0' || number > server.sessions_len)
    return NULL;
  return &server.sessions[number - 1];
}

static void start_stream(struct peer *peer, struct session *session) {
  static const char head[] = "HTTP/1.1 200 OK\r\n"
                             "Content-Type: text/event-stream\r\n"
                             "Cache-Control: no-cache\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n";
  char id[32];
  find_field(id, sizeof id, peer->head, "last-event-id");
  unsigned long last = strtoul(id, NULL, 10);
  if (last > session->newest)
    last = session->newest;
  if (session->newest == 0)
    session->newest = 1;
  peer->sent = (unsigned)last;
  peer->session = session;
  send_bytes(peer, head, sizeof head - 1, GO_ON);
}

static void answer(struct peer *peer) {
  char method[16];
  char target[1024];
  if (sscanf(peer->head, "%15s %1023s", method, target) != 2) {
    send_error(peer, 400, "Bad Request", "bad_request", "not a request");
    return;
  }
  struct session *session =
      strcmp(method, "GET") == 0 ? find_session(target) : NULL;
  if (session != NULL)
    start_stream(peer, session);
  else if (strcmp(target, "/fail") == 0)
    send_error(peer, 500, "Internal Server Error", "internal_error",
               "something broke");
  else
    send_error(peer, 404, "Not Found", "not_found", "session not found");
}

static void give_room(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  static char room[16384]; /* used up before the next read */
  (void)handle;
  (void)size;
  *buf = uv_buf_init(room, sizeof room);
}

/* After the head nothing is expected: what comes is dropped. */
static void take_request(struct peer *peer, const char *bytes, size_t len) {
  size_t room = HEAD_BYTES_MAX - peer->head_len;
  if (peer->asked)
    return;
  if (len > room)
    len = room;
  memcpy(peer->head + peer->head_len, bytes, len);
  peer->head_len += len;
  peer->head[peer->head_len] = '\0';
  if (strstr(peer->head, "\r\n\r\n") != NULL) {
    peer->asked = 1;
    answer(peer);
  } else if (peer->head_len >= HEAD_BYTES_MAX) {
    close_peer(peer);
  }
}

static void take_cipher(struct peer *peer, const char *bytes, size_t len) {
  char plain[1024];
  int got;
  session_tls_feed(peer->tls, bytes, len);
  while ((got = session_tls_next(peer->tls, plain, sizeof plain)) > 0 &&
         !uv_is_closing((uv_handle_t *)&peer->tcp))
    take_request(peer, plain, (size_t)got);
  if (!uv_is_closing((uv_handle_t *)&peer->tcp))
    flush_tls(peer, got < 0 ? CUT : GO_ON);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf) {
  struct peer *peer = stream->data;
  if (got < 0)
    close_peer(peer);
  else if (peer->tls != NULL)
    take_cipher(peer, buf->base, (size_t)got);
  else
    take_request(peer, buf->base, (size_t)got);
}

static void on_connection(uv_stream_t *listener, int status) {
  struct peer *peer = status == 0 ? calloc(1, sizeof *peer) : NULL;
  if (peer == NULL)
    return;
  peer->tcp.data = peer;
  uv_tcp_init(&server.loop, &peer->tcp);
  peer->next = server.peers;
  server.peers = peer;
  if (server.cert != NULL)
    peer->tls = session_tls_new();
  if ((server.cert != NULL && peer->tls == NULL) ||
      uv_accept(listener, (uv_stream_t *)&peer->tcp) != 0 ||
      uv_read_start((uv_stream_t *)&peer->tcp, give_room, on_read) != 0) {
    close_peer(peer);
    return;
  }
  uv_tcp_nodelay(&peer->tcp, 1);
}

static void close_any(uv_handle_t *handle, void *user) {
  (void)user;
  if (uv_is_closing(handle))
    return;
  uv_close(handle,
           handle->type == UV_TCP && handle != (uv_handle_t *)&server.listener
               ? on_peer_closed
               : NULL);
}

static void on_parent(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf) {
  (void)stream;
  (void)buf;
  if (got < 0)
    uv_walk(&server.loop, close_any, NULL);
}

static void give_nothing_room(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  static char ignored[64];
  (void)handle;
  (void)size;
  *buf = uv_buf_init(ignored, sizeof ignored);
}

static int listen_on(unsigned port) {
  struct sockaddr_in address;
  struct sockaddr_in bound;
  int len = sizeof bound;
  uv_ip4_addr("127.0.0.1", (int)port, &address);
  uv_tcp_init(&server.loop, &server.listener);
  int code =
      uv_tcp_bind(&server.listener, (const struct sockaddr *)&address, 0);
  if (code == 0)
    code = uv_listen((uv_stream_t *)&server.listener, 1024, on_connection);
  if (code == 0)
    code =
        uv_tcp_getsockname(&server.listener, (struct sockaddr *)&bound, &len);
  if (code != 0) {
    fprintf(stderr, "session-server: port %u: %s\n", port, uv_strerror(code));
    return -1;
  }
  const unsigned char *bytes = (const unsigned char *)&bound.sin_port;
  printf("%d\n", bytes[0] * 256 + bytes[1]);
  return fflush(stdout);
}

/* Standard input may be anything; only a pipe's end says that the parent has
 * gone. */
static void watch_parent(void) {
  if (uv_guess_handle(0) != UV_NAMED_PIPE)
    return;
  uv_pipe_init(&server.loop, &server.parent, 0);
  if (uv_pipe_open(&server.parent, 0) == 0)
    uv_read_start((uv_stream_t *)&server.parent, give_nothing_room, on_parent);
}

static int read_number(const char *word, const char *value) {
  static const struct {
    const char *name;
    unsigned *number;
    unsigned long min;
    unsigned long max;
  } options[] = {{"--port", &server.port, 0, 65535},
                 {"--sessions", &server.sessions_len, 1, SESSIONS_MAX},
                 {"--events", &server.events, 2, 1000000},
                 {"--interval", &server.interval_ms, 1, 60000},
                 {"--retry", &server.retry_ms, 1, 60000}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    char *end;
    if (strcmp(word, options[i].name) != 0 || value == NULL)
      continue;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (errno != 0 || *value < '0' || *value > '9' || *end != '\0' ||
        number < options[i].min || number > options[i].max)
      return -1;
    *options[i].number = (unsigned)number;
    return 0;
  }
  return -1;
}

static int read_option(const char *word, const char *value) {
  if (value != NULL && strcmp(word, "--cert") == 0)
    server.cert = value;
  else if (value != NULL && strcmp(word, "--key") == 0)
    server.key = value;
  else
    return read_number(word, value);
  return 0;
}

static int read_options(int argc, char **argv) {
  static const char usage[] =
      "session-server: wrong: %s\nusage: session-server [--port N] "
      "[--sessions N] [--events N] [--interval MS] [--retry MS] [--drop] "
      "[--cert FILE --key FILE]\n";
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--drop") == 0) {
      server.drop = 1;
    } else if (read_option(argv[i], argv[i + 1]) == 0) {
      i++;
    } else {
      fprintf(stderr, usage, argv[i]);
      return -1;
    }
  }
  if ((server.cert == NULL) == (server.key == NULL))
    return 0;
  fprintf(stderr, usage, "one of --cert and --key alone");
  return -1;
}

int main(int argc, char **argv) {
  if (read_options(argc, argv) != 0)
    return 2;
  signal(SIGPIPE, SIG_IGN); /* a client that went away is no reason to end */
  if (server.cert != NULL && session_tls_load(server.cert, server.key) != 0)
    return 1;
  if (uv_loop_init(&server.loop) != 0 || listen_on(server.port) != 0)
    return 1;
  watch_parent();
  uv_timer_init(&server.loop, &server.clock);
  uv_timer_start(&server.clock, on_clock, server.interval_ms,
                 server.interval_ms);
  uv_run(&server.loop, UV_RUN_DEFAULT);
  uv_loop_close(&server.loop);
  if (server.cert != NULL)
    session_tls_unload();
  return 0;
}
