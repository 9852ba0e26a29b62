/* End to end through nginx: static streams, the same proxied in both framings,
 * two hundred sessions at once, and the answers that are no streams. The
 * library runs in this process; nginx is started on a free loopback port, with
 * a scripted peer, and the demo's session server, behind it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e_world.h"
#include "host.h"
#include "spawn.h"
#include "tempdir.h"

static const char *url_of(const char *target) {
  static char url[512];
  assert_non_null(e2e.nginx); /* why not: see standard error */
  return nginx_url(e2e.nginx, target, url, sizeof url);
}

/* What test/data/tour.events says ------------------------------------------ */

static const struct feed_event tour[] = {
    {"connected", "{\"sessionId\":\"s-1\"}", "1", 19, 1},
    {"message", "two\nlines", "2", 9, 1},
    {"heartbeat", "", "2", 0, 0},
    {"message",
     "Gr\xc3\xbc\xc3\x9f"
     "e, \xe4\xb8\x96\xe7\x95\x8c",
     "3", 15, 0},
    {"message", " two spaces, one kept", "", 21, 1},
    {"message", "{\"a\":1,\n \"b\":2}\n", "5", 16, 1},
    {"complete", "done", "6", 4, 1},
};
#define TOUR_LEN (sizeof tour / sizeof *tour)

static void check_event(const struct feed_event *is,
                        const struct feed_event *want) {
  assert_string_equal(is->type, want->type);
  assert_int_equal(is->data_len, want->data_len);
  assert_memory_equal(is->data, want->data, want->data_len);
  assert_string_equal(is->id, want->id);
  assert_int_equal(is->has_id, want->has_id);
}

static void check_tour(const struct feed *feed) {
  assert_int_equal(feed->events_len, TOUR_LEN);
  for (size_t i = 0; i < TOUR_LEN; i++)
    check_event(&feed->events[i], &tour[i]);
  assert_int_equal(feed->comments, 2);
}

/* Opens the target, lets its first attempt be the only one, and runs. */
static void take_once(struct feed *feed, const char *target) {
  struct host host;
  host_open(&host, NULL);
  feed->stop_at_end = 1;
  feed_open(feed, &host, url_of(target), NULL);
  host_drain(&host);
  assert_int_equal(feed->closed, 1);
  assert_int_equal(feed->ends, 1);
  host_close(&host);
}

/* Static files ------------------------------------------------------------- */

static void static_file_of_our_own(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/static/tour.events");
  check_tour(&feed);
  assert_int_equal(feed.code, RUNNEL_EEND);
  assert_int_equal(feed.close_code, RUNNEL_EEND);
  assert_true(feed.retry);
  assert_true(feed.unfinished > 0);
  assert_non_null(strstr(feed.headers, "Content-Length: "));
  assert_string_equal(feed.url, url_of("/static/tour.events"));
  assert_string_equal(feed.peer, url_of("") + strlen("http://"));
  feed_deinit(&feed);
}

static void static_file_larger_than_any_buffer(void **state) {
  (void)state;
  struct feed feed = {0};
  char *data = malloc(E2E_MADE_BYTES_MAX);
  take_once(&feed, "/made/made.events");
  assert_int_equal(feed.code, RUNNEL_EEND);
  assert_int_equal(feed.unfinished, 0);
  assert_int_equal(feed.events_len, MADE_EVENTS);
  for (int id = 1; id <= MADE_EVENTS; id++) {
    const struct feed_event *event = &feed.events[id - 1];
    char type[16];
    snprintf(type, sizeof type, "made%d", id % 3);
    e2e_print_made(data, id);
    assert_string_equal(event->type, type);
    assert_string_equal(event->data, data);
    assert_int_equal(atoi(event->id), id);
  }
  free(data);
  feed_deinit(&feed);
}

/* A reader of its own for the recorded streams, simple and slow: whole lines
 * ended by LF, `event` and `data` fields only, a blank line ends a block. */
struct simple {
  char type[256];
  char *data; /* as long as the text, reused */
  size_t data_len;
  int has_data;
};

