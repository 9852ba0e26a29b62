/* Defaults, bounds and off-values in one table; the checks walk it. */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../core/quick.h"

#define NOT_OFFERED (-2)
#define BODY_MAX INT64_C(16777216)
#define NAME_MAX_BYTES INT64_C(65536)
#define COUNT_MAX (INT64_C(1) << 53)

/* X(option, default, min, max, off): off is what RUNNEL_NONE becomes. */
#define NUMBERS(X)                                                             \
  X(open_ms_max, 30000, 1, RUNNEL_MS_MAX, RUNNEL__OFF)                         \
  X(connect_ms_max, 10000, 1, RUNNEL_MS_MAX, RUNNEL__OFF)                      \
  X(handshake_ms_max, 10000, 1, RUNNEL_MS_MAX, RUNNEL__OFF)                    \
  X(idle_ms_max, RUNNEL__OFF, 1, RUNNEL_MS_MAX, RUNNEL__OFF)                   \
  X(hold_ms_max, 30000, 1, RUNNEL_MS_MAX, RUNNEL__OFF)                         \
  X(retry_ms, 1000, 1, RUNNEL_MS_MAX, 0)                                       \
  X(retry_ms_max, 30000, 1, RUNNEL_MS_MAX, RUNNEL__OFF)                        \
  X(failures_max, RUNNEL__OFF, 1, COUNT_MAX, RUNNEL__OFF)                      \
  X(elapsed_ms_max, RUNNEL__OFF, 1, RUNNEL_MS_MAX, RUNNEL__OFF)                \
  X(server_retry_ms_min, 100, 1, RUNNEL_MS_MAX, 0)                             \
  X(server_retry_ms_max, 3600000, 1, RUNNEL_MS_MAX, RUNNEL__OFF)               \
  X(retry_after_ms_max, 3600000, 1, RUNNEL_MS_MAX, 0)                          \
  X(redirects_max, 10, 1, 100, 0)                                              \
  X(event_bytes_max, 16777216, 1, RUNNEL_BYTES_MAX, NOT_OFFERED)               \
  X(id_bytes_max, 1024, 1, NAME_MAX_BYTES, NOT_OFFERED)                        \
  X(type_bytes_max, 256, 1, NAME_MAX_BYTES, NOT_OFFERED)                       \
  X(head_bytes_max, 65536, 256, BODY_MAX, NOT_OFFERED)                         \
  X(error_body_bytes_max, 16384, 1, BODY_MAX, 0)                               \
  X(keepalive_s, 60, 1, 32767, 0)                                              \
  X(keepalive_interval_s, 10, 1, 32767, NOT_OFFERED)                           \
  X(keepalive_probes, 6, 1, 127, NOT_OFFERED)

static const struct number {
  const char *name;
  size_t option; /* offset in struct runnel_stream_options */
  size_t policy; /* offset in struct runnel__policy */
  int64_t normal;
  int64_t min;
  int64_t max;
  int64_t off;
} numbers[] = {
#define ROW(name, normal, min, max, off)                                       \
  {#name,                                                                      \
   offsetof(struct runnel_stream_options, name),                               \
   offsetof(struct runnel__policy, name),                                      \
   (normal),                                                                   \
   (min),                                                                      \
   (max),                                                                      \
   (off)},
    NUMBERS(ROW)
#undef ROW
};

#define NUMBERS_LEN (sizeof numbers / sizeof numbers[0])

int runnel__options_refuse(char *error_text, int code, const char *format,
                           ...) {
  if (error_text == NULL)
    return code;
  va_list args;
  va_start(args, format);
  vsnprintf(error_text, RUNNEL_ERROR_TEXT_BYTES, format, args);
  va_end(args);
  return code;
}

int runnel__options_size(const void *options, size_t given, size_t known,
                         const char *prefix, char *error_text) {
  if (given < known)
    return runnel__options_refuse(
        error_text, RUNNEL_EINVAL,
        "%ssize is %zu: this version's options have %zu bytes", prefix, given,
        known);
  for (size_t i = known; i < given; i++)
    if (((const char *)options)[i] != 0)
      return runnel__options_refuse(
          error_text, RUNNEL_EINVAL,
          "%ssize is %zu: an option that this version does not know is set",
          prefix, given);
  return RUNNEL_OK;
}

static int64_t read_number(const void *from, size_t offset) {
  int64_t value;
  memcpy(&value, (const char *)from + offset, sizeof value);
  return value;
}

static void write_number(void *to, size_t offset, int64_t value) {
  memcpy((char *)to + offset, &value, sizeof value);
}

#define INHERIT(field)                                                         \
  do {                                                                         \
    if (!merged->field)                                                        \
      merged->field = defaults->field;                                         \
  } while (0)

