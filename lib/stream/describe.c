/* Endings and peers in words: one line each, without query, userinfo or header
 * values, for the application's eyes and logs. */
#include "stream.h"

#include <stdio.h>
#include <string.h>

#include "client.h"

void runnel__describe_url(char *text, size_t size,
                          const runnel_stream *stream) {
  struct runnel__url url;
  text[0] = '\0';
  if (runnel__url_parse(&url, runnel__str_of(stream->ask.url), NULL) ==
      RUNNEL_OK)
    runnel__url_print(text, size, &url, 0);
}

void runnel__describe_step(const runnel_stream *stream, const char *step) {
  const struct runnel__log *log = &stream->client->log;
  char name[RUNNEL__TEXT_BYTES];
  char peer[RUNNEL__TEXT_BYTES];
  if (!runnel__log_wants(log, RUNNEL_LOG_DEBUG))
    return;
  runnel__url_print(name, sizeof name, &stream->attempt->url, 0);
  runnel__describe_peer(peer, sizeof peer, stream);
  runnel__log_line(log, RUNNEL_LOG_DEBUG, "%s: attempt %llu: %s%s%s", name,
                   (unsigned long long)stream->attempts, step,
                   peer[0] == '\0' ? "" : " ", peer);
}

void runnel__describe_peer(char *text, size_t size,
                           const runnel_stream *stream) {
  if (stream->ask.unix_path != NULL) {
    snprintf(text, size, "unix:%s", stream->ask.unix_path);
    return;
  }
  char addr[RUNNEL__ADDR_TEXT_BYTES] = "";
  if (stream->attempt != NULL && stream->attempt->peer.port != 0)
    runnel__addr_print(addr, &stream->attempt->peer);
  snprintf(text, size, "%s", addr);
}

/* The system's own words begin with a capital; ours stand inside a line. */
static void lower_first(char *text) {
  if (text[0] != '\0' && (text[1] < 'A' || text[1] > 'Z'))
    text[0] = runnel__lower(text[0]);
}

static void system_words(char *text, size_t size,
                         const struct runnel__tale *tale,
                         const char *(*words)(int native)) {
  if (tale->native == 0)
    snprintf(text, size, "%s", runnel_strerror(tale->code));
  else if (tale->phase == RUNNEL_PHASE_RESOLVE && tale->code == RUNNEL_ERESOLVE)
    snprintf(text, size, "%s", words(tale->native));
  else if (strerror_r(tale->native, text, size) != 0)
    snprintf(text, size, "error %d", tale->native);
  lower_first(text);
}

