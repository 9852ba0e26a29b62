/* runnel: many server-sent event streams on one libuv loop.
 *
 * The whole public contract. Strict C11, valid C++11, without uv.h.
 *
 * A stream is a subscription: runnel connects, reads events, and when the
 * connection ends it waits and connects again, naming the last event's id,
 * until the application closes it or the server says that there is no more.
 * Rules come from the HTML standard, section 9.2 (server-sent events), RFC 9110
 * and 9112 (HTTP/1.1), RFC 8305 (address order) and RFC 3986 (URLs); where
 * runnel departs from one, the option or function says so.
 *
 * Promises
 *
 *  1. A function that returns an error has done nothing, and none of its
 *     callbacks will run. The options' error_text then holds one line that
 *     names the option, its value (secrets left out) and the rule.
 *  2. No callback runs inside a call into the library; the log, the allocator
 *     and the visitor given to runnel_client_each are no callbacks.
 *  3. Per stream: attempts; each is on_request, then (on_open, events) or not,
 *     then exactly one on_end, unless the application ended the attempt (close,
 *     reconnect). At the very end on_close, exactly once, from the loop;
 *     nothing after it. A redirect hop belongs to its attempt: no on_end. When
 *     there is no memory even for the request, on_end comes alone.
 *  4. Any function may be called from any callback, closing the stream or the
 *     client included. After close nothing is delivered but on_close. After
 *     pause returns, nothing is delivered until resume; a close still is. Never
 *     run the loop from a callback (RUNNEL_ESTATE).
 *  5. Slices live until the callback returns; each is followed by a NUL that
 *     its length does not count. Options are copied; what is kept is `user`,
 *     the allocator's and the log's context, and handles of ours.
 *  6. A stream pointer is dead when on_close returns; closing a client closes
 *     its streams first, then runs its callback, which no look-up that cannot
 *     be cancelled and no held request delays.
 *  7. Everything runs on the loop's thread, except: version, err_name,
 *     strerror, state_name, runnel_client_post, runnel_tls_*. The client's
 *     handles keep the loop alive only while a stream is open or closing.
 *  8. Memory is bounded by options: event, id, type, response head, error body,
 *     and held_bytes_max for a client as a whole.
 *  9. What the server sent is delivered in order, whole or not at all, and
 *     runnel repeats nothing of itself. An id is in force only with its blank
 *     line, is stored before its event is shown, and is taken back if the event
 *     is refused.
 * 10. In a forked child only runnel_client_abandon is legal (frees, closes
 *     descriptors, touches neither loop nor peer); all else returns
 *     RUNNEL_EFORKED.
 *
 * How to read this header: errors, one options struct for the client, one for
 * the stream with its callbacks, then the calls, then the parser alone.
 */
#ifndef RUNNEL_H
#define RUNNEL_H

#include <stddef.h>
#include <stdint.h>

#define RUNNEL_VERSION_MAJOR 0
#define RUNNEL_VERSION_MINOR 1
#define RUNNEL_VERSION_PATCH 0

#if defined(__GNUC__)
#define RUNNEL_API __attribute__((visibility("default")))
#else
#define RUNNEL_API
#endif

#ifdef __cplusplus
/* What RUNNEL_*_OPTIONS_INIT is in C++, which has no designators before C++20.
 */
template <class options> inline options runnel__options_init() {
  options zero = options();
  zero.size = sizeof zero;
  return zero;
}

