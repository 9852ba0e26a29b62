/* The parser of runnel.h: options, the order of calls, and one stream through
 * it. What it makes of bytes is parser_test.c's matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runnel.h"

int runnel__test_parser_alone(void);

static void expect_refused(struct runnel_parser_options *options,
                           const char *text) {
  runnel_parser *parser = NULL;
  assert_int_equal(runnel_parser_new(&parser, options), RUNNEL_EINVAL);
  assert_null(parser);
  assert_string_equal(options->error_text, text);
}

static void expect_taken(struct runnel_parser_options *options) {
  runnel_parser *parser = NULL;
  strcpy(options->error_text, "old");
  assert_int_equal(runnel_parser_new(&parser, options), RUNNEL_OK);
  assert_string_equal(options->error_text, "");
  runnel_parser_free(parser);
}

/* Promise 1. */
static void test_options_are_checked(void **state) {
  (void)state;
  struct runnel_parser_options options = RUNNEL_PARSER_OPTIONS_INIT;
  options.event_bytes_max = RUNNEL_NONE;
  expect_refused(&options, "event_bytes_max is -1: must be 1 to 1099511627776, "
                           "or 0 for the default");
  options.event_bytes_max = RUNNEL_BYTES_MAX + 1;
  expect_refused(&options, "event_bytes_max is 1099511627777: must be 1 to "
                           "1099511627776, or 0 for the default");
  options.event_bytes_max = RUNNEL_BYTES_MAX;
  options.id_bytes_max = 65537;
  expect_refused(&options, "id_bytes_max is 65537: must be 1 to 65536, or 0 "
                           "for the default");
  options.id_bytes_max = 65536;
  options.type_bytes_max = INT64_MIN;
  expect_refused(&options, "type_bytes_max is -9223372036854775808: must be 1 "
                           "to 65536, or 0 for the default");
  options.type_bytes_max = 1;
  options.oversize = 2;
  expect_refused(&options, "oversize is 2: must be 0 or 1");
  options.oversize = RUNNEL_OVERSIZE_DROP;
  options.utf8_replace = -1;
  expect_refused(&options, "utf8_replace is -1: must be 0 or 1");
  options.utf8_replace = 1;
  options.comments = 3;
  expect_refused(&options, "comments is 3: must be 0 or 1");
  options.comments = 1;
  expect_taken(&options);
  assert_int_equal(runnel_parser_new(NULL, &options), RUNNEL_EINVAL);
}

static void *some_alloc(size_t size, void *ctx) {
  size_t *live = ctx;
  if (*live >= 2)
    return NULL;
  ++*live;
  return malloc(size);
}

static void *some_realloc(void *memory, size_t size, void *ctx) {
  (void)ctx;
  return realloc(memory, size);
}

static void some_free(void *memory, void *ctx) {
  size_t *live = ctx;
  --*live;
  free(memory);
}

static void test_alloc_is_whole_or_none(void **state) {
  (void)state;
  size_t live = 0;
  struct runnel_parser_options options = RUNNEL_PARSER_OPTIONS_INIT;
  options.alloc = (struct runnel_alloc){some_alloc, NULL, some_free, &live};
  expect_refused(&options, "alloc has 2 of its functions: must have all three "
                           "or none");
  options.alloc.realloc = some_realloc;
  expect_taken(&options);
  assert_int_equal(live, 0);
  live = 2;
  runnel_parser *parser = NULL;
  assert_int_equal(runnel_parser_new(&parser, &options), RUNNEL_ENOMEM);
  assert_null(parser);
}

static void test_the_size_is_checked(void **state) {
  (void)state;
  struct {
    struct runnel_parser_options options;
    char later[16];
  } grown;
  memset(&grown, 0, sizeof grown);
  expect_refused(&grown.options, "");
  grown.options.size = sizeof grown.options - 1;
  runnel_parser *parser = NULL;
  assert_int_equal(runnel_parser_new(&parser, &grown.options), RUNNEL_EINVAL);
  assert_non_null(strstr(grown.options.error_text, "must be at least"));
  grown.options.size = sizeof grown;
  expect_taken(&grown.options);
  grown.later[15] = 1;
  assert_int_equal(runnel_parser_new(&parser, &grown.options), RUNNEL_EINVAL);
  assert_non_null(strstr(grown.options.error_text, "must be zero"));
  assert_null(parser);
}

static void test_a_stream(void **state) {
  (void)state;
  char first[] = "id: 1\nevent: t\ndata: a\n\ndata: b",
       second[] = "c\n\n: no\n";
  runnel_parser *parser;
  const struct runnel_event *event = NULL;
  assert_int_equal(runnel_parser_new(&parser, NULL), RUNNEL_OK);
  assert_int_equal(runnel_parser_next(parser, &event), RUNNEL_PARSED_MORE);
  assert_int_equal(runnel_parser_feed(parser, NULL, 1), RUNNEL_EINVAL);
  assert_int_equal(runnel_parser_feed(parser, first, strlen(first)), RUNNEL_OK);
  assert_int_equal(runnel_parser_feed(parser, second, 1), RUNNEL_ESTATE);
  assert_int_equal(runnel_parser_next(parser, &event), RUNNEL_PARSED_EVENT);
  assert_string_equal(event->data, "a");
  assert_string_equal(event->type, "t");
  assert_string_equal(event->id, "1");
  assert_int_equal(event->has_id, 1);
  assert_int_equal(event->retry_ms, -1);
  assert_int_equal(runnel_parser_next(parser, &event), RUNNEL_PARSED_MORE);
  assert_int_equal(runnel_parser_feed(parser, second, strlen(second)),
                   RUNNEL_OK);
  assert_int_equal(runnel_parser_next(parser, &event), RUNNEL_PARSED_EVENT);
  assert_string_equal(event->data, "bc");
  assert_int_equal(runnel_parser_next(parser, &event), RUNNEL_PARSED_MORE);
  runnel_parser_free(parser);
  runnel_parser_free(NULL);
}

static void test_an_error_is_for_good(void **state) {
  (void)state;
  char bytes[] = "data: abc\n\n";
  runnel_parser *parser;
  const struct runnel_event *event = NULL;
  struct runnel_parser_options options = RUNNEL_PARSER_OPTIONS_INIT;
  options.event_bytes_max = 2;
  assert_int_equal(runnel_parser_new(&parser, &options), RUNNEL_OK);
  assert_int_equal(runnel_parser_feed(parser, bytes, strlen(bytes)), RUNNEL_OK);
  assert_int_equal(runnel_parser_next(parser, &event), RUNNEL_ETOOBIG);
  assert_int_equal(runnel_parser_next(parser, &event), RUNNEL_ETOOBIG);
  assert_int_equal(runnel_parser_feed(parser, bytes, 1), RUNNEL_ESTATE);
  assert_null(event);
  runnel_parser_free(parser);
}

int runnel__test_parser_alone(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_options_are_checked),
      cmocka_unit_test(test_alloc_is_whole_or_none),
      cmocka_unit_test(test_the_size_is_checked),
      cmocka_unit_test(test_a_stream),
      cmocka_unit_test(test_an_error_is_for_good),
  };
  return cmocka_run_group_tests_name("parser_alone", tests, NULL, NULL);
}