static void merge_callbacks(struct runnel_stream_options *merged,
                            const struct runnel_stream_options *defaults) {
  INHERIT(on_request);
  INHERIT(on_open);
  INHERIT(on_event);
  INHERIT(on_id);
  INHERIT(on_comment);
  INHERIT(on_drop);
  INHERIT(on_end);
  INHERIT(on_close);
}

void runnel__options_merge(struct runnel_stream_options *merged,
                           const struct runnel_stream_options *options,
                           const struct runnel_stream_options *defaults) {
  *merged = *options;
  merge_callbacks(merged, defaults);
  for (size_t i = 0; i < NUMBERS_LEN; i++)
    if (read_number(merged, numbers[i].option) == 0)
      write_number(merged, numbers[i].option,
                   read_number(defaults, numbers[i].option));
  if (merged->headers_len == 0) {
    merged->headers = defaults->headers;
    merged->headers_len = defaults->headers_len;
  }
  INHERIT(unix_path);
  INHERIT(sentinel);
  INHERIT(tls);
  INHERIT(end);
  INHERIT(replay_unanswered);
  INHERIT(redirect_body);
  INHERIT(oversize);
  INHERIT(utf8_replace);
  if (merged->retry_growth == 0)
    merged->retry_growth = defaults->retry_growth;
  if (merged->retry_jitter == 0)
    merged->retry_jitter = defaults->retry_jitter;
}

static int check_number(const struct number *number, int64_t value,
                        const char *prefix, char *error_text) {
  int can_be_off = number->off != NOT_OFFERED;
  if (value == 0 || (value == RUNNEL_NONE && can_be_off))
    return RUNNEL_OK;
  if (value >= number->min && value <= number->max)
    return RUNNEL_OK;
  return runnel__options_refuse(
      error_text, RUNNEL_EINVAL, "%s%s is %lld: must be %lld to %lld%s", prefix,
      number->name, (long long)value, (long long)number->min,
      (long long)number->max, can_be_off ? ", or RUNNEL_NONE" : "");
}

/* The comparisons are such that NaN fails them. */
static int check_ratios(const struct runnel_stream_options *options,
                        const char *prefix, char *error_text) {
  double growth = options->retry_growth;
  double jitter = options->retry_jitter;
  if (growth != 0 && !(growth >= 1 && growth <= 100))
    return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                  "%sretry_growth is %g: must be 1 to 100",
                                  prefix, growth);
  if (jitter != RUNNEL_NONE && !(jitter >= 0 && jitter <= 1))
    return runnel__options_refuse(
        error_text, RUNNEL_EINVAL,
        "%sretry_jitter is %g: must be 0 to 1, or RUNNEL_NONE", prefix, jitter);
  return RUNNEL_OK;
}

static int check_flag(const char *name, int value, int max, const char *prefix,
                      char *error_text) {
  if (value >= 0 && value <= max)
    return RUNNEL_OK;
  return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                "%s%s is %d: must be 0 to %d", prefix, name,
                                value, max);
}

static int check_flags(const struct runnel_stream_options *options,
                       const char *prefix, char *error_text) {
  const struct {
    const char *name;
    int value;
    int max;
  } flags[] = {
      {"end", options->end, RUNNEL_END_ONCE},
      {"replay_unanswered", options->replay_unanswered, 1},
      {"redirect_body", options->redirect_body, 1},
      {"oversize", options->oversize, RUNNEL_OVERSIZE_DROP},
      {"utf8_replace", options->utf8_replace, 1},
  };
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    int err = check_flag(flags[i].name, flags[i].value, flags[i].max, prefix,
                         error_text);
    if (err != RUNNEL_OK)
      return err;
  }
  return RUNNEL_OK;
}

/* What a number becomes in a policy. */
static int64_t effective(const struct number *number, int64_t value) {
  if (value == 0)
    return number->normal;
  return value == RUNNEL_NONE ? number->off : value;
}

static int64_t effective_at(const struct runnel_stream_options *options,
                            size_t offset) {
  for (size_t i = 0; i < NUMBERS_LEN; i++)
    if (numbers[i].option == offset)
      return effective(&numbers[i], read_number(options, offset));
  return 0;
}

#define EFFECTIVE(options, name)                                               \
  effective_at((options), offsetof(struct runnel_stream_options, name))

/* Bounds that only make sense in their order. */
static int check_order(const struct runnel_stream_options *options,
                       const char *prefix, char *error_text) {
  int64_t min = EFFECTIVE(options, server_retry_ms_min);
  int64_t max = EFFECTIVE(options, server_retry_ms_max);
  if (min > max)
    return runnel__options_refuse(
        error_text, RUNNEL_EINVAL,
        "%sserver_retry_ms_min is %lld: over server_retry_ms_max, %lld", prefix,
        (long long)min, (long long)max);
  return RUNNEL_OK;
}

