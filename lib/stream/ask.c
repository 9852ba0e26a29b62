/* Checking and copying what is asked for. */
#include "ask.h"

#include <string.h>

#include "../core/head.h"
#include "options.h"

/* sun_path holds 108 bytes with its NUL on Linux; elsewhere 104. */
#define UNIX_PATH_MAX_BYTES 107
#define METHOD_MAX_BYTES 64

int runnel__ask_check_url(const char *url, const char *prefix,
                          char *error_text) {
  struct runnel__url parsed;
  char why[RUNNEL__WHY_BYTES];
  if (url == NULL)
    return runnel__options_refuse(error_text, RUNNEL_EURL, "%surl is missing",
                                  prefix);
  int err = runnel__url_parse(&parsed, runnel__str_of(url), why);
  if (err != RUNNEL_OK)
    return runnel__options_refuse(error_text, err, "%surl: %s", prefix, why);
  return RUNNEL_OK;
}

int runnel__ask_check_method(const char *method, const char *prefix,
                             char *error_text) {
  if (method == NULL)
    return RUNNEL_OK;
  struct runnel__str text = runnel__str_of(method);
  if (text.len > METHOD_MAX_BYTES)
    return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                  "%smethod is %zu bytes long: over %d", prefix,
                                  text.len, METHOD_MAX_BYTES);
  if (!runnel__head_token(text))
    return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                  "%smethod is not an HTTP token", prefix);
  if (runnel__str_eq(text, RUNNEL__STR("CONNECT")))
    return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                  "%smethod is CONNECT: it asks for no stream",
                                  prefix);
  return RUNNEL_OK;
}

int runnel__headers_check(const struct runnel_header *headers, size_t len,
                          const char *prefix, char *error_text) {
  size_t bytes = 0;
  if (len > RUNNEL__HEADERS_MAX)
    return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                  "%sheaders_len is %zu: over %d", prefix, len,
                                  RUNNEL__HEADERS_MAX);
  if (len > 0 && headers == NULL)
    return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                  "%sheaders is NULL, headers_len %zu", prefix,
                                  len);
  for (size_t i = 0; i < len; i++) {
    char why[RUNNEL__WHY_BYTES];
    if (headers[i].name == NULL || headers[i].value == NULL)
      return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                    "%sheaders[%zu]: name or value is NULL",
                                    prefix, i);
    struct runnel__str name = runnel__str_of(headers[i].name);
    struct runnel__str value = runnel__str_of(headers[i].value);
    if (runnel__head_check(name, value, why) != RUNNEL_OK)
      return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                    "%sheaders[%zu]: %s", prefix, i, why);
    if ((headers[i].flags & ~RUNNEL_SENSITIVE) != 0)
      return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                    "%sheaders[%zu]: flags is %u: unknown bits",
                                    prefix, i, headers[i].flags);
    bytes += name.len + value.len;
    if (bytes > RUNNEL__HEADERS_BYTES_MAX)
      return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                    "%sheaders: over %d bytes in all", prefix,
                                    RUNNEL__HEADERS_BYTES_MAX);
  }
  return RUNNEL_OK;
}

static int check_rest(const struct runnel_stream_options *options,
                      const char *prefix, char *error_text) {
  if (options->body_len > 0 && options->body == NULL)
    return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                  "%sbody is NULL, body_len %zu", prefix,
                                  options->body_len);
  if (runnel__ask_body_over(options->body_len))
    return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                  "%sbody_len is %zu: over RUNNEL_BYTES_MAX",
                                  prefix, options->body_len);
  if (options->unix_path == NULL)
    return RUNNEL_OK;
  size_t len = strlen(options->unix_path);
  if (len == 0 || len > UNIX_PATH_MAX_BYTES)
    return runnel__options_refuse(error_text, RUNNEL_EINVAL,
                                  "%sunix_path is %zu bytes long: must be 1 to "
                                  "%d",
                                  prefix, len, UNIX_PATH_MAX_BYTES);
  return RUNNEL_OK;
}

int runnel__ask_check(const struct runnel_stream_options *options, int need_url,
                      const char *prefix, char *error_text) {
  int err = RUNNEL_OK;
  if (need_url)
    err = runnel__ask_check_url(options->url, prefix, error_text);
  if (err == RUNNEL_OK)
    err = runnel__ask_check_method(options->method, prefix, error_text);
  if (err == RUNNEL_OK)
    err = runnel__headers_check(options->headers, options->headers_len, prefix,
                                error_text);
  if (err == RUNNEL_OK)
    err = check_rest(options, prefix, error_text);
  return err;
}

