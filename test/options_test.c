/* Promise 1: what is wrong is refused before anything is done, with one line
 * that names the option, its value and the rule. Walks every option over its
 * bounds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/stream/options.h"
#include "failing_alloc.h"

static int take_event(runnel_stream *stream, const struct runnel_event *event,
                      void *user) {
  (void)stream;
  (void)event;
  (void)user;
  return RUNNEL_OK;
}

static void hear_close(runnel_stream *stream, int code, void *user) {
  (void)stream;
  (void)code;
  (void)user;
}

static struct runnel_stream_options sound(void) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  options.url = "http://h/";
  options.on_event = take_event;
  options.on_close = hear_close;
  return options;
}

/* Opens on a client that never runs; the result alone is of interest. */
static int try_open(struct runnel_stream_options *options) {
  runnel_client *client;
  struct runnel_client_options none = RUNNEL_CLIENT_OPTIONS_INIT;
  assert_int_equal(runnel_client_new(&client, NULL, &none), RUNNEL_OK);
  runnel_stream *stream = NULL;
  int err = runnel_stream_open(&stream, client, options);
  assert_true((err == RUNNEL_OK) == (stream != NULL));
  assert_int_equal(runnel_client_close(client, NULL, NULL), RUNNEL_OK);
  assert_int_equal(runnel_client_run(client), RUNNEL_OK);
  return err;
}

static void refused(struct runnel_stream_options *options, int code,
                    const char *named) {
  assert_int_equal(try_open(options), code);
  if (strstr(options->error_text, named) == NULL ||
      strchr(options->error_text, '\n') != NULL)
    fail_msg("\"%s\" does not name \"%s\" in one line", options->error_text,
             named);
}

static void accepted(struct runnel_stream_options *options) {
  int err = try_open(options);
  if (err != RUNNEL_OK)
    fail_msg("refused: %s", options->error_text);
  assert_string_equal(options->error_text, "");
}

#define BYTES (INT64_C(1) << 40)
#define HEAD_MAX 16777216

static const struct row {
  const char *name;
  size_t offset;
  int64_t min;
  int64_t max;
  int can_be_off;
} rows[] = {
#define ROW(name, min, max, off)                                               \
  { #name, offsetof(struct runnel_stream_options, name), min, max, off }
    ROW(open_ms_max, 1, RUNNEL_MS_MAX, 1),
    ROW(connect_ms_max, 1, RUNNEL_MS_MAX, 1),
    ROW(idle_ms_max, 1, RUNNEL_MS_MAX, 1),
    ROW(hold_ms_max, 1, RUNNEL_MS_MAX, 1),
    ROW(retry_ms, 1, RUNNEL_MS_MAX, 1),
    ROW(retry_ms_max, 1, RUNNEL_MS_MAX, 1),
    ROW(failures_max, 1, INT64_C(1) << 53, 1),
    ROW(elapsed_ms_max, 1, RUNNEL_MS_MAX, 1),
    ROW(server_retry_ms_min, 1, 3600000, 1), /* the other's default */
    ROW(server_retry_ms_max, 100, RUNNEL_MS_MAX, 1),
    ROW(retry_after_ms_max, 1, RUNNEL_MS_MAX, 1),
    ROW(redirects_max, 1, 100, 1),
    ROW(event_bytes_max, 1, BYTES, 0),
    ROW(id_bytes_max, 1, 65536, 0),
    ROW(type_bytes_max, 1, 65536, 0),
    ROW(head_bytes_max, 256, HEAD_MAX, 0),
    ROW(error_body_bytes_max, 1, HEAD_MAX, 1),
    ROW(keepalive_s, 1, 32767, 1),
    ROW(keepalive_interval_s, 1, 32767, 0),
    ROW(keepalive_probes, 1, 127, 0),
};

static void set(struct runnel_stream_options *options, const struct row *row,
                int64_t value) {
  *options = sound();
  memcpy((char *)options + row->offset, &value, sizeof value);
}

static void promise_1_every_number_has_its_bounds(void **state) {
  (void)state;
  struct runnel_stream_options options;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const struct row *row = &rows[i];
    const int64_t good[] = {0, row->min, row->max};
    const int64_t bad[] = {row->max + 1, -2, INT64_MIN, INT64_MAX};
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++) {
      set(&options, row, good[k]);
      accepted(&options);
    }
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
      set(&options, row, bad[k]);
      refused(&options, RUNNEL_EINVAL, row->name);
    }
    set(&options, row, RUNNEL_NONE);
    if (row->can_be_off)
      accepted(&options);
    else
      refused(&options, RUNNEL_EINVAL, row->name);
  }
}

