/* What parser.h promises and a transcript does not show: who owns which bytes,
 * what is copied and held, refusals, restarts and the id in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "parser_run.h"

int runnel__test_parser_promise(void);

static const struct runnel__parser_rules wide_rules = {
    .event_bytes_max = 16777216,
    .id_bytes_max = 1024,
    .type_bytes_max = 256,
    .comments = 1,
};

struct fixture {
  struct run_memory memory;
  struct runnel__mem mem;
  struct runnel__parser parser;
  struct runnel_event event;
  char bytes[512];
};

static void set_up(struct fixture *f,
                   const struct runnel__parser_rules *rules) {
  memset(f, 0, sizeof *f);
  run_memory_init(&f->mem, &f->memory);
  runnel__parser_init(&f->parser, &f->mem, rules);
}

static void tear_down(struct fixture *f) {
  runnel__parser_deinit(&f->parser);
  assert_int_equal(f->memory.live, 0);
  assert_int_equal(f->mem.held, 0);
}

static void feed(struct fixture *f, const char *text) {
  size_t len = strlen(text);
  assert_true(len < sizeof f->bytes);
  memcpy(f->bytes, text, len);
  runnel__parser_feed(&f->parser, f->bytes, len, 0);
}

static int next(struct fixture *f) {
  return runnel__parser_next(&f->parser, &f->event);
}

static void expect_id(struct fixture *f, const char *id) {
  assert_string_equal(runnel__parser_id(&f->parser).at, id);
  assert_int_equal(runnel__parser_id(&f->parser).len, strlen(id));
}

static void test_whole_events_are_not_copied(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  feed(&f, "event: t\ndata: a\n\n: c\ndata: bc\ndata: de\n\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  assert_ptr_equal(f.event.data, f.bytes + 15);
  assert_ptr_equal(f.event.type, f.bytes + 7);
  assert_int_equal(next(&f), RUNNEL_PARSED_COMMENT);
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  assert_int_equal(next(&f), RUNNEL_PARSED_MORE);
  assert_int_equal(f.parser.counts.bytes_copied, 0);
  assert_int_equal(f.parser.counts.bytes_moved, 2);
  assert_int_equal(f.parser.counts.events, 2);
  assert_int_equal(f.memory.asked, 0);
  tear_down(&f);
}

static void test_lone_cr_closes_at_once(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  feed(&f, "data: a\r\r");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  assert_int_equal(next(&f), RUNNEL_PARSED_MORE);
  feed(&f, "");
  assert_int_equal(next(&f), RUNNEL_PARSED_MORE);
  feed(&f, "\ndata: b\n\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  assert_string_equal(f.event.data, "b");
  tear_down(&f);
}

static void test_restart_keeps_the_id_alone(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  feed(&f, "id: 1\ndata: a\n\nid: 2\nevent: t\nretry: 5\ndata: cut\r");
  while (next(&f) > 0)
    ;
  runnel__parser_restart(&f.parser);
  expect_id(&f, "1");
  assert_int_equal(f.mem.held, 0);
  feed(&f, "\xef\xbb\xbf"
           "data: b\n\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  assert_string_equal(f.event.data, "b");
  assert_string_equal(f.event.type, "message");
  assert_string_equal(f.event.id, "1");
  assert_int_equal(f.event.has_id, 0);
  assert_int_equal(f.event.retry_ms, -1);
  tear_down(&f);
}

static void test_restart_forgets_a_refused_event(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  feed(&f, "id: 1\ndata: a\n\nid: 2\ndata: b\n\ndata: c\n\n");
  next(&f);
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  expect_id(&f, "2");
  runnel__parser_refuse(&f.parser, &f.event);
  expect_id(&f, "1");
  runnel__parser_restart(&f.parser);
  expect_id(&f, "1");
  feed(&f, "data: d\n\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  assert_string_equal(f.event.data, "d");
  assert_string_equal(f.event.id, "1");
  tear_down(&f);
}

static void test_restart_ends_an_error(void **state) {
  (void)state;
  struct runnel__parser_rules rules = wide_rules;
  struct fixture f;
  rules.event_bytes_max = 2;
  set_up(&f, &rules);
  feed(&f, "data: abc\n");
  assert_int_equal(next(&f), RUNNEL_ETOOBIG);
  assert_int_equal(next(&f), RUNNEL_ETOOBIG);
  runnel__parser_restart(&f.parser);
  feed(&f, "data: ab\n\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  tear_down(&f);
}

static void test_an_event_refused_many_times(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  feed(&f, "id: 1\nevent: t\ndata: a\ndata: b\n\n");
  for (int i = 0; i < 3; i++) {
    assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
    assert_string_equal(f.event.data, "a\nb");
    assert_string_equal(f.event.type, "t");
    assert_string_equal(f.event.id, "1");
    assert_true(runnel__parser_id_changed(&f.parser));
    runnel__parser_refuse(&f.parser, &f.event);
    expect_id(&f, "");
    assert_int_equal(runnel__parser_unfinished(&f.parser), 0);
  }
  assert_int_equal(f.parser.counts.events, 1);
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  assert_int_equal(next(&f), RUNNEL_PARSED_MORE);
  expect_id(&f, "1");
  tear_down(&f);
}

static void test_a_repaired_event_refused_many_times(void **state) {
  (void)state;
  struct runnel__parser_rules rules = wide_rules;
  struct fixture f;
  rules.utf8_replace = 1;
  set_up(&f, &rules);
  feed(&f, "data: \xff");
  assert_int_equal(next(&f), RUNNEL_PARSED_MORE);
  feed(&f, "\n\n");
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
    assert_string_equal(f.event.data, "\xef\xbf\xbd");
    runnel__parser_refuse(&f.parser, &f.event);
  }
  assert_in_range(runnel__parser_held(&f.parser), 1, 256);
  tear_down(&f);
}

static void set_id(struct fixture *f, const char *id) {
  assert_int_equal(runnel__parser_set_id(&f->parser, runnel__str_of(id)),
                   RUNNEL_OK);
  expect_id(f, id);
}

static void test_set_id_while_an_event_is_shown(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  set_id(&f, "0");
  feed(&f, "data: a\n\nid: 1\ndata: b\n\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  set_id(&f, "a long id that needs more memory than there was before");
  set_id(&f, "x");
  assert_string_equal(f.event.id, "0");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  expect_id(&f, "1");
  set_id(&f, "y");
  assert_string_equal(f.event.id, "1");
  runnel__parser_refuse(&f.parser, &f.event);
  expect_id(&f, "y");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  assert_string_equal(f.event.id, "1");
  expect_id(&f, "1");
  tear_down(&f);
}

/* As on_id shows it: after a restart, or when the event's own is not in force.
 */