static void take_field(struct simple *block, const char *line, size_t len) {
  if (len > 7 && strncmp(line, "event: ", 7) == 0) {
    snprintf(block->type, sizeof block->type, "%.*s", (int)(len - 7), line + 7);
  } else if (len >= 6 && strncmp(line, "data: ", 6) == 0) {
    if (block->has_data)
      block->data[block->data_len++] = '\n';
    memcpy(block->data + block->data_len, line + 6, len - 6);
    block->data_len += len - 6;
    block->has_data = 1;
  }
}

/* Compares the events shown with what the text says; returns how many. */
static size_t compare_simply(const struct feed *feed, const char *text,
                             size_t len) {
  struct simple block = {.data = malloc(len + 1)};
  size_t count = 0;
  for (const char *at = text, *end; at < text + len; at = end + 1) {
    end = memchr(at, '\n', (size_t)(text + len - at));
    if (end == NULL)
      break;
    if (end > at) {
      take_field(&block, at, (size_t)(end - at));
      continue;
    }
    if (block.has_data) {
      assert_true(count < feed->events_len);
      const struct feed_event *event = &feed->events[count++];
      assert_string_equal(event->type,
                          block.type[0] == '\0' ? "message" : block.type);
      assert_int_equal(event->data_len, block.data_len);
      assert_memory_equal(event->data, block.data, block.data_len);
    }
    block.type[0] = '\0';
    block.data_len = 0;
    block.has_data = 0;
  }
  free(block.data);
  return count;
}

static void recorded_streams(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int cut; /* its last event lacks the blank line */
  } rows[] = {{"wikimedia_recentchange.events", 1},
              {"llm_tool_use_response.events", -1},
              {"llm_fallback_response.events", -1}};
  size_t seen = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char path[512], target[128];
    size_t len;
    snprintf(path, sizeof path, "%s/%s", SHARED_DIR, rows[i].name);
    char *text = file_read(path, &len);
    if (text == NULL)
      continue;
    seen++;
    struct feed feed = {0};
    snprintf(target, sizeof target, "/shared/%s", rows[i].name);
    take_once(&feed, target);
    assert_int_equal(feed.code, RUNNEL_EEND);
    size_t count = compare_simply(&feed, text, len);
    assert_true(count > 0);
    assert_int_equal(feed.events_len, count);
    if (rows[i].cut == 1) {
      assert_int_equal(count, 2);
      assert_true(feed.unfinished > 0);
    }
    int whole = len >= 2 && memcmp(text + len - 2, "\n\n", 2) == 0;
    assert_int_equal(feed.unfinished == 0, whole);
    free(text);
    feed_deinit(&feed);
  }
  if (seen == 0)
    skip();
}

/* Proxied ------------------------------------------------------------------ */

static void proxied_chunked(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/chunked/tour");
  check_tour(&feed);
  assert_int_equal(feed.code, RUNNEL_EEND);
  assert_non_null(strstr(feed.headers, "Transfer-Encoding: chunked\n"));
  feed_deinit(&feed);
}

static void proxied_until_close(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/close/tour");
  check_tour(&feed);
  assert_int_equal(feed.code, RUNNEL_EEND);
  assert_null(strstr(feed.headers, "Transfer-Encoding"));
  assert_null(strstr(feed.headers, "Content-Length"));
  feed_deinit(&feed);
}

/* nginx answers 502 while nobody listens behind it; then somebody does. */
static void start_late(struct feed *feed, char what) {
  if (what == 'n' && feed->ends == 1)
    assert_int_equal(peer_listen(e2e.late), 0);
}

static void upstream_that_comes_late(void **state) {
  (void)state;
  struct host host;
  struct feed feed = {
      .close_after = TOUR_LEN, .delay_ms = 1, .on_any = start_late};
  host_open(&host, NULL);
  feed_open(&feed, &host, url_of("/late/tour"), NULL);
  host_drain(&host);
  check_tour(&feed);
  assert_int_equal(feed.ends, 1);
  assert_int_equal(feed.code, RUNNEL_ESTATUS);
  assert_int_equal(feed.status, 502);
  assert_int_equal(feed.failures, 1);
  assert_int_equal(feed.opens, 1);
  assert_int_equal(feed.close_code, RUNNEL_ECANCELED);
  feed_deinit(&feed);
  host_close(&host);
}