static void promise_1_ratios_flags_and_orders(void **state) {
  (void)state;
  static const double growths[] = {0.5, 101, -1, NAN, INFINITY};
  static const double jitters[] = {1.5, -0.5, NAN, INFINITY};
  struct runnel_stream_options options;
  for (size_t i = 0; i < 5; i++) {
    options = sound();
    options.retry_growth = growths[i];
    refused(&options, RUNNEL_EINVAL, "retry_growth");
  }
  for (size_t i = 0; i < 4; i++) {
    options = sound();
    options.retry_jitter = jitters[i];
    refused(&options, RUNNEL_EINVAL, "retry_jitter");
  }
  options = sound();
  options.end = 3;
  refused(&options, RUNNEL_EINVAL, "end is 3");
  options = sound();
  options.oversize = -1;
  refused(&options, RUNNEL_EINVAL, "oversize is -1");
  options = sound();
  options.utf8_replace = 2;
  refused(&options, RUNNEL_EINVAL, "utf8_replace is 2");
  options = sound();
  options.server_retry_ms_min = 500;
  options.server_retry_ms_max = 400;
  refused(&options, RUNNEL_EINVAL, "server_retry_ms_min is 500");
}

static void promise_1_urls(void **state) {
  (void)state;
  static const struct {
    const char *url;
    const char *named;
  } bad[] = {
      {NULL, "url is missing"},
      {"", "url"},
      {"/x", "url"},
      {"ftp://h/", "ftp"},
      {"http://", "host"},
      {"http://h:0/", "port"},
      {"http://h:65536/", "65536"},
      {"http://h/a b", "url"},
      {"http://h/\r\nX: y", "url"},
      {"http://0x7f.1/", "IPv4"},
      {"http://[fe80::1%25eth0]/", "zone"},
      {"http://b\xc3\xbc.example/", "ASCII"},
      {"https://h:0/", "port"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct runnel_stream_options options = sound();
    options.url = bad[i].url;
    refused(&options, RUNNEL_EURL, bad[i].named);
  }
}

static void promise_1_texts_hold_no_secret(void **state) {
  (void)state;
  struct runnel_stream_options options = sound();
  options.url = "http://user:hunter2@h:99999/?key=hunter2";
  refused(&options, RUNNEL_EURL, "port");
  assert_null(strstr(options.error_text, "hunter2"));
  const struct runnel_header header = {"Authorization", "hunter2\r\n", 0};
  options = sound();
  options.headers = &header;
  options.headers_len = 1;
  refused(&options, RUNNEL_EINVAL, "Authorization");
  assert_null(strstr(options.error_text, "hunter2"));
}

static void promise_1_what_must_be_there(void **state) {
  (void)state;
  struct runnel_stream_options options = sound();
  options.on_event = NULL;
  refused(&options, RUNNEL_EINVAL, "on_event");
  options = sound();
  options.on_close = NULL;
  refused(&options, RUNNEL_EINVAL, "unseen");
  options = sound();
  options.size = 0;
  assert_int_equal(try_open(&options), RUNNEL_EINVAL);
  options = sound();
  options.size -= 8;
  refused(&options, RUNNEL_EINVAL, "size");
  options = sound();
  options.method = "GE T";
  refused(&options, RUNNEL_EINVAL, "method");
  options = sound();
  options.method = "CONNECT";
  refused(&options, RUNNEL_EINVAL, "CONNECT");
  options = sound();
  options.body_len = 4;
  refused(&options, RUNNEL_EINVAL, "body is NULL");
  options = sound();
  options.headers_len = 1;
  refused(&options, RUNNEL_EINVAL, "headers is NULL");
  options = sound();
  options.unix_path = "";
  refused(&options, RUNNEL_EINVAL, "unix_path");
}

static void promise_1_lists_and_lengths(void **state) {
  (void)state;
  static struct runnel_header headers[101];
  static char big[32769];
  memset(big, 'x', sizeof big - 1);
  struct runnel_stream_options options = sound();
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
    headers[i] = (struct runnel_header){"X-A", "b", 0};
  options.headers = headers;
  options.headers_len = 101;
  refused(&options, RUNNEL_EINVAL, "headers_len is 101");
  options.headers_len = 100;
  accepted(&options);
  headers[7].value = NULL;
  refused(&options, RUNNEL_EINVAL, "headers[7]: name or value is NULL");
  headers[7] = (struct runnel_header){NULL, "b", 0};
  refused(&options, RUNNEL_EINVAL, "headers[7]: name or value is NULL");
  headers[7] = (struct runnel_header){"X-A", "b", 2};
  refused(&options, RUNNEL_EINVAL, "headers[7]: flags is 2");
  headers[0].value = big + 3; /* with its name over 32 KiB by one */
  options.headers_len = 2;
  refused(&options, RUNNEL_EINVAL, "32768 bytes in all");
  headers[0].value = big + 7;
  accepted(&options);
  options = sound();
  big[65] = '\0';
  options.method = big;
  refused(&options, RUNNEL_EINVAL, "method is 65 bytes long");
  options.method = big + 1;
  accepted(&options);
  options = sound();
  memset(big, 'x', 200);
  big[108] = '\0';
  options.unix_path = big;
  refused(&options, RUNNEL_EINVAL, "unix_path is 108 bytes long");
  options.unix_path = big + 1;
  accepted(&options);
  options = sound();
  options.body = "";
  options.body_len = (size_t)RUNNEL_BYTES_MAX + 1;
  refused(&options, RUNNEL_EINVAL, "body_len");
}

/* Options of a header that is newer than the library. */
static void promise_1_unknown_options(void **state) {
  (void)state;
  struct {
    struct runnel_stream_options known;
    int64_t newer;
  } options = {sound(), 0};
  options.known.size = sizeof options;
  accepted(&options.known);
  options.newer = 1;
  refused(&options.known, RUNNEL_EINVAL, "does not know");
}

static void promise_1_first_ids(void **state) {
  (void)state;
  static char big[1026];
  memset(big, 'x', sizeof big - 1);
  struct runnel_stream_options options = sound();
  options.last_event_id = "a\nb";
  refused(&options, RUNNEL_EINVAL, "last_event_id");
  options = sound();
  options.last_event_id = "a\0b";
  options.last_event_id_len = 3;
  refused(&options, RUNNEL_EINVAL, "last_event_id");
  options = sound();
  options.last_event_id_len = 2;
  refused(&options, RUNNEL_EINVAL, "last_event_id is NULL");
  options = sound();
  options.last_event_id = big;
  refused(&options, RUNNEL_EINVAL, "1025");
  options = sound();
  options.last_event_id = big + 1;
  accepted(&options);
}

static void promise_1_client_options(void **state) {
  (void)state;
  struct runnel_stream_options defaults = RUNNEL_STREAM_OPTIONS_INIT;
  const struct runnel_resolve no_port = {"h", 0, "127.0.0.1"};
  const struct runnel_resolve no_address = {"h", 80, "127.1"};
  runnel_client *client = NULL;
  for (int row = 0; row < 8; row++) {
    static const char *const named[] = {"dials_per_second_max",
                                        "dials_max",
                                        "held_bytes_max",
                                        "log_level",
                                        "port is 0",
                                        "address",
                                        "stream_defaults.retry_ms",
                                        "alloc has 1"};
    struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
    options.dials_per_second_max = row == 0 ? -2 : 0;
    options.dials_max = row == 1 ? 1000001 : 0;
    options.held_bytes_max = row == 2 ? RUNNEL_NONE : 0;
    options.log_level = row == 3 ? 5 : 0;
    options.resolve = row == 4 ? &no_port : &no_address;
    options.resolve_len = row == 4 || row == 5;
    defaults.retry_ms = -7;
    options.stream_defaults = row == 6 ? &defaults : NULL;
    struct failing_alloc alloc = {0};
    if (row == 7)
      options.alloc.alloc = failing_alloc_hooks(&alloc).alloc;
    assert_int_equal(runnel_client_new(&client, NULL, &options), RUNNEL_EINVAL);
    if (strstr(options.error_text, named[row]) == NULL)
      fail_msg("\"%s\" does not name %s", options.error_text, named[row]);
    assert_null(client);
  }
}

static void refused_client(struct runnel_client_options *options,
                           const char *named) {
  runnel_client *client = NULL;
  assert_int_equal(runnel_client_new(&client, NULL, options), RUNNEL_EINVAL);
  if (strstr(options->error_text, named) == NULL)
    fail_msg("\"%s\" does not name %s", options->error_text, named);
  assert_null(client);
}

static void promise_1_addresses_given_beforehand(void **state) {
  (void)state;
  static char long_host[300];
  memset(long_host, 'h', 254);
  static const struct {
    struct runnel_resolve row;
    const char *named;
  } bad[] = {
      {{NULL, 80, "::1"}, "resolve[0]: host"},
      {{"", 80, "::1"}, "resolve[0]: host"},
      {{long_host, 80, "::1"}, "resolve[0]: host"},
      {{"h", 65536, "::1"}, "resolve[0]: port is 65536"},
      {{"h", 80, NULL}, "resolve[0]: address"},
  };
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  options.resolve_len = 1;
  refused_client(&options, "resolve is NULL");
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    options.resolve = &bad[i].row;
    refused_client(&options, bad[i].named);
  }
  options.resolve_len = 1025;
  refused_client(&options, "resolve_len is 1025");
  struct runnel_stream_options defaults = {0};
  options = (struct runnel_client_options)RUNNEL_CLIENT_OPTIONS_INIT;
  options.stream_defaults = &defaults;
  refused_client(&options, "");
  options.size = 0;
  refused_client(&options, "");
}

