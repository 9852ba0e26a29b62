/* A scripted HTTP peer for tests: one thread that accepts connections on
 * loopback and plays, on each, a table of steps. It knows nothing of runnel.
 *
 *   static const struct peer_step first[] = {
 *       PEER_READ(),                      one whole request, recorded
 *       PEER_STREAM_CHUNKED(),            200 text/event-stream, chunked
 *       PEER_CHUNK("data: a\n\n"),
 *       PEER_WAIT(1),                     until peer_raise(peer, 1)
 *       PEER_RESET(),
 *       PEER_END()};
 *   static const struct peer_step *const scripts[] = {first, second};
 *
 *   struct peer_options options = {.scripts = scripts, .scripts_len = 2};
 *   struct peer *peer = peer_new(&options);
 *   ... peer_url(peer, "/feed", url, sizeof url) ...
 *   peer_free(peer);
 *
 * Connection k (from 0, in the order of accepting) plays script k; when there
 * are more connections than scripts, the last script is played again.
 *
 * Invariants
 *  - Nothing sleeps: a connection goes on when bytes come, when the socket
 *    takes bytes, or when the test raises the level.
 *  - The client closing its side ends the connection, whatever the script says.
 *  - peer_free ends the thread and closes all, at any moment.
 *
 * All functions may be called from any one test thread; the thread of the peer
 * itself calls only a step's PEER_DO function and on_change. */
#ifndef RUNNEL_TEST_PEER_H
#define RUNNEL_TEST_PEER_H

#include <stddef.h>
#include <stdint.h>

struct peer;
struct peer_out; /* bytes that a PEER_DO function makes */

/* A request as it came. Lives until peer_free. */
struct peer_request {
  size_t connection;  /* 0 for the first that was accepted */
  const char *method; /* all strings are NUL-terminated */
  const char *target;
  const char *head; /* raw: request line, fields, the blank line */
  size_t head_len;
  const char *body; /* by Content-Length */
  size_t body_len;
};

/* What follows a PEER_DO step, once its bytes are sent. */
enum peer_then {
  PEER_THEN_GO_ON = 0, /* the next step */
  PEER_THEN_CLOSE,     /* as PEER_END */
  PEER_THEN_RESET,     /* as PEER_RESET */
  PEER_THEN_STALL      /* as PEER_STALL */
};

/* Answers `request` (NULL before the first PEER_READ) with what it writes to
 * `out`. Runs on the peer's thread; may call peer_printf, peer_write and
 * peer_header only. */
typedef enum peer_then peer_do(struct peer_out *out,
                               const struct peer_request *request,
                               size_t connection, void *user);

enum peer_act {
  PEER_ACT_END = 0,
  PEER_ACT_READ,
  PEER_ACT_SEND,
  PEER_ACT_CHUNK,
  PEER_ACT_FLOOD,
  PEER_ACT_WAIT,
  PEER_ACT_HALF_CLOSE,
  PEER_ACT_RESET,
  PEER_ACT_STALL,
  PEER_ACT_AGAIN,
  PEER_ACT_DO
};

/* Made by the macros below. Strings are borrowed until peer_free. */
struct peer_step {
  enum peer_act act;
  const char *bytes;
  size_t len;   /* 0: up to the NUL */
  size_t piece; /* bytes per send; 0: as many as the socket takes */
  uint64_t number;
  peer_do *answer;
};

/* Ends a script, and must: sends FIN, then waits for the client's. */
#define PEER_END()                                                             \
  { .act = PEER_ACT_END }
#define PEER_CLOSE() PEER_END()

/* Reads one whole request (head and Content-Length body) and records it. */
#define PEER_READ()                                                            \
  { .act = PEER_ACT_READ }

/* Sends a string, or `len` bytes. */
#define PEER_SEND(text)                                                        \
  { .act = PEER_ACT_SEND, .bytes = (text) }
#define PEER_SEND_LEN(text, length)                                            \
  { .act = PEER_ACT_SEND, .bytes = (text), .len = (length) }

/* The same in pieces of `size` bytes, each a packet of its own (TCP_NODELAY;
 * the kernel may still join them). Cuts elsewhere: several PEER_SEND. */
#define PEER_SEND_CUT(text, size)                                              \
  { .act = PEER_ACT_SEND, .bytes = (text), .piece = (size) }

/* A response head: PEER_HEAD("200 OK", "Content-Type: a/b\r\n"). Literals. */
#define PEER_HEAD(status, fields)                                              \
  PEER_SEND("HTTP/1.1 " status "\r\n" fields "\r\n")
#define PEER_STREAM_CHUNKED()                                                  \
  PEER_HEAD("200 OK", "Content-Type: text/event-stream\r\n"                    \
                      "Transfer-Encoding: chunked\r\n")
#define PEER_STREAM_TO_CLOSE()                                                 \
  PEER_HEAD("200 OK", "Content-Type: text/event-stream\r\n"                    \
                      "Connection: close\r\n")

