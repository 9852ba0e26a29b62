/* The parser alone: the public face of core/parser.h for bytes that come from
 * elsewhere. Checks options and the order of calls; knows no loop and no
 * stream. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/quick.h"

struct runnel_parser {
  struct runnel__mem mem;
  struct runnel__parser_rules rules;
  struct runnel__parser parser;
  struct runnel_event event;
  int busy; /* what was fed is not used up, or an error was returned */
};

#define SMALL_BYTES_MAX 65536

/* A quarter of the address space where that is smaller than the header's. */
#define ADDRESS_BYTES_MAX (SIZE_MAX / 4)

static int refuse(struct runnel_parser_options *options, const char *format,
                  ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(options->error_text, sizeof options->error_text, format, args);
  va_end(args);
  return RUNNEL_EINVAL;
}

/* 0: the default. */
static int check_bytes(struct runnel_parser_options *options, const char *name,
                       int64_t value, int64_t max, size_t fallback,
                       size_t *rule) {
  if ((uint64_t)max > ADDRESS_BYTES_MAX)
    max = (int64_t)ADDRESS_BYTES_MAX;
  if (value < 0 || value > max)
    return refuse(options,
                  "%s is %" PRId64 ": must be 1 to %" PRId64
                  ", or 0 for the default",
                  name, value, max);
  *rule = value == 0 ? fallback : (size_t)value;
  return RUNNEL_OK;
}

static int check_flag(struct runnel_parser_options *options, const char *name,
                      int value, int *rule) {
  if (value != 0 && value != 1)
    return refuse(options, "%s is %d: must be 0 or 1", name, value);
  *rule = value;
  return RUNNEL_OK;
}

/* A program built against a later header may only use what is known here. */
static int check_size(struct runnel_parser_options *options) {
  size_t text_end = offsetof(struct runnel_parser_options, error_text) +
                    sizeof options->error_text;
  if (options->size < text_end)
    return RUNNEL_EINVAL; /* no room to say why */
  options->error_text[0] = '\0';
  if (options->size < sizeof *options)
    return refuse(options, "size is %zu: must be at least %zu", options->size,
                  sizeof *options);
  const char *bytes = (const char *)options;
  for (size_t i = sizeof *options; i < options->size; i++)
    if (bytes[i] != 0)
      return refuse(options,
                    "size is %zu: options past the first %zu bytes are not "
                    "known to this version and must be zero",
                    options->size, sizeof *options);
  return RUNNEL_OK;
}

static int check_alloc(struct runnel_parser_options *options) {
  const struct runnel_alloc *alloc = &options->alloc;
  int given =
      (alloc->alloc != NULL) + (alloc->realloc != NULL) + (alloc->free != NULL);
  if (given == 0 || given == 3)
    return RUNNEL_OK;
  return refuse(options,
                "alloc has %d of its functions: must have all three or none",
                given);
}

static int check_options(struct runnel_parser_options *options,
                         struct runnel__parser_rules *rules) {
  int err = check_size(options);
  if (err == RUNNEL_OK)
    err = check_alloc(options);
  if (err == RUNNEL_OK)
    err = check_bytes(options, "event_bytes_max", options->event_bytes_max,
                      RUNNEL_BYTES_MAX, (size_t)16 << 20,
                      &rules->event_bytes_max);
  if (err == RUNNEL_OK)
    err = check_bytes(options, "id_bytes_max", options->id_bytes_max,
                      SMALL_BYTES_MAX, 1024, &rules->id_bytes_max);
  if (err == RUNNEL_OK)
    err = check_bytes(options, "type_bytes_max", options->type_bytes_max,
                      SMALL_BYTES_MAX, 256, &rules->type_bytes_max);
  if (err == RUNNEL_OK)
    err = check_flag(options, "oversize", options->oversize, &rules->drop);
  if (err == RUNNEL_OK)
    err = check_flag(options, "utf8_replace", options->utf8_replace,
                     &rules->utf8_replace);
  if (err == RUNNEL_OK)
    err = check_flag(options, "comments", options->comments, &rules->comments);
  return err;
}

int runnel_parser_new(runnel_parser **parser,
                      struct runnel_parser_options *options) {
  struct runnel_parser_options defaults = RUNNEL_PARSER_OPTIONS_INIT;
  struct runnel__parser_rules rules = {.quick = runnel__quick_best()};
  struct runnel__mem mem;
  if (parser == NULL)
    return RUNNEL_EINVAL;
  if (options == NULL)
    options = &defaults;
  int err = check_options(options, &rules);
  if (err != RUNNEL_OK)
    return err;
  runnel__mem_init(&mem, &options->alloc, UINT64_MAX);
  struct runnel_parser *alone = runnel__alloc_zero(&mem, sizeof *alone);
  if (alone == NULL)
    return RUNNEL_ENOMEM;
  alone->mem = mem;
  alone->rules = rules;
  runnel__parser_init(&alone->parser, &alone->mem, &alone->rules);
  *parser = alone;
  return RUNNEL_OK;
}

int runnel_parser_feed(runnel_parser *parser, char *bytes, size_t len) {
  if (parser == NULL || (bytes == NULL && len > 0))
    return RUNNEL_EINVAL;
  if (parser->busy)
    return RUNNEL_ESTATE;
  parser->busy = 1;
  runnel__parser_feed(&parser->parser, bytes, len, 0);
  return RUNNEL_OK;
}

int runnel_parser_next(runnel_parser *parser,
                       const struct runnel_event **event) {
  if (parser == NULL || event == NULL)
    return RUNNEL_EINVAL;
  int kind = runnel__parser_next(&parser->parser, &parser->event);
  if (kind == RUNNEL_PARSED_MORE)
    parser->busy = 0;
  if (kind > 0)
    *event = &parser->event;
  return kind;
}

void runnel_parser_free(runnel_parser *parser) {
  if (parser == NULL)
    return;
  struct runnel__mem mem = parser->mem;
  runnel__parser_deinit(&parser->parser);
  runnel__free(&mem, parser);
}
