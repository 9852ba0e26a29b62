/* A second event-stream parser, for comparison: slow, whole input at once,
 * written from the standard's text (HTML 9.2.6, Encoding 8.1.1) and sharing no
 * code with lib/. */
#ifndef RUNNEL_TEST_SLOW_PARSER_H
#define RUNNEL_TEST_SLOW_PARSER_H

#include <stddef.h>

#include "../lib/core/parser.h"

struct slow_result {
  const char *too_big; /* "event", "id", "type"; NULL: parsed to the end */
  size_t unfinished;
  char *id; /* in force at the end; owned, to be freed */
  size_t id_len;
  size_t events, comments, drops;
};

/* Calls `item` with each enum runnel_parsed in order. */
void slow_parse(struct slow_result *result, const char *bytes, size_t len,
                const struct runnel__parser_rules *rules,
                void (*item)(int kind, const struct runnel_event *event,
                             int id_changed, void *user),
                void *user);

#endif