/* Many sessions ------------------------------------------------------------ */

static void open_sessions(struct host *host, struct feed *feeds,
                          const char *format) {
  host_open(host, NULL);
  for (int i = 0; i < SESSIONS; i++) {
    char target[128];
    snprintf(target, sizeof target, format, i + 1);
    feeds[i] = (struct feed){.close_on = "complete", .delay_ms = 1};
    feed_open(&feeds[i], host, url_of(target), NULL);
  }
}

static void sessions_through(const char *format, int end_code) {
  struct host host;
  struct feed *feeds = calloc(SESSIONS, sizeof *feeds);
  assert_non_null(feeds);
  open_sessions(&host, feeds, format);
  host_drain(&host);
  for (int i = 0; i < SESSIONS; i++) {
    struct feed *feed = &feeds[i];
    assert_int_equal(feed->close_code, RUNNEL_ECANCELED);
    assert_int_equal(feed->code, end_code);
    assert_int_equal(feed->opens, 2);
    assert_int_equal(feed->events_len, SESSION_EVENTS);
    for (int id = 1; id <= SESSION_EVENTS; id++) {
      char data[32];
      snprintf(data, sizeof data, "%d/%d", i + 1, id);
      assert_string_equal(feed->events[id - 1].data, data);
      assert_int_equal(atoi(feed->events[id - 1].id), id);
    }
    feed_deinit(feed);
  }
  host_close(&host);
  free(feeds);
}

static void two_hundred_sessions_chunked(void **state) {
  (void)state;
  sessions_through("/chunked/session?s=%d", RUNNEL_ELOST);
}

/* A body without length or chunks ends with its connection: nginx gives no sign
 * that its upstream was lost. The cut event is dropped all the same. */
static void two_hundred_sessions_until_close(void **state) {
  (void)state;
  sessions_through("/close/session?s=%d", RUNNEL_EEND);
}

#ifdef RUNNEL_SESSION_SERVER
static void check_log(struct feed *feed) {
  assert_int_equal(feed->close_code, RUNNEL_ECANCELED);
  assert_int_equal(feed->opens, 2);
  assert_int_equal(feed->ends, 1);
  assert_int_equal(feed->events_len, SESSION_EVENTS);
  for (int id = 1; id <= SESSION_EVENTS; id++)
    assert_int_equal(atoi(feed->events[id - 1].id), id);
  assert_string_equal(feed->events[0].type, "connected");
  feed_deinit(feed);
}

/* The demo's server lives by the clock, so the cut comes at any moment. */
static void two_hundred_sessions_of_the_demo(void **state) {
  (void)state;
  const char *argv[] = {RUNNEL_SESSION_SERVER,
                        "--sessions",
                        "200",
                        "--events",
                        "25",
                        "--interval",
                        "10",
                        "--retry",
                        "100",
                        "--drop",
                        NULL};
  struct spawn_options options = {.argv = argv, .input_stays_open = 1};
  struct spawn_result result;
  struct spawn *server = spawn_start(&options);
  assert_non_null(server);
  assert_int_equal(spawn_wait_lines(server, 1), 0);
  char config[512];
  snprintf(config, sizeof config,
           "location / { proxy_pass http://127.0.0.1:%d;\n"
           "  proxy_http_version 1.1; proxy_buffering off; }\n",
           atoi(spawn_out(server)));
  struct nginx *main_nginx = e2e.nginx;
  e2e.nginx = nginx_start(config);
  struct host host;
  struct feed *feeds = calloc(SESSIONS, sizeof *feeds);
  assert_non_null(feeds);
  open_sessions(&host, feeds, "/stream?sessionId=session-%d");
  host_drain(&host);
  for (int i = 0; i < SESSIONS; i++)
    check_log(&feeds[i]);
  host_close(&host);
  free(feeds);
  nginx_stop(e2e.nginx);
  e2e.nginx = main_nginx;
  spawn_close_input(server);
  spawn_finish(server, &result);
  assert_int_equal(result.status, 0);
  spawn_result_deinit(&result);
}
#endif

/* Answers that are no streams ---------------------------------------------- */