/* Bytes of the array and all its strings. Bounded by the checks before. */
static size_t headers_bytes(const struct runnel_header *headers, size_t len) {
  size_t bytes = len * sizeof headers[0];
  for (size_t i = 0; i < len; i++)
    bytes += strlen(headers[i].name) + strlen(headers[i].value) + 2;
  return bytes;
}

/* Puts a copy of `from` in *to, its strings at *at, which moves on. */
static void put_header(struct runnel_header *to,
                       const struct runnel_header *from, char **at) {
  size_t name_len = strlen(from->name) + 1;
  size_t value_len = strlen(from->value) + 1;
  memcpy(*at, from->name, name_len);
  memcpy(*at + name_len, from->value, value_len);
  *to = (struct runnel_header){*at, *at + name_len, from->flags};
  *at += name_len + value_len;
}

struct runnel_header *runnel__headers_copy(struct runnel__mem *mem,
                                           const struct runnel_header *headers,
                                           size_t len) {
  struct runnel_header *copy = runnel__alloc(mem, headers_bytes(headers, len));
  if (copy == NULL)
    return NULL;
  char *at = (char *)(copy + len);
  for (size_t i = 0; i < len; i++)
    put_header(&copy[i], &headers[i], &at);
  return copy;
}

struct runnel_header *runnel__headers_set(struct runnel__mem *mem,
                                          const struct runnel_header *headers,
                                          size_t *len,
                                          const struct runnel_header *set) {
  int adds = set->value != NULL;
  size_t bytes = headers_bytes(headers, *len);
  if (adds)
    bytes += headers_bytes(set, 1);
  struct runnel_header *copy = runnel__alloc(mem, bytes);
  if (copy == NULL)
    return NULL;
  struct runnel__str name = runnel__str_of(set->name);
  char *at = (char *)(copy + *len + (adds ? 1 : 0));
  size_t kept = 0;
  for (size_t i = 0; i < *len; i++)
    if (!runnel__str_eq_nocase(runnel__str_of(headers[i].name), name))
      put_header(&copy[kept++], &headers[i], &at);
  if (adds)
    put_header(&copy[kept++], set, &at);
  *len = kept;
  return copy;
}

static int copy_text(char **to, struct runnel__mem *mem, const char *from,
                     size_t len) {
  if (from == NULL)
    return RUNNEL_OK;
  *to = runnel__copy(mem, from, len);
  return *to == NULL ? RUNNEL_ENOMEM : RUNNEL_OK;
}

static int copy_headers(struct runnel__ask *ask, struct runnel__mem *mem,
                        const struct runnel_stream_options *options,
                        const struct runnel_header *shared) {
  ask->headers_len = options->headers_len;
  if (ask->headers_len == 0)
    return RUNNEL_OK;
  if (options->headers == shared) {
    ask->borrowed = 1;
    /* Borrowed fields are only read; the member is not const because owned ones
     * are freed through it. */
    memcpy(&ask->headers, &options->headers, sizeof ask->headers);
    return RUNNEL_OK;
  }
  ask->headers =
      runnel__headers_copy(mem, options->headers, options->headers_len);
  return ask->headers == NULL ? RUNNEL_ENOMEM : RUNNEL_OK;
}

int runnel__ask_copy(struct runnel__ask *ask, struct runnel__mem *mem,
                     const struct runnel_stream_options *options,
                     const struct runnel_header *shared) {
  struct runnel__ask copy = {0};
  const char *method = options->method;
  const char *path = options->unix_path;
  int err = copy_headers(&copy, mem, options, shared);
  if (err == RUNNEL_OK && options->url != NULL)
    err = copy_text(&copy.url, mem, options->url, strlen(options->url));
  if (err == RUNNEL_OK && method != NULL)
    err = copy_text(&copy.method, mem, method, strlen(method));
  if (err == RUNNEL_OK && path != NULL)
    err = copy_text(&copy.unix_path, mem, path, strlen(path));
  if (err == RUNNEL_OK)
    err = copy_text(&copy.body, mem, options->body, options->body_len);
  if (err != RUNNEL_OK) {
    runnel__ask_free(&copy, mem);
    return err;
  }
  copy.body_len = options->body_len;
  *ask = copy;
  return RUNNEL_OK;
}

void runnel__ask_free(struct runnel__ask *ask, struct runnel__mem *mem) {
  runnel__free(mem, ask->url);
  runnel__free(mem, ask->method);
  runnel__free(mem, ask->body);
  runnel__free(mem, ask->unix_path);
  if (!ask->borrowed)
    runnel__free(mem, ask->headers);
  *ask = (struct runnel__ask){0};
}