/* A whole answer without a body, e.g. PEER_EMPTY("204 No Content", ""). */
#define PEER_EMPTY(status, fields)                                             \
  PEER_HEAD(status, fields "Content-Length: 0\r\n")

/* One chunk around the string; the last chunk. */
#define PEER_CHUNK(text)                                                       \
  { .act = PEER_ACT_CHUNK, .bytes = (text) }
#define PEER_LAST_CHUNK() PEER_SEND("0\r\n\r\n")

/* Sends the string `times` times, as fast as the client takes it; 0: until the
 * client goes away. */
#define PEER_FLOOD(text, times)                                                \
  { .act = PEER_ACT_FLOOD, .bytes = (text), .number = (times) }

/* Goes on once the test raised the level to `level` or more. */
#define PEER_WAIT(level)                                                       \
  { .act = PEER_ACT_WAIT, .number = (level) }

/* Sends FIN and goes on with the next step. */
#define PEER_HALF_CLOSE()                                                      \
  { .act = PEER_ACT_HALF_CLOSE }

/* Ends the connection with RST (SO_LINGER 0); on a Unix socket: closes it. */
#define PEER_RESET()                                                           \
  { .act = PEER_ACT_RESET }

/* Says nothing more until the client closes, or peer_free. */
#define PEER_STALL()                                                           \
  { .act = PEER_ACT_STALL }

/* Starts the script from its first step on the same connection. */
#define PEER_AGAIN()                                                           \
  { .act = PEER_ACT_AGAIN }

/* Sends what `function` makes of the last request. */
#define PEER_DO(function)                                                      \
  { .act = PEER_ACT_DO, .answer = (function) }

struct peer_options {
  const struct peer_step *const *scripts; /* borrowed until peer_free */
  size_t scripts_len;                     /* at least 1 */
  const char *address;                    /* to listen on; default 127.0.0.1;
                                             peer_url knows that and ::1 only */
  int port;                               /* default 0: a free one */
  const char *unix_path;                  /* listen there instead */
  int deaf;              /* 1: connects are refused until peer_listen */
  int send_buffer_bytes; /* SO_SNDBUF of accepted sockets; 0: the system's */
  void (*on_change)(void *user); /* on the peer's thread, after any count
                                    changed; e.g. runnel_client_post */
  void *user;                    /* of on_change and PEER_DO */
};

/* NULL when the system refuses; says why on standard error. */
struct peer *peer_new(const struct peer_options *options);

/* Stops at once: open connections are closed, the thread is joined, all is
 * freed. NULL is allowed. */
void peer_free(struct peer *peer);

/* Starts to listen (deaf), or stops: then connects are refused, while what was
 * accepted goes on. The port stays the peer's. 0, or -1. */
int peer_listen(struct peer *peer);
int peer_refuse(struct peer *peer);

/* Lets all PEER_WAIT steps up to `level` go on. Never falls. Also has a peer
 * that had run out of descriptors accept again. */
void peer_raise(struct peer *peer, uint64_t level);

int peer_port(const struct peer *peer);

/* Writes "http://127.0.0.1:PORT" and `target`; returns dst. A Unix peer's is
 * "http://localhost" and `target`. */
const char *peer_url(const struct peer *peer, const char *target, char *dst,
                     size_t size);

/* Counts, since the start. */
enum peer_count {
  PEER_ACCEPTED, /* connections */
  PEER_REQUESTS, /* whole requests recorded */
  PEER_ENDED,    /* connections that are over */
  PEER_WAITING,  /* times a connection came to a PEER_WAIT that held it */
  PEER_BLOCKED,  /* times the system took no more bytes */
  PEER_SENT,     /* bytes, over all connections */
  PEER_COUNTS
};
uint64_t peer_count(struct peer *peer, enum peer_count what);

/* Blocks until the count is `at_least`: 0; -1 after PEER_WATCHDOG_S, with a
 * line on standard error. Not for a thread whose loop must run for it. */
#define PEER_WATCHDOG_S 60
int peer_wait_count(struct peer *peer, enum peer_count what, uint64_t at_least);

/* Request `index`, in the order of arrival; NULL if there are fewer. */
const struct peer_request *peer_request(struct peer *peer, size_t index);

/* The value of the first field of that name (any case), written to dst without
 * the white space around it; NULL if there is none or dst is too small. */
const char *peer_header(const struct peer_request *request, const char *name,
                        char *dst, size_t size);

/* How many fields of that name there are. */
size_t peer_header_count(const struct peer_request *request, const char *name);

/* For PEER_DO functions: adds to the answer. */
__attribute__((format(printf, 2, 3))) void peer_printf(struct peer_out *out,
                                                       const char *format, ...);
void peer_write(struct peer_out *out, const char *bytes, size_t len);

#endif