static void not_found_as_json(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/static/none.events");
  assert_int_equal(feed.code, RUNNEL_ESTATUS);
  assert_int_equal(feed.close_code, RUNNEL_ESTATUS);
  assert_int_equal(feed.status, 404);
  assert_false(feed.retry);
  assert_int_equal(feed.opens, 0);
  assert_memory_equal(feed.body, "{\"error\":{\"code\":404,", 21);
  feed_deinit(&feed);
}

static void broken_with_an_error_page(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/broken");
  assert_int_equal(feed.code, RUNNEL_ESTATUS);
  assert_int_equal(feed.status, 500);
  assert_true(feed.retry);
  assert_int_equal(feed.failures, 1);
  assert_memory_equal(feed.body, "{\"error\":{\"code\":500,", 21);
  feed_deinit(&feed);
}

static void busy_says_when(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/busy");
  assert_int_equal(feed.code, RUNNEL_ESTATUS);
  assert_int_equal(feed.status, 503);
  assert_true(feed.retry);
  assert_in_range(feed.retry_delay_ms, 7000, 8400);
  assert_string_equal(feed.body, "come later");
  feed_deinit(&feed);
}

static void no_content_is_the_end(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/over");
  assert_int_equal(feed.code, RUNNEL_OK);
  assert_int_equal(feed.close_code, RUNNEL_OK);
  assert_int_equal(feed.status, 204);
  assert_false(feed.retry);
  feed_deinit(&feed);
}

static void another_content_type(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/plain");
  assert_int_equal(feed.code, RUNNEL_ETYPE);
  assert_false(feed.retry);
  assert_int_equal(feed.status, 200);
  assert_int_equal(feed.opens, 0);
  assert_int_equal(feed.events_len, 0);
  feed_deinit(&feed);
}

static void compression_is_not_asked_for(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/gzip/tour.events");
  check_tour(&feed);
  assert_null(strstr(feed.headers, "Content-Encoding"));
  feed_deinit(&feed);
}

static void compression_that_came_unasked(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/gzipped/tour.events");
  assert_int_equal(feed.code, RUNNEL_EENCODING);
  assert_false(feed.retry);
  assert_int_equal(feed.events_len, 0);
  feed_deinit(&feed);
}

static void redirects(void **state) {
  (void)state;
  static const char *const targets[] = {"/301", "/302", "/303",
                                        "/307", "/308", "/hops"};
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
    struct feed feed = {0};
    take_once(&feed, targets[i]);
    check_tour(&feed);
    assert_int_equal(feed.code, RUNNEL_EEND);
    assert_string_equal(feed.url, url_of("/static/tour.events"));
    feed_deinit(&feed);
  }
}

static void redirects_without_end(void **state) {
  (void)state;
  struct feed feed = {0};
  take_once(&feed, "/loop");
  assert_int_equal(feed.code, RUNNEL_EREDIRECT);
  assert_int_equal(feed.status, 302);
  assert_false(feed.retry);
  assert_int_equal(feed.requests, 11);
  feed_deinit(&feed);
}

int runnel__test_e2e(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(static_file_of_our_own),
      cmocka_unit_test(static_file_larger_than_any_buffer),
      cmocka_unit_test(recorded_streams),
      cmocka_unit_test(proxied_chunked),
      cmocka_unit_test(proxied_until_close),
      cmocka_unit_test(upstream_that_comes_late),
      cmocka_unit_test(two_hundred_sessions_chunked),
      cmocka_unit_test(two_hundred_sessions_until_close),
#ifdef RUNNEL_SESSION_SERVER
      cmocka_unit_test(two_hundred_sessions_of_the_demo),
#endif
      cmocka_unit_test(not_found_as_json),
      cmocka_unit_test(broken_with_an_error_page),
      cmocka_unit_test(busy_says_when),
      cmocka_unit_test(no_content_is_the_end),
      cmocka_unit_test(another_content_type),
      cmocka_unit_test(compression_is_not_asked_for),
      cmocka_unit_test(compression_that_came_unasked),
      cmocka_unit_test(redirects),
      cmocka_unit_test(redirects_without_end),
  };
  return cmocka_run_group_tests_name("e2e", tests, e2e_set_up, e2e_tear_down);
}
