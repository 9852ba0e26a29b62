/* What the application asked for, checked once and turned into a policy.
 *
 * A policy holds everything of a stream's options that several streams are
 * likely to share: callbacks, limits, clocks. It is counted, and equal ones are
 * one, so that ten thousand streams with the same options cost one. What
 * differs from stream to stream (URL, headers, body) is an ask: ask.h. */
#ifndef RUNNEL_STREAM_OPTIONS_H
#define RUNNEL_STREAM_OPTIONS_H

#include "../core/backoff.h"
#include "../core/parser.h"
#include "../core/world.h"

/* In a policy, a limit that is off. */
#define RUNNEL__OFF INT64_MAX

struct runnel__policy {
  size_t refs; /* streams and the client that hold it */

  void (*on_request)(runnel_stream *, runnel_request *,
                     const struct runnel_attempt *, void *);
  void (*on_open)(runnel_stream *, const struct runnel_open *, void *);
  int (*on_event)(runnel_stream *, const struct runnel_event *, void *);
  void (*on_id)(runnel_stream *, const char *, size_t, void *);
  void (*on_comment)(runnel_stream *, const char *, size_t, void *);
  void (*on_drop)(runnel_stream *, const struct runnel_drop *, void *);
  void (*on_end)(runnel_stream *, const struct runnel_end *,
                 struct runnel_verdict *, void *);
  void (*on_close)(runnel_stream *, int, void *);

  char *sentinel;  /* owned; NULL: off */
  runnel_tls *tls; /* one reference of its own; NULL: the defaults */
  int once;        /* one-shot */
  int head_waits;  /* one-shot, and nobody set open_ms_max: the head may take
                      its time */
  int replay_unanswered;
  int redirect_body;
  double retry_growth;
  double retry_jitter;

  /* As in struct runnel_stream_options, defaults filled in. Off: RUNNEL__OFF
   * for what limits; 0 for retry_ms, server_retry_ms_min, retry_after_ms_max,
   * redirects_max, error_body_bytes_max and keepalive_s. */
  int64_t open_ms_max;
  int64_t connect_ms_max;
  int64_t handshake_ms_max;
  int64_t idle_ms_max;
  int64_t hold_ms_max;
  int64_t retry_ms;
  int64_t retry_ms_max;
  int64_t failures_max;
  int64_t elapsed_ms_max;
  int64_t server_retry_ms_min;
  int64_t server_retry_ms_max;
  int64_t retry_after_ms_max;
  int64_t redirects_max;
  int64_t event_bytes_max;
  int64_t id_bytes_max;
  int64_t type_bytes_max;
  int64_t head_bytes_max;
  int64_t error_body_bytes_max;
  int64_t keepalive_s;
  int64_t keepalive_interval_s;
  int64_t keepalive_probes;

  struct runnel__parser_rules rules;
};

/* Writes one line to an options' error_text (NULL: nowhere) and returns code.
 */
__attribute__((format(printf, 3, 4))) int
runnel__options_refuse(char *error_text, int code, const char *format, ...);

/* 0 if `given`, an options' size field, fits a struct that this version knows
 * as `known` bytes: as large, or larger with only zeros behind; else
 * RUNNEL_EINVAL. `prefix` goes before the name in error_text. */
int runnel__options_size(const void *options, size_t given, size_t known,
                         const char *prefix, char *error_text);

/* *merged = *options, its zero fields taken from *defaults. */
void runnel__options_merge(struct runnel_stream_options *merged,
                           const struct runnel_stream_options *options,
                           const struct runnel_stream_options *defaults);

/* Checks all numbers and flags. `prefix` goes before names in error_text. 0 or
 * RUNNEL_EINVAL. */
int runnel__options_check(const struct runnel_stream_options *options,
                          const char *prefix, char *error_text);

/* A policy of checked options with one reference, or `like` with one more if
 * that says the same. NULL: no memory. */
struct runnel__policy *
runnel__policy_take(struct runnel__mem *mem,
                    const struct runnel_stream_options *options,
                    struct runnel__policy *like);
void runnel__policy_give(struct runnel__policy *policy,
                         struct runnel__mem *mem);

#endif