/* The common ones of RFC 9110 15 and RFC 6585. */
static const char *status_name(int status) {
  static const struct {
    int status;
    const char *name;
  } names[] = {
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {205, "Reset Content"},
      {206, "Partial Content"},
      {300, "Multiple Choices"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {402, "Payment Required"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {407, "Proxy Authentication Required"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {425, "Too Early"},
      {426, "Upgrade Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {451, "Unavailable For Legal Reasons"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {511, "Network Authentication Required"},
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].status == status)
      return names[i].name;
  return "";
}

static void describe_status(char *text, int status) {
  const char *name = status_name(status);
  snprintf(text, RUNNEL__TEXT_BYTES, "%d%s%s", status,
           name[0] == '\0' ? "" : " ", name);
}

static void describe_resolve(char *text, const runnel_stream *stream,
                             const struct runnel__tale *tale) {
  char words[128];
  system_words(words, sizeof words, tale,
               stream->client->world->ops->resolve_words);
  struct runnel__str host = {"", 0};
  if (stream->attempt != NULL)
    host = stream->attempt->url.host;
  snprintf(text, RUNNEL__TEXT_BYTES, "resolve %.*s: %s",
           (int)(host.len < 120 ? host.len : 120), host.at, words);
}

static void describe_connect(char *text, const runnel_stream *stream,
                             const struct runnel__tale *tale) {
  char words[100];
  char peer[130];
  system_words(words, sizeof words, tale,
               stream->client->world->ops->resolve_words);
  runnel__describe_peer(peer, sizeof peer, stream);
  snprintf(text, RUNNEL__TEXT_BYTES, "connect%s%s: %s",
           peer[0] == '\0' ? "" : " ", peer, words);
}

/* The world's words for what was wrong, or the system's, or our own. */
static void describe_tls(char *text, const runnel_stream *stream,
                         const struct runnel__tale *tale) {
  char words[RUNNEL__TEXT_BYTES];
  char peer[130];
  const char *why = stream->attempt != NULL ? stream->attempt->why : "";
  int is_system = tale->code == RUNNEL_ELOST || tale->code == RUNNEL_ERESOURCE;
  if (why[0] == '\0' && stream->secure && stream->link != NULL)
    why = stream->client->world->ops->why(stream->link);
  if (why[0] != '\0')
    snprintf(words, sizeof words, "%s", why);
  else if (is_system)
    system_words(words, sizeof words, tale, NULL);
  else
    snprintf(words, sizeof words, "%s", runnel_strerror(tale->code));
  runnel__describe_peer(peer, sizeof peer, stream);
  int prefix = snprintf(text, RUNNEL__TEXT_BYTES,
                        "TLS%s%s: ", peer[0] == '\0' ? "" : " with ", peer);
  snprintf(text + prefix, RUNNEL__TEXT_BYTES - (size_t)prefix, "%.*s",
           RUNNEL__TEXT_BYTES - 1 - prefix, words);
}

static void describe_timeout(char *text, const runnel_stream *stream,
                             const struct runnel__tale *tale) {
  char peer[130];
  runnel__describe_peer(peer, sizeof peer, stream);
  switch (tale->phase) {
  case RUNNEL_PHASE_REQUEST:
    snprintf(text, RUNNEL__TEXT_BYTES, "the held request timed out");
    break;
  case RUNNEL_PHASE_RESOLVE:
    describe_resolve(text, stream, tale);
    break;
  case RUNNEL_PHASE_CONNECT:
    snprintf(text, RUNNEL__TEXT_BYTES, "connect%s%s: timed out",
             peer[0] == '\0' ? "" : " ", peer);
    break;
  case RUNNEL_PHASE_HANDSHAKE:
    snprintf(text, RUNNEL__TEXT_BYTES, "TLS with %s: timed out", peer);
    break;
  default:
    snprintf(text, RUNNEL__TEXT_BYTES,
             "timed out waiting for the response head");
  }
}

static void describe_end(char *text, const runnel_stream *stream,
                         const struct runnel__tale *tale) {
  if (tale->unfinished > 0)
    snprintf(text, RUNNEL__TEXT_BYTES, "the response ended inside a block");
  else if (stream->policy->once && stream->policy->sentinel != NULL)
    snprintf(text, RUNNEL__TEXT_BYTES,
             "the response ended before its sentinel");
  else
    snprintf(text, RUNNEL__TEXT_BYTES, "%s", runnel_strerror(tale->code));
}

/* A field's value is shown only where it is what was wrong. */
static void describe_field(char *text, const runnel_stream *stream,
                           struct runnel__str name, const char *format) {
  struct runnel__str value = {NULL, 0};
  if (stream->reply != NULL)
    value = runnel__reply_header(stream->reply, name, NULL);
  if (value.at == NULL)
    value = RUNNEL__STR("");
  char shown[100];
  snprintf(shown, sizeof shown, "%.*s",
           (int)(value.len < sizeof shown ? value.len : sizeof shown - 1),
           value.at);
  snprintf(text, RUNNEL__TEXT_BYTES, format, shown);
}

static void describe_type(char *text, const runnel_stream *stream) {
  size_t count = 0;
  if (stream->reply != NULL)
    (void)runnel__reply_header(stream->reply, RUNNEL__STR("content-type"),
                               &count);
  if (count == 1)
    describe_field(text, stream, RUNNEL__STR("content-type"),
                   "content type \"%s\" is not text/event-stream");
  else
    snprintf(text, RUNNEL__TEXT_BYTES,
             count == 0 ? "no content type: not text/event-stream"
                        : "several content types: not text/event-stream");
}

static void describe_redirect(char *text, const runnel_stream *stream,
                              const struct runnel__tale *tale) {
  snprintf(text, RUNNEL__TEXT_BYTES, "%d: redirect refused: %s", tale->status,
           stream->attempt != NULL ? stream->attempt->why : "");
}

/* Faults of the system or the network, and codes that have no more to say. */
static void describe_fault(char *text, const runnel_stream *stream,
                           const struct runnel__tale *tale) {
  char words[128];
  const char *why = "";
  if (stream->secure && stream->link != NULL && tale->code == RUNNEL_ELOST)
    why = stream->client->world->ops->why(stream->link);
  if (tale->phase == RUNNEL_PHASE_RESOLVE) {
    describe_resolve(text, stream, tale);
  } else if (tale->phase == RUNNEL_PHASE_CONNECT) {
    describe_connect(text, stream, tale);
  } else if (why[0] != '\0') {
    snprintf(text, RUNNEL__TEXT_BYTES, "connection lost: %s", why);
  } else if (tale->native != 0) {
    system_words(words, sizeof words, tale,
                 stream->client->world->ops->resolve_words);
    snprintf(text, RUNNEL__TEXT_BYTES, "connection lost: %s", words);
  } else {
    snprintf(text, RUNNEL__TEXT_BYTES, "%s", runnel_strerror(tale->code));
  }
}

/* What came of a response, or of waiting for one. */
static void describe_answer(char *text, const runnel_stream *stream,
                            const struct runnel__tale *tale) {
  switch (tale->code) {
  case RUNNEL_ESTATUS:
  case RUNNEL_EUNAUTHORIZED:
    describe_status(text, tale->status);
    break;
  case RUNNEL_EEND:
    describe_end(text, stream, tale);
    break;
  case RUNNEL_ETYPE:
    describe_type(text, stream);
    break;
  case RUNNEL_EENCODING:
    describe_field(text, stream, RUNNEL__STR("content-encoding"),
                   "content encoding \"%s\" was not asked for");
    break;
  case RUNNEL_EREDIRECT:
    describe_redirect(text, stream, tale);
    break;
  case RUNNEL_EHTTP:
    snprintf(text, RUNNEL__TEXT_BYTES, "malformed response: %s",
             stream->reply != NULL ? runnel__reply_why(stream->reply) : "");
    break;
  case RUNNEL_ETOOBIG:
    runnel__parser_why(&stream->parser, text, RUNNEL__TEXT_BYTES);
    break;
  case RUNNEL_ETLS:
  case RUNNEL_ETRUST:
    describe_tls(text, stream, tale);
    break;
  case RUNNEL_EIDLE:
    snprintf(text, RUNNEL__TEXT_BYTES, "nothing received for %lld ms",
             (long long)stream->policy->idle_ms_max);
    break;
  default:
    describe_fault(text, stream, tale);
  }
}

void runnel__describe(char *text, const runnel_stream *stream,
                      const struct runnel__tale *tale) {
  if (tale->code == RUNNEL_ETIMEDOUT)
    describe_timeout(text, stream, tale);
  else if (tale->phase == RUNNEL_PHASE_HANDSHAKE)
    describe_tls(text, stream, tale);
  else if (tale->phase == RUNNEL_PHASE_REQUEST) /* the application's word */
    snprintf(text, RUNNEL__TEXT_BYTES, "%s", runnel_strerror(tale->code));
  else if (tale->code == RUNNEL_OK && tale->status == 200)
    snprintf(text, RUNNEL__TEXT_BYTES, "the stream is complete");
  else if (tale->code == RUNNEL_OK)
    describe_status(text, tale->status);
  else
    describe_answer(text, stream, tale);
}