static void test_set_id_while_an_id_is_shown(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  feed(&f, "id: 1\ndata: a\n\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  set_id(&f, "2");
  struct runnel__str shown = runnel__parser_show_id(&f.parser);
  set_id(&f, "a long id that needs more memory than there was before");
  assert_string_equal(shown.at, "2");
  runnel__parser_restart(&f.parser);
  shown = runnel__parser_show_id(&f.parser);
  set_id(&f, "another long id that needs more memory than there was before");
  set_id(&f, "3");
  assert_string_equal(shown.at,
                      "a long id that needs more memory than there was before");
  tear_down(&f);
}

static void test_set_id_leaves_a_pending_id(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  feed(&f, "id: 1\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_MORE);
  set_id(&f, "x");
  feed(&f, "data: a\n\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  expect_id(&f, "1");
  tear_down(&f);
}

static void test_set_id_is_bounded(void **state) {
  (void)state;
  struct runnel__parser_rules rules = wide_rules;
  struct fixture f;
  rules.id_bytes_max = 3;
  set_up(&f, &rules);
  set_id(&f, "abc");
  assert_int_equal(runnel__parser_set_id(&f.parser, RUNNEL__STR("abcd")),
                   RUNNEL_ETOOBIG);
  expect_id(&f, "abc");
  set_id(&f, "");
  tear_down(&f);
}

static void test_keep_returns_what_is_needed(void **state) {
  (void)state;
  struct fixture f;
  char *low;
  set_up(&f, &wide_rules);
  feed(&f, "event: t\ndata: a\n\ndata: b\n: c\n");
  next(&f);
  assert_int_equal(runnel__parser_keep(&f.parser, &low), RUNNEL_OK);
  assert_ptr_equal(low, f.bytes + 18);
  next(&f);
  assert_int_equal(f.event.data_len, 2); /* the comment */
  assert_int_equal(runnel__parser_keep(&f.parser, &low), RUNNEL_OK);
  assert_ptr_equal(low, f.bytes + 30);
  assert_int_equal(runnel__parser_unfinished(&f.parser), 1);
  tear_down(&f);
}

static void test_keep_of_a_refused_event(void **state) {
  (void)state;
  struct fixture f;
  char *low;
  set_up(&f, &wide_rules);
  feed(&f, "event: t\ndata: a\n\ndata: b\n\n");
  next(&f);
  runnel__parser_refuse(&f.parser, &f.event);
  assert_int_equal(runnel__parser_keep(&f.parser, &low), RUNNEL_OK);
  assert_ptr_equal(low, f.bytes + 7);
  tear_down(&f);
}

/* Cut into single bytes, with the pieces of the work that must stay bounded. */
static void feed_bytes(struct fixture *f, const char *text, size_t times) {
  for (size_t i = 0; i < times; i++) {
    for (const char *at = text; *at != '\0'; at++) {
      char byte = *at;
      runnel__parser_feed(&f->parser, &byte, 1, 0);
      assert_int_equal(next(f), RUNNEL_PARSED_MORE);
    }
  }
}

static void test_long_events_are_linear(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  feed_bytes(&f, "data: ", 1);
  feed_bytes(&f, "x", 1 << 20);
  feed_bytes(&f, "\n", 1);
  assert_int_equal(f.parser.counts.bytes_copied, 1 << 20);
  assert_int_equal(f.parser.counts.bytes_moved, 0);
  assert_in_range(f.memory.asked, 1, 16);
  feed(&f, "\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  assert_int_equal(f.event.data_len, 1 << 20);
  assert_int_equal(next(&f), RUNNEL_PARSED_MORE);
  assert_int_equal(runnel__parser_held(&f.parser), 0);
  tear_down(&f);
}

static void test_what_nobody_wants_costs_nothing(void **state) {
  (void)state;
  struct runnel__parser_rules rules = wide_rules;
  struct fixture f;
  rules.comments = 0;
  rules.drop = 1;
  rules.event_bytes_max = 100;
  set_up(&f, &rules);
  feed_bytes(&f, ":", 100000);
  feed_bytes(&f, "\nunknown", 50000);
  feed_bytes(&f, "x", 100000);
  feed_bytes(&f, "\nretry: ", 1);
  feed_bytes(&f, "0", 100000);
  assert_int_equal(f.memory.asked, 0);
  feed_bytes(&f, "x\nid: ", 1);
  feed_bytes(&f, "i", 100000);
  assert_in_range(runnel__parser_held(&f.parser), 1, 4096);
  f.bytes[0] = '\0';
  runnel__parser_feed(&f.parser, f.bytes, 1, 0);
  assert_int_equal(next(&f), RUNNEL_PARSED_MORE);
  feed_bytes(&f, "\ndata: ", 1);
  feed_bytes(&f, "x", 100000);
  assert_int_equal(runnel__parser_held(&f.parser), 0);
  tear_down(&f);
}

static void test_held_bytes_are_bounded_by_the_client(void **state) {
  (void)state;
  struct fixture f;
  set_up(&f, &wide_rules);
  f.mem.held_max = 300;
  feed_bytes(&f, "data: ", 1);
  int kind = RUNNEL_PARSED_MORE;
  for (int i = 0; i < 400 && kind == RUNNEL_PARSED_MORE; i++) {
    feed(&f, "x");
    kind = next(&f);
  }
  assert_int_equal(kind, RUNNEL_ENOMEM);
  runnel__parser_restart(&f.parser);
  feed(&f, "data: a\n\n");
  assert_int_equal(next(&f), RUNNEL_PARSED_EVENT);
  tear_down(&f);
}

int runnel__test_parser_promise(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole_events_are_not_copied),
      cmocka_unit_test(test_lone_cr_closes_at_once),
      cmocka_unit_test(test_restart_keeps_the_id_alone),
      cmocka_unit_test(test_restart_forgets_a_refused_event),
      cmocka_unit_test(test_restart_ends_an_error),
      cmocka_unit_test(test_an_event_refused_many_times),
      cmocka_unit_test(test_a_repaired_event_refused_many_times),
      cmocka_unit_test(test_set_id_while_an_event_is_shown),
      cmocka_unit_test(test_set_id_while_an_id_is_shown),
      cmocka_unit_test(test_set_id_leaves_a_pending_id),
      cmocka_unit_test(test_set_id_is_bounded),
      cmocka_unit_test(test_keep_returns_what_is_needed),
      cmocka_unit_test(test_keep_of_a_refused_event),
      cmocka_unit_test(test_long_events_are_linear),
      cmocka_unit_test(test_what_nobody_wants_costs_nothing),
      cmocka_unit_test(test_held_bytes_are_bounded_by_the_client),
  };
  return cmocka_run_group_tests_name("parser_promise", tests, NULL, NULL);
}