int runnel__options_check(const struct runnel_stream_options *options,
                          const char *prefix, char *error_text) {
  for (size_t i = 0; i < NUMBERS_LEN; i++) {
    int err = check_number(&numbers[i], read_number(options, numbers[i].option),
                           prefix, error_text);
    if (err != RUNNEL_OK)
      return err;
  }
  int err = check_ratios(options, prefix, error_text);
  if (err == RUNNEL_OK)
    err = check_flags(options, prefix, error_text);
  if (err == RUNNEL_OK)
    err = check_order(options, prefix, error_text);
  return err;
}

static int mode_is_once(const struct runnel_stream_options *options) {
  if (options->end != RUNNEL_END_AUTO)
    return options->end == RUNNEL_END_ONCE;
  const char *method = options->method;
  return method != NULL && strcmp(method, "GET") != 0 &&
         strcmp(method, "HEAD") != 0;
}

static void fill_callbacks(struct runnel__policy *policy,
                           const struct runnel_stream_options *options) {
  policy->on_request = options->on_request;
  policy->on_open = options->on_open;
  policy->on_event = options->on_event;
  policy->on_id = options->on_id;
  policy->on_comment = options->on_comment;
  policy->on_drop = options->on_drop;
  policy->on_end = options->on_end;
  policy->on_close = options->on_close;
}

static size_t clip(int64_t bytes) {
  return (uint64_t)bytes > SIZE_MAX / 4 ? SIZE_MAX / 4 : (size_t)bytes;
}

static void fill_policy(struct runnel__policy *policy,
                        const struct runnel_stream_options *options) {
  memset(policy, 0, sizeof *policy); /* padding too: policies are compared */
  fill_callbacks(policy, options);
  policy->tls = options->tls;
  for (size_t i = 0; i < NUMBERS_LEN; i++)
    write_number(
        policy, numbers[i].policy,
        effective(&numbers[i], read_number(options, numbers[i].option)));
  policy->once = mode_is_once(options);
  policy->head_waits = policy->once && options->open_ms_max == 0;
  if (policy->once && options->failures_max == 0)
    policy->failures_max = 3;
  policy->replay_unanswered = options->replay_unanswered;
  policy->redirect_body = options->redirect_body;
  policy->retry_growth = options->retry_growth == 0 ? 2 : options->retry_growth;
  policy->retry_jitter = options->retry_jitter == 0 ? 0.25
                         : options->retry_jitter == RUNNEL_NONE
                             ? 0
                             : options->retry_jitter;
  policy->rules.event_bytes_max = clip(policy->event_bytes_max);
  policy->rules.id_bytes_max = clip(policy->id_bytes_max);
  policy->rules.type_bytes_max = clip(policy->type_bytes_max);
  policy->rules.drop = options->oversize == RUNNEL_OVERSIZE_DROP;
  policy->rules.comments = options->on_comment != NULL;
  policy->rules.utf8_replace = options->utf8_replace;
  policy->rules.quick = runnel__quick_best();
}

/* `fresh` has no references and no sentinel yet. */
static int same_policy(const struct runnel__policy *fresh, const char *sentinel,
                       const struct runnel__policy *like) {
  if ((sentinel == NULL) != (like->sentinel == NULL))
    return 0;
  if (sentinel != NULL && strcmp(sentinel, like->sentinel) != 0)
    return 0;
  struct runnel__policy bare;
  memcpy(&bare, like, sizeof bare);
  bare.refs = 0;
  bare.sentinel = NULL;
  /* Padding is zero, see fill_policy. NOLINTNEXTLINE(bugprone-*,cert-*) */
  return memcmp(&bare, fresh, sizeof bare) == 0;
}

struct runnel__policy *
runnel__policy_take(struct runnel__mem *mem,
                    const struct runnel_stream_options *options,
                    struct runnel__policy *like) {
  struct runnel__policy fresh;
  fill_policy(&fresh, options);
  if (like != NULL && same_policy(&fresh, options->sentinel, like)) {
    like->refs++;
    return like;
  }
  struct runnel__policy *policy = runnel__alloc(mem, sizeof *policy);
  if (policy == NULL)
    return NULL;
  memcpy(policy, &fresh, sizeof fresh);
  policy->refs = 1;
  if (options->sentinel != NULL) {
    policy->sentinel =
        runnel__copy(mem, options->sentinel, strlen(options->sentinel));
    if (policy->sentinel == NULL) {
      runnel__free(mem, policy);
      return NULL;
    }
  }
  (void)runnel_tls_retain(policy->tls);
  return policy;
}

void runnel__policy_give(struct runnel__policy *policy,
                         struct runnel__mem *mem) {
  if (policy == NULL || --policy->refs > 0)
    return;
  runnel__free(mem, policy->sentinel);
  runnel_tls_release(policy->tls);
  runnel__free(mem, policy);
}