static void zero_fields_come_from_the_defaults(void **state) {
  (void)state;
  struct runnel_stream_options defaults = RUNNEL_STREAM_OPTIONS_INIT;
  struct runnel_stream_options own = sound();
  struct runnel_stream_options merged;
  const struct runnel_header header = {"A", "b", 0};
  defaults.retry_ms = 77;
  defaults.idle_ms_max = 88;
  defaults.retry_growth = 3;
  defaults.headers = &header;
  defaults.headers_len = 1;
  defaults.sentinel = "x";
  own.idle_ms_max = 99;
  runnel__options_merge(&merged, &own, &defaults);
  assert_int_equal(merged.retry_ms, 77);
  assert_int_equal(merged.idle_ms_max, 99);
  assert_true(merged.retry_growth == 3);
  assert_ptr_equal(merged.headers, &header);
  assert_string_equal(merged.sentinel, "x");
  assert_ptr_equal(merged.on_event, take_event);
}

/* Ten thousand streams with equal options hold one policy. */
static void equal_options_share_one_policy(void **state) {
  (void)state;
  struct runnel__mem mem;
  runnel__mem_init(&mem, NULL, 0);
  struct runnel_stream_options a = sound();
  struct runnel_stream_options b = sound();
  b.url = "http://other/";
  struct runnel__policy *first = runnel__policy_take(&mem, &a, NULL);
  struct runnel__policy *second = runnel__policy_take(&mem, &b, first);
  assert_ptr_equal(first, second);
  b.sentinel = "[DONE]";
  struct runnel__policy *third = runnel__policy_take(&mem, &b, first);
  assert_ptr_not_equal(first, third);
  assert_ptr_equal(runnel__policy_take(&mem, &b, third), third);
  b.sentinel = "[OVER]";
  struct runnel__policy *fourth = runnel__policy_take(&mem, &b, third);
  assert_ptr_not_equal(fourth, third);
  runnel__policy_give(fourth, &mem);
  runnel__policy_give(third, &mem);
  runnel__policy_give(third, &mem);
  runnel__policy_give(second, &mem);
  runnel__policy_give(first, &mem);
}

int runnel__test_options(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_1_every_number_has_its_bounds),
      cmocka_unit_test(promise_1_ratios_flags_and_orders),
      cmocka_unit_test(promise_1_urls),
      cmocka_unit_test(promise_1_texts_hold_no_secret),
      cmocka_unit_test(promise_1_what_must_be_there),
      cmocka_unit_test(promise_1_lists_and_lengths),
      cmocka_unit_test(promise_1_unknown_options),
      cmocka_unit_test(promise_1_first_ids),
      cmocka_unit_test(promise_1_client_options),
      cmocka_unit_test(promise_1_addresses_given_beforehand),
      cmocka_unit_test(zero_fields_come_from_the_defaults),
      cmocka_unit_test(equal_options_share_one_policy),
  };
  return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