extern "C" {
#endif

/* Errors ------------------------------------------------------------------ */

/* X(name, value, text). Values are pinned for ever; new ones are appended. */
#define RUNNEL_ERR_MAP(X)                                                      \
  X(OK, 0, "success")                                                          \
  X(LATER, 1, "refused for now, to be shown again")                            \
  X(EINVAL, -1, "invalid argument")                                            \
  X(ENOMEM, -2, "out of memory")                                               \
  X(ESTATE, -3, "not possible in this state")                                  \
  X(ECANCELED, -4, "closed by the application")                                \
  X(EFORKED, -5, "the process was forked")                                     \
  X(ETOOBIG, -6, "larger than its limit")                                      \
  X(EURL, -7, "invalid URL")                                                   \
  X(ERESOLVE, -8, "host name could not be resolved")                           \
  X(ECONNECT, -9, "could not connect")                                         \
  X(ERESOURCE, -10, "out of descriptors, ports or kernel buffers")             \
  X(EPROXY, -11, "the proxy refused")                                          \
  X(ETLS, -12, "TLS failed")                                                   \
  X(ETRUST, -13, "the certificate was not accepted")                           \
  X(EHTTP, -14, "malformed HTTP response")                                     \
  X(ELOST, -15, "connection lost before the response was complete")            \
  X(ESTATUS, -16, "unexpected status")                                         \
  X(EUNAUTHORIZED, -17, "not authorized")                                      \
  X(ETYPE, -18, "not an event stream")                                         \
  X(EENCODING, -19, "content encoding was not asked for")                      \
  X(EREDIRECT, -20, "redirect refused")                                        \
  X(ETIMEDOUT, -21, "timed out")                                               \
  X(EIDLE, -22, "nothing received for too long")                               \
  X(EEND, -23, "the response ended")

enum {
#define RUNNEL_ERR_VALUE(name, value, text) RUNNEL_##name = (value),
  RUNNEL_ERR_MAP(RUNNEL_ERR_VALUE)
#undef RUNNEL_ERR_VALUE
};

/* "RUNNEL_EURL" for RUNNEL_EURL; "RUNNEL_UNKNOWN" for a number that is none. */
RUNNEL_API const char *runnel_err_name(int code);

/* The code's text from the map above, in lower case, without a full stop. */
RUNNEL_API const char *runnel_strerror(int code);

/* "0.1.0": the version of the library that runs (the macros tell the one that
 * was compiled against). */
RUNNEL_API const char *runnel_version(void);

/* Options: what they share ------------------------------------------------ */

/* In a number: no limit, or no delay; each option says which, and those that do
 * not name it refuse it. Zero always means the default. */
#define RUNNEL_NONE (-1)

/* Room for the one line that says why options were refused, NUL included. */
#define RUNNEL_ERROR_TEXT_BYTES 256

/* Upper bound of every duration in ms: one year. */
#define RUNNEL_MS_MAX INT64_C(31536000000)

/* Upper bound of every limit in bytes: 1 TiB, or a quarter of the address
 * space where that is smaller. */
#define RUNNEL_BYTES_MAX INT64_C(1099511627776)

typedef struct runnel_client runnel_client;
typedef struct runnel_stream runnel_stream;
typedef struct runnel_request runnel_request;
typedef struct runnel_parser runnel_parser;
typedef struct runnel_tls runnel_tls;

struct uv_loop_s;

/* A header's flags. SENSITIVE: never logged, and left out of requests that a
 * redirect takes to another origin. */
#define RUNNEL_SENSITIVE 1U

/* A header field. As an option both strings are NUL-terminated and copied; in a
 * callback they live until it returns. */
struct runnel_header {
  const char *name;
  const char *value;
  unsigned flags; /* 0 or RUNNEL_SENSITIVE */
};

/* Where memory comes from. All three functions or none (then malloc, realloc
 * and free). `alloc` and `realloc` return NULL when there is none left; `free`
 * is never given NULL. Called on the loop's thread, by runnel_client_post on
 * its caller's. Look-ups run in threads of their own and use malloc for what
 * those must free. */
struct runnel_alloc {
  void *(*alloc)(size_t size, void *ctx);
  void *(*realloc)(void *memory, size_t size, void *ctx);
  void (*free)(void *memory, void *ctx);
  void *ctx;
};

enum runnel_log_level {
  RUNNEL_LOG_ERROR = 1, /* a stream ended for good with an error */
  RUNNEL_LOG_WARN = 2,  /* an attempt failed; something was ignored */
  RUNNEL_LOG_INFO = 3,  /* connected, ended, closed */
  RUNNEL_LOG_DEBUG = 4  /* look-ups, connects, redirects */
};

/* A ready-made log: writes "runnel: line" to standard error. */
RUNNEL_API void runnel_log_stderr(int level, const char *line, void *ctx);

/* TLS ---------------------------------------------------------------------- */

/* Versions of TLS that can be asked for. */
enum runnel_tls_version {
  RUNNEL_TLS_1_2 = 12, /* RFC 5246 */
  RUNNEL_TLS_1_3 = 13  /* RFC 8446; with mbedTLS 3.6 and later */
};

/* How https connections are made: whom to trust, and what to show. Without any
 * settings a stream trusts the system's certificates, shows none of its own,
 * and verifies everything: chain, dates, usage, and the URL's host against the
 * certificate's subjectAltName (RFC 9525; the common name does not count).
 *
 * Files are read when the settings are made (the system's, without settings, at
 * a client's first need of them, once); certificates and keys are PEM or DER,
 * and a file or text may hold many certificates in PEM. */
struct runnel_tls_options {
  size_t size; /* set by RUNNEL_TLS_OPTIONS_INIT; 0 is RUNNEL_EINVAL */

  /* Written when a call refuses these options: one line; else empty. */
  char error_text[RUNNEL_ERROR_TEXT_BYTES];

  /* Whom to trust; what is given adds up, and replaces the system's store.
   * Default: the files and folders that SSL_CERT_FILE and SSL_CERT_DIR name,
   * else the first of the usual places that is there. What cannot be read among
   * others is left out with a warning in the log; no certificate at all is an
   * error. */
  const char *ca_file;
  const char *ca_dir; /* every file in it that holds a certificate */
  const void *ca;     /* in memory */
  size_t ca_len;      /* 0: up to the NUL */

  /* Certificates that were revoked (RFC 5280 5). Default: none. */
  const char *crl_file;

  /* The client's own certificate, with the chain to its issuer, and its key.
   * Both or none. A key that is encrypted needs key_password. Never shown to
   * another origin that a redirect leads to. */
  const char *cert_file;
  const void *cert;
  size_t cert_len; /* 0: up to the NUL */
  const char *key_file;
  const void *key;
  size_t key_len; /* 0: up to the NUL */
  const char *key_password;

  /* "sha256/" and the base64 of the SHA-256 of a certificate's public key
   * (SubjectPublicKeyInfo, as in RFC 7469 2.4). With pins, one of them must be
   * the key of some certificate of the chain that was verified (with
   * `insecure`: of the peer's own), on top of all else. 0 to 64. */
  const char *const *pins;
  size_t pins_len;

  /* Versions, enum runnel_tls_version. Defaults: 1.2, and the highest that
   * mbedTLS has; a version_min that it has not is RUNNEL_EINVAL, a version_max
   * is only a bound. */
  int version_min;
  int version_max;

  /* 1: accepts any certificate of anybody; pins still hold. Whoever sits
   * between can then read and change everything. Said in the log. Default 0. */
  int insecure;

  /* 1: every handshake is a full one. Default 0: sessions are kept by the
   * client for each origin and used again, for at most 24 hours. */
  int no_resumption;
};

#ifdef __cplusplus
#define RUNNEL_TLS_OPTIONS_INIT runnel__options_init<runnel_tls_options>()
#else
#define RUNNEL_TLS_OPTIONS_INIT                                                \
  { .size = sizeof(struct runnel_tls_options) }
#endif

/* Makes settings with one reference, to be let go by runnel_tls_release.
 * `options` may be NULL: the defaults. They may be used by any number of
 * clients on any threads; these five calls are safe on any thread. Errors:
 * RUNNEL_EINVAL (a file that cannot be read, no certificate, an encrypted key,
 * a wrong password, a key that does not match, a bad pin: error_text says
 * which), RUNNEL_ENOMEM. Memory is malloc's, as all of mbedTLS's is. */
RUNNEL_API int runnel_tls_new(runnel_tls **tls,
                              struct runnel_tls_options *options);

/* Reads everything anew, for handshakes that begin later; connections that are
 * open stay as they are, and no session is used again. `options` may be NULL:
 * the defaults. Errors: as runnel_tls_new; the old settings stay in force. */
RUNNEL_API int runnel_tls_reload(runnel_tls *tls,
                                 struct runnel_tls_options *options);

/* One reference more; returns `tls`. NULL is allowed. */
RUNNEL_API runnel_tls *runnel_tls_retain(runnel_tls *tls);

/* One reference less; the last one frees. Streams hold references of their own.
 * NULL is allowed. */
RUNNEL_API void runnel_tls_release(runnel_tls *tls);

/* "Mbed TLS 3.6.6": the library that runs, which may be another than the one
 * that was compiled against. */
RUNNEL_API const char *runnel_tls_library(void);

/* The client -------------------------------------------------------------- */

struct runnel_stream_options;

/* An address given beforehand for a host and port, as a resolver would. */
struct runnel_resolve {
  const char *host;    /* as in the URL, any case; IPv6 without brackets */
  int port;            /* 1 to 65535 */
  const char *address; /* IPv4 or IPv6 literal, without brackets */
};

struct runnel_client_options {
  size_t size; /* set by RUNNEL_CLIENT_OPTIONS_INIT; 0 is RUNNEL_EINVAL */

  /* Written when a call refuses these options: one line; else empty. */
  char error_text[RUNNEL_ERROR_TEXT_BYTES];

  struct runnel_alloc alloc;

  /* One line without a line end per message; never a query, userinfo or a
   * request's header value. Called inside calls and from the loop; must not
   * call runnel. Default: none. */
  void (*log)(int level, const char *line, void *ctx);
  void *log_ctx;
  int log_level; /* the last level that is logged; default RUNNEL_LOG_INFO */

  /* Values for the zero fields of every stream's options; URL, `user`, method,
   * body and Last-Event-ID excepted. Copied once; costs a stream nothing.
   * Headers: a stream that has none of its own takes these. */
  const struct runnel_stream_options *stream_defaults;

  /* Addresses that stand in for a look-up. Default: none. localhost and names
   * under it are ::1 and 127.0.0.1 without one (RFC 6761 6.3). */
  const struct runnel_resolve *resolve;
  size_t resolve_len; /* 0 to 1,024 */

  /* The gate: how many dials (look-up and connect) start a second (bursts of
   * one second), and how many are under way at once, in all and per origin
   * (scheme, host, port). Round-robin over origins, first come within one, no
   * origin over half of the slots while others wait. Off: RUNNEL_NONE. */
  int64_t dials_per_second_max;        /* 1 to 1,000,000; default 1,000 */
  int64_t origin_dials_per_second_max; /* 1 to 1,000,000; default 500 */
  int64_t dials_max;                   /* 1 to 1,000,000; default 512 */
  int64_t origin_dials_max;            /* 1 to 1,000,000; default 256 */

  /* How long look-ups are remembered, in ms, 1 to RUNNEL_MS_MAX; off:
   * RUNNEL_NONE. The system tells no time to live. An older answer serves on
   * while a new look-up runs or fails; addresses that all failed, or whose
   * server answered 421, are forgotten. */
  int64_t lookup_ttl_ms;          /* an answer; default 60,000 */
  int64_t lookup_negative_ttl_ms; /* a failure; default 5,000 */
  int64_t lookup_stale_ms;        /* past its ttl; default 3,600,000, and none
                                     when lookup_ttl_ms is off */

  /* What all streams together may hold of what peers sent, in bytes: cut
   * events, paused rests, heads, error bodies, TLS bytes that wait, and the
   * client's TLS sessions, which stay when their streams are gone and take a
   * quarter of it at most. At it, the stream that asks for more ends its
   * attempt in RUNNEL_ENOMEM, which is retried. 64 KiB to RUNNEL_BYTES_MAX;
   * default 256 MiB; no off-value. */
  int64_t held_bytes_max;

  /* TLS handshakes under way at once, 1 to 1,000,000; default 64; off:
   * RUNNEL_NONE. Connections that are up wait for their turn, as in the gate:
   * round-robin over origins, no origin over half of the slots while others
   * wait. Their clocks stand still meanwhile. */
  int64_t handshakes_max;
};

#ifdef __cplusplus
#define RUNNEL_CLIENT_OPTIONS_INIT runnel__options_init<runnel_client_options>()
#else
#define RUNNEL_CLIENT_OPTIONS_INIT                                             \
  { .size = sizeof(struct runnel_client_options) }
#endif

/* What a client has seen so far; counts are since it was made. */
struct runnel_client_stats {
  uint64_t streams;            /* open or closing now */
  uint64_t streams_open;       /* of those: a response is accepted now */
  uint64_t streams_queued;     /* of those: waiting in the gate now */
  uint64_t dials;              /* under way now */
  uint64_t held_bytes;         /* held now, bounded by held_bytes_max */
  uint64_t attempts;           /* attempts that passed the gate */
  uint64_t opens;              /* responses accepted */
  uint64_t events;             /* events taken */
  uint64_t bytes;              /* body bytes given to the parsers */
  uint64_t bytes_copied;       /* of those: copied for events that a read cut */
  uint64_t bytes_moved;        /* of those: moved to join several data lines */
  uint64_t lookups;            /* look-ups asked of the system */
  uint64_t lookups_joined;     /* answered by another's, or from memory */
  uint64_t handshakes;         /* TLS handshakes under way now */
  uint64_t handshakes_full;    /* done, with everything verified */
  uint64_t handshakes_resumed; /* done, by the session of a full one */
};

/* Makes a client on `loop`, or, with NULL, on a loop of its own that
 * runnel_client_run drives. `options` may be NULL. Errors: RUNNEL_EINVAL,
 * RUNNEL_ENOMEM, RUNNEL_ERESOURCE. */
RUNNEL_API int runnel_client_new(runnel_client **client, struct uv_loop_s *loop,
                                 struct runnel_client_options *options);

/* Runs the client's loop until its last stream closed and, after
 * runnel_client_close, until the client's callback has run. Errors:
 * RUNNEL_ESTATE from a callback, and for a client on the caller's own loop. */
RUNNEL_API int runnel_client_run(runnel_client *client);

/* Closes every stream (each gets on_close), then, from the loop, runs
 * `on_closed(user)` (may be NULL) and frees the client; the pointer is dead
 * then. A client with a loop of its own, when this was not called from inside
 * runnel_client_run, needs one more runnel_client_run, which returns when all
 * is freed. A second close is RUNNEL_ESTATE. */
RUNNEL_API int runnel_client_close(runnel_client *client,
                                   void (*on_closed)(void *user), void *user);

/* In a forked child: frees everything and closes the child's copies of the
 * descriptors, runs no callback, touches neither the loop nor a peer. The child
 * may not run the caller's own loop afterwards: its handles were freed under
 * it. A child that was forked inside a callback of a client with a loop of its
 * own must not return from that callback; that loop's memory stays until it
 * exits. In the process that made the client: RUNNEL_ESTATE, and nothing is
 * done. */
RUNNEL_API int runnel_client_abandon(runnel_client *client);

/* Pauses, resumes all streams (see runnel_stream_pause). Streams opened later
 * are not paused. */
RUNNEL_API int runnel_client_pause(runnel_client *client);
RUNNEL_API int runnel_client_resume(runnel_client *client);

/* runnel_stream_reconnect for every stream that allows it, each at a random
 * time within `spread_ms` (0 to RUNNEL_MS_MAX; 0: at once), through the gate.
 */
RUNNEL_API int runnel_client_reconnect(runnel_client *client,
                                       int64_t spread_ms);

/* From any thread: has `run(client, user)` called on the loop's thread, in the
 * order of posting. What was posted and has not run when the client's callback
 * runs is dropped. Does not keep the loop alive by itself. The caller makes
 * sure that the client is not freed meanwhile. Errors: RUNNEL_ENOMEM. */
RUNNEL_API int
runnel_client_post(runnel_client *client,
                   void (*run)(runnel_client *client, void *user), void *user);

/* Calls `visit` for each stream, inside this call, in the order of opening,
 * until it returns other than 0, and returns that, or 0. `visit` may close,
 * pause, resume and reconnect streams. Streams that are closing are left out,
 * and so are those it opens. */
RUNNEL_API int
runnel_client_each(runnel_client *client,
                   int (*visit)(runnel_stream *stream, void *user), void *user);

/* Never NULL; valid until the next call. In a forked child: all zero. */
RUNNEL_API const struct runnel_client_stats *
runnel_client_stats(runnel_client *client);

/* What callbacks are told ------------------------------------------------- */

enum runnel_why {
  RUNNEL_WHY_FIRST = 0,
  RUNNEL_WHY_RETRY = 1,        /* after an end, once the delay is over */
  RUNNEL_WHY_RECONNECT = 2,    /* the application asked */
  RUNNEL_WHY_UNAUTHORIZED = 3, /* the last answer was 401; bring a new token */
  RUNNEL_WHY_REDIRECT = 4      /* a hop within the same attempt */
};

/* An attempt that is about to start. */
struct runnel_attempt {
  uint64_t number;   /* 1 for the first; hops keep their attempt's */
  uint64_t failures; /* in a row so far */
  int why;           /* enum runnel_why */
  int cross_origin;  /* a hop to another origin than the attempt's first */
  int last_code;     /* of the attempt before; RUNNEL_OK if none,
                        RUNNEL_ECANCELED if the application ended it */
  int last_status;   /* of the answer before; 0 if none */
  const char *id;    /* goes out as Last-Event-ID; "" if none */
  size_t id_len;
  const char *url; /* where it goes, without userinfo and fragment */
};

/* An accepted response: 200 and text/event-stream. */
struct runnel_open {
  int status;
  const struct runnel_header *headers; /* in the order of arrival */
  size_t headers_len;
  const char *url;  /* after redirects, without userinfo and fragment */
  const char *peer; /* "192.0.2.1:80", "[2001:db8::1]:80", "unix:/path" */
  const char *tls_version; /* "TLSv1.3"; NULL: not https */
  int tls_resumed;         /* 1: by an earlier session */
};

/* One event (HTML standard 9.2.6). */
struct runnel_event {
  const char *type; /* "message" if the server named none */
  size_t type_len;
  const char *data; /* lines joined with LF; may hold NUL bytes */
  size_t data_len;
  const char *id; /* the id in force, its own or an earlier one's; "" if none */
  size_t id_len;
  int has_id;       /* this block had a valid id line of its own */
  int64_t retry_ms; /* the block's last valid retry line; -1 if none */
};

/* An event over event_bytes_max that was skipped. */
struct runnel_drop {
  uint64_t bytes; /* of joined data that it had */
  const char *id; /* the id in force, which may be the dropped event's */
  size_t id_len;
};

enum runnel_phase {
  RUNNEL_PHASE_REQUEST = 0, /* on_request, hold, building the request */
  RUNNEL_PHASE_RESOLVE = 1,
  RUNNEL_PHASE_CONNECT = 2,
  RUNNEL_PHASE_HANDSHAKE = 3,
  RUNNEL_PHASE_HEAD = 4, /* request sent, waiting for the response head */
  RUNNEL_PHASE_BODY = 5
};

/* How an attempt ended. */
struct runnel_end {
  int code;  /* RUNNEL_OK (204, sentinel, end of a one-shot body) or an error */
  int phase; /* enum runnel_phase */
  int native; /* EAI_* for RUNNEL_ERESOLVE, mbedTLS's code for RUNNEL_ETLS and
                 RUNNEL_ETRUST, else errno; 0: none */
  int status; /* 0 if no response head was read */
  const struct runnel_header *headers; /* of an answer that was not accepted;
                                          else none */
  size_t headers_len;
  const char *body; /* first bytes of an answer that is not 200 */
  size_t body_len;
  uint64_t failures;   /* in a row; 0: this end does not count as one */
  uint64_t unfinished; /* data bytes of an unfinished last block, dropped; 1 if
                          it had no data yet; 0: it ended at a border */
  const char *text;    /* one line: "connect 127.0.0.1:1: connection refused" */
};

/* What follows an end. on_end may change it. */
struct runnel_verdict {
  int retry;        /* 1: a new attempt after delay_ms; 0: the stream closes */
  int64_t delay_ms; /* what backoff waits, or would wait if this is a stop */
};

/* The stream -------------------------------------------------------------- */

enum runnel_end_mode {
  RUNNEL_END_AUTO = 0,   /* GET and HEAD resume, any other method is one-shot */
  RUNNEL_END_RESUME = 1, /* the end of a body leads to a new attempt */
  RUNNEL_END_ONCE = 2    /* one-shot: the end of an accepted body is success */
};

enum runnel_oversize {
  RUNNEL_OVERSIZE_FAIL = 0, /* the stream ends with RUNNEL_ETOOBIG */
  RUNNEL_OVERSIZE_DROP = 1  /* the event is skipped, on_drop is told */
};

struct runnel_stream_options {
  size_t size; /* set by RUNNEL_STREAM_OPTIONS_INIT; 0 is RUNNEL_EINVAL */

  /* Written when a call refuses these options: one line; else empty. */
  char error_text[RUNNEL_ERROR_TEXT_BYTES];

  /* What to ask. `url` is required: http or https, absolute, ASCII, at most
   * 8 KiB; userinfo becomes Basic authorization (RFC 7617), a fragment is not
   * sent. */
  const char *url;
  const char *method; /* RFC 9110 token, case kept; default GET */
  const void *body;   /* default none; sent with Content-Length */
  size_t body_len;    /* 0 to RUNNEL_BYTES_MAX */

  /* Fields of the request. Replace runnel's Accept, Cache-Control and
   * User-Agent; may not be one that runnel owns: Host, Content-Length,
   * Transfer-Encoding, Connection, Keep-Alive, TE, Trailer, Upgrade, Expect,
   * Proxy-Authorization, Last-Event-ID, Accept-Encoding. Names are tokens,
   * values hold no control character but HTAB (RFC 9110 5.5). At most 100
   * fields, 32 KiB in all. */
  const struct runnel_header *headers;
  size_t headers_len;

  /* The id in force at the start, without NUL, CR, LF, at most id_bytes_max.
   * Sent as Last-Event-ID when not empty (HTML standard 9.2.4). */
  const char *last_event_id;
  size_t last_event_id_len; /* 0: up to the NUL */

  /* A Unix socket to connect to instead of the URL's host; the request stays as
   * the URL says. At most 107 bytes. Default: none. */
  const char *unix_path;

  void *user; /* given to every callback */

  /* Before each attempt and hop, after the gate let it through and before the
   * look-up. May change the request, hold it, or close the stream. Default:
   * none; then a 401 is final. */
  void (*on_request)(runnel_stream *stream, runnel_request *request,
                     const struct runnel_attempt *attempt, void *user);

  /* A response was accepted. Default: none. */
  void (*on_open)(runnel_stream *stream, const struct runnel_open *open,
                  void *user);

  /* Required. RUNNEL_OK (0) takes the event. RUNNEL_LATER refuses it: the
   * stream pauses, and the same event comes first after runnel_stream_resume.
   * Any other value counts as taken. */
  int (*on_event)(runnel_stream *stream, const struct runnel_event *event,
                  void *user);

  /* The id in force changed: after its event was taken, or by a block without
   * data. Held back by a pause, it comes first after resume; a reconnect does
   * not take it away. Default: none. */
  void (*on_id)(runnel_stream *stream, const char *id, size_t len, void *user);

  /* A comment line, without its colon, as soon as the line ends. A comment over
   * event_bytes_max is skipped. Default: none; comments then cost no memory. */
  void (*on_comment)(runnel_stream *stream, const char *text, size_t len,
                     void *user);

  /* An oversize event was skipped (RUNNEL_OVERSIZE_DROP). Default: none. */
  void (*on_drop)(runnel_stream *stream, const struct runnel_drop *drop,
                  void *user);

  /* An attempt ended; `verdict` may be changed. One of on_end, on_close and the
   * client's log must be there. */
  void (*on_end)(runnel_stream *stream, const struct runnel_end *end,
                 struct runnel_verdict *verdict, void *user);

  /* The last word: RUNNEL_OK (204, sentinel, end of a one-shot body),
   * RUNNEL_ECANCELED (the application closed it) or the last end's code. The
   * stream is freed when this returns. */
  void (*on_close)(runnel_stream *stream, int code, void *user);

  /* What the end of a body means: enum runnel_end_mode. One-shot: nothing is
   * sent again after an accepted response; the end of the body is success, or
   * RUNNEL_EEND if it comes inside a block or before the sentinel. */
  int end;

  /* One-shot: once a request whose method is not idempotent (RFC 9110 9.2.2)
   * was written, a loss before the response head is final, for the server may
   * have acted. 1: send it again all the same. Default 0. */
  int replay_unanswered;

  /* An event with exactly this data is not delivered and ends the stream in
   * peace, e.g. "[DONE]". Default: off. */
  const char *sentinel;

  /* Clocks, in ms, 1 to RUNNEL_MS_MAX; off: RUNNEL_NONE. */
  int64_t open_ms_max;    /* gate to response head, with redirects; default
                             30,000, which in one-shot mode leaves waiting
                             for the head free */
  int64_t connect_ms_max; /* TCP connect alone; default 10,000 */
  int64_t idle_ms_max;    /* without a byte of body, comments count; default
                             off; stands still while paused */
  int64_t hold_ms_max;    /* a held request; default 30,000 */

  /* Backoff. With base = retry_ms or what the server's `retry` made of it:
   * d = min(max(cap, base), base * growth^(failures - 1)),
   * delay = max(base, d * U[0.5, 1]) + base * U[0, jitter].
   * All arithmetic saturates. */
  int64_t retry_ms;     /* base, 1 to RUNNEL_MS_MAX; default 1,000; no delay:
                           RUNNEL_NONE */
  double retry_growth;  /* 1 to 100; default 2 */
  int64_t retry_ms_max; /* cap, 1 to RUNNEL_MS_MAX; default 30,000; no cap:
                           RUNNEL_NONE */
  double retry_jitter;  /* 0 to 1; default 0.25; none: RUNNEL_NONE */

  /* Give up at so many failures in a row. 1 to 2^53; default none, in one-shot
   * mode 3; off: RUNNEL_NONE. */
  int64_t failures_max;

  /* Give up when the next attempt would start later than this after the first
   * failure in a row, in ms. 1 to RUNNEL_MS_MAX; default and RUNNEL_NONE: off.
   */
  int64_t elapsed_ms_max;

  /* The server's `retry` field (HTML standard 9.2.6) becomes the base at once,
   * clamped to these, in ms, 1 to RUNNEL_MS_MAX; RUNNEL_NONE: no bound on that
   * side. Both equal: the server is ignored. */
  int64_t server_retry_ms_min; /* default 100 */
  int64_t server_retry_ms_max; /* default 3,600,000 */

  /* Retry-After (RFC 9110 10.2.3) is a lower bound of the delay, at most this,
   * plus 0 to 20 %. 1 to RUNNEL_MS_MAX; default 3,600,000; ignore the field:
   * RUNNEL_NONE. */
  int64_t retry_after_ms_max;

  /* Redirects followed in one attempt, 1 to 100; default 10; follow none:
   * RUNNEL_NONE. */
  int64_t redirects_max;

  /* 1: a 307 or 308 to another origin takes the body along. Default 0: such a
   * redirect is RUNNEL_EREDIRECT. */
  int redirect_body;

  /* Limits, in bytes, 1 to RUNNEL_BYTES_MAX; no off-value but where named. */
  int64_t event_bytes_max;      /* joined data of one event; exactly the limit
                                   passes; default 16 MiB */
  int64_t id_bytes_max;         /* an id over it ends the stream with
                                   RUNNEL_ETOOBIG; at most 65,536; default
                                   1,024 */
  int64_t type_bytes_max;       /* likewise; at most 65,536; default 256 */
  int64_t head_bytes_max;       /* response head, 1xx included; 256 to
                                   16,777,216; default 65,536 */
  int64_t error_body_bytes_max; /* kept of an answer that is not 200; at
                                   most 16,777,216; default 16,384; none:
                                   RUNNEL_NONE */
  int oversize;                 /* enum runnel_oversize */

  /* 1: type, data, id and comments are shown with U+FFFD for each maximal
   * subpart of ill-formed UTF-8 (Encoding Standard); copies such events only.
   * Default 0: bytes as they came. */
  int utf8_replace;

  /* TCP keepalive: seconds of silence before the first probe, seconds between
   * probes, probes. 1 to 32,767 (probes to 127); defaults 60, 10, 6; off:
   * keepalive_s RUNNEL_NONE. */
  int64_t keepalive_s;
  int64_t keepalive_interval_s;
  int64_t keepalive_probes;

  /* Settings for https; the stream holds a reference of its own. Default: those
   * of the client's stream_defaults, else runnel's. */
  runnel_tls *tls;

  /* A TLS handshake, within open_ms_max, in ms, 1 to RUNNEL_MS_MAX; default
   * 10,000; off: RUNNEL_NONE. Over it the attempt ends with RUNNEL_ETIMEDOUT,
   * phase handshake. */
  int64_t handshake_ms_max;
};

#ifdef __cplusplus
#define RUNNEL_STREAM_OPTIONS_INIT runnel__options_init<runnel_stream_options>()
#else
#define RUNNEL_STREAM_OPTIONS_INIT                                             \
  { .size = sizeof(struct runnel_stream_options) }
#endif

enum runnel_state {
  RUNNEL_STATE_HELD = 0,
  RUNNEL_STATE_QUEUED = 1,
  RUNNEL_STATE_RESOLVING = 2,
  RUNNEL_STATE_CONNECTING = 3,
  RUNNEL_STATE_HANDSHAKING = 4,
  RUNNEL_STATE_WAITING_HEAD = 5,
  RUNNEL_STATE_OPEN = 6,
  RUNNEL_STATE_PAUSED = 7,
  RUNNEL_STATE_BACKING_OFF = 8,
  RUNNEL_STATE_CLOSING = 9
};

/* What a stream has seen so far. */
struct runnel_stream_stats {
  uint64_t attempts;     /* that passed the gate, redirect hops not counted */
  uint64_t opens;        /* responses accepted */
  uint64_t events;       /* taken */
  uint64_t comments;     /* comment lines, listened to or not */
  uint64_t drops;        /* oversize events and comments skipped */
  uint64_t refusals;     /* RUNNEL_LATER returned */
  uint64_t failures;     /* in a row */
  uint64_t bytes;        /* of body given to the parser */
  uint64_t bytes_copied; /* of those: copied, for events that a read cut */
  uint64_t bytes_moved;  /* of those: moved, to join several data lines */
  uint64_t held_bytes;   /* held now: cut event, rest of a read, error body */
  int64_t retry_ms;      /* backoff's base now */
};

/* Opens a stream; the first attempt starts on the loop's next turn. `stream`
 * may be NULL. Everything in `options` is copied but `user`; `tls` is counted.
 * Errors: RUNNEL_EINVAL (also an https URL where the system has no certificates
 * to trust), RUNNEL_EURL, RUNNEL_ENOMEM, RUNNEL_ERESOURCE (mbedTLS could not be
 * started), RUNNEL_ESTATE (the client is closing). */
RUNNEL_API int runnel_stream_open(runnel_stream **stream, runnel_client *client,
                                  struct runnel_stream_options *options);

/* Ends the stream; on_close follows from the loop with RUNNEL_ECANCELED. Again:
 * no effect, RUNNEL_OK. */
RUNNEL_API int runnel_stream_close(runnel_stream *stream);

/* Nothing is delivered from the moment this returns until resume, on_close
 * excepted; nothing is read meanwhile, so the peer is held back by TCP. What
 * had been read (at most one read) is kept and comes first after resume; an end
 * or a reset is reported after it. The idle limit stands still. Pausing twice
 * is the same as once. RUNNEL_ESTATE when closing. */
RUNNEL_API int runnel_stream_pause(runnel_stream *stream);
RUNNEL_API int runnel_stream_resume(runnel_stream *stream);

/* Ends the attempt silently (no on_end), drops a cut event and what pause kept
 * (their ids not in force, so that the server sends them again), keeps id and
 * failure count, and passes the gate again. While backing off after failures it
 * does not shorten the backoff more than once per retry_ms. RUNNEL_ESTATE:
 * one-shot, or closing. */
RUNNEL_API int runnel_stream_reconnect(runnel_stream *stream);

/* The id in force, followed by a NUL; `len` may be NULL. Valid until the next
 * callback of the stream returns or the next call that changes it. */
RUNNEL_API const char *runnel_stream_last_event_id(runnel_stream *stream,
                                                   size_t *len);

/* Sets the id in force, for every request sent from now on. NULL or len 0:
 * none. Errors: RUNNEL_EINVAL (NUL, CR or LF in it), RUNNEL_ETOOBIG (over
 * id_bytes_max), RUNNEL_ENOMEM, RUNNEL_ESTATE (closing). */
RUNNEL_API int runnel_stream_set_last_event_id(runnel_stream *stream,
                                               const char *id, size_t len);

/* enum runnel_state; PAUSED while a stream that is not closing is paused. */
RUNNEL_API int runnel_stream_state(runnel_stream *stream);

/* "backing_off" for RUNNEL_STATE_BACKING_OFF; "unknown" for any other number.
 */
RUNNEL_API const char *runnel_state_name(int state);

/* Never NULL; valid until the next call. In a forked child: all zero. */
RUNNEL_API const struct runnel_stream_stats *
runnel_stream_stats(runnel_stream *stream);

/* The options' `user`. */
RUNNEL_API void *runnel_stream_user(runnel_stream *stream);

/* The request of one attempt ---------------------------------------------- */

/* Valid inside on_request, and after runnel_request_hold until
 * runnel_request_proceed. They change this attempt alone; the next one starts
 * from the options again. Errors: RUNNEL_EINVAL, RUNNEL_EURL, RUNNEL_ETOOBIG,
 * RUNNEL_ENOMEM, and RUNNEL_ESTATE when the stream was closed meanwhile; the
 * request is then as it was. */

/* Adds a field, or replaces the fields of that name; value NULL: leaves them
 * out. The rules of the option `headers` hold. On a hop to another origin what
 * must not go there is left out all the same. */
RUNNEL_API int runnel_request_set_header(runnel_request *request,
                                         const char *name, const char *value,
                                         unsigned flags);
RUNNEL_API int runnel_request_set_url(runnel_request *request, const char *url);
RUNNEL_API int runnel_request_set_method(runnel_request *request,
                                         const char *method);
/* On a hop to another origin: RUNNEL_EREDIRECT, unless the option redirect_body
 * is set. `body` NULL: none. */
RUNNEL_API int runnel_request_set_body(runnel_request *request,
                                       const void *body, size_t len);

/* Keeps the request usable after on_request returned, e.g. while a token is
 * fetched. The attempt waits, without a dial slot, up to hold_ms_max, then ends
 * with RUNNEL_ETIMEDOUT, phase request. Only from on_request: RUNNEL_ESTATE. */
RUNNEL_API int runnel_request_hold(runnel_request *request);

/* Ends a hold, exactly once, even after the stream was closed (then it only
 * frees). code RUNNEL_OK: the attempt goes on, through the gate. code < 0: the
 * attempt ends with that code, phase request. The request is dead when this
 * returns. RUNNEL_ESTATE: not held; RUNNEL_EINVAL: not one of runnel's codes.
 */
RUNNEL_API int runnel_request_proceed(runnel_request *request, int code);

/* URLs --------------------------------------------------------------------- */

/* Writes `url` with `name=value` added to its query (before a fragment),
 * both form-encoded (application/x-www-form-urlencoded, URL standard 5.2), to
 * `dst`, NUL-terminated. `dst` may not overlap the others. Errors:
 * RUNNEL_EINVAL (NULL, or empty name), RUNNEL_ETOOBIG (dst too small, dst is
 * then untouched). */
RUNNEL_API int runnel_url_add_query(char *dst, size_t size, const char *url,
                                    const char *name, const char *value);

/* The parser alone ----------------------------------------------------------
 */

/* Event-stream bytes in, events out (HTML standard 9.2.5 and 9.2.6), without
 * loop or socket:
 *
 *   runnel_parser_feed(parser, bytes, len);
 *   while ((kind = runnel_parser_next(parser, &event)) > 0) ...
 *   if (kind < 0) ...
 */
struct runnel_parser_options {
  size_t size; /* set by RUNNEL_PARSER_OPTIONS_INIT; 0 is RUNNEL_EINVAL */
  char error_text[RUNNEL_ERROR_TEXT_BYTES];
  struct runnel_alloc alloc;
  int64_t event_bytes_max; /* as in struct runnel_stream_options */
  int64_t id_bytes_max;
  int64_t type_bytes_max;
  int oversize;
  int utf8_replace;
  int comments; /* 1: return comments too; default 0: skip them in O(1) */
};

#ifdef __cplusplus
#define RUNNEL_PARSER_OPTIONS_INIT runnel__options_init<runnel_parser_options>()
#else
#define RUNNEL_PARSER_OPTIONS_INIT                                             \
  { .size = sizeof(struct runnel_parser_options) }
#endif

enum runnel_parsed {
  RUNNEL_PARSED_MORE = 0,    /* all that was fed is used up */
  RUNNEL_PARSED_EVENT = 1,   /* type, data, id, has_id, retry_ms */
  RUNNEL_PARSED_ID = 2,      /* id: a block without data changed it */
  RUNNEL_PARSED_COMMENT = 3, /* data: the comment */
  RUNNEL_PARSED_RETRY = 4,   /* retry_ms: a valid retry line ended */
  RUNNEL_PARSED_DROP = 5     /* data_len: bytes skipped; data is "" */
};

/* `options` may be NULL. Errors: RUNNEL_EINVAL, RUNNEL_ENOMEM. */
RUNNEL_API int runnel_parser_new(runnel_parser **parser,
                                 struct runnel_parser_options *options);

/* Hands `len` bytes over. They are written to (lines are joined in place,
 * slices get their NUL) and must stay until runnel_parser_next returned
 * RUNNEL_PARSED_MORE or an error. RUNNEL_ESTATE: there is still input, or an
 * error was returned before. */
RUNNEL_API int runnel_parser_feed(runnel_parser *parser, char *bytes,
                                  size_t len);

/* Returns the next enum runnel_parsed and sets `event`, valid until the next
 * call on this parser; or RUNNEL_ETOOBIG or RUNNEL_ENOMEM, for good: the parser
 * is then only to be freed. A fully used-up input with an unfinished block
 * returns RUNNEL_PARSED_MORE; what is never finished is never shown. */
RUNNEL_API int runnel_parser_next(runnel_parser *parser,
                                  const struct runnel_event **event);

/* Frees it; NULL is allowed. */
RUNNEL_API void runnel_parser_free(runnel_parser *parser);

#ifdef __cplusplus
}
#endif

#endif
