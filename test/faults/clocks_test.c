/* Gate R16, clocks: the wall clock may jump by ten years, or fail, and nothing
 * notices but a Retry-After that names a date. The monotonic clock may jump
 * ahead (a machine that slept): each thing that is due happens once. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "../scene.h"
#include "fault.h"
#include "fault_groups.h"

#define TEN_YEARS_S INT64_C(315360000)
#define HOUR_MS 3600000
#define DATE_S INT64_C(1893456000) /* the date below */
#define DATE "Tue, 01 Jan 2030 00:00:00 GMT"

static const struct peer_step script[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                          PEER_CHUNK("data: a\n\n"),
                                          PEER_LAST_CHUNK(), PEER_END()};
static const struct peer_step *const scripts[] = {script};

/* Ten years on and back at every callback. */
static void jump(struct feed *feed, char what) {
  int64_t *wrong_s = feed->data;
  (void)what;
  *wrong_s = *wrong_s > 0 ? -TEN_YEARS_S : TEN_YEARS_S;
  fault_wall_s(*wrong_s);
}

static void the_wall_clock_jumps_by_ten_years(void **state) {
  (void)state;
  struct scene scene;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  int64_t wrong_s = 0;
  struct feed feed = {.close_after = 6, .on_any = jump, .data = &wrong_s};
  options.retry_ms = 10;
  options.idle_ms_max = 10000;
  scene_open(&scene, scripts, 1);
  feed_open(&feed, &scene.host, scene.url, &options);
  HOST_UNTIL(&scene.host, feed.closed);
  fault_wall_s(0);
  assert_int_equal(feed.ends, 5);
  assert_int_equal(feed.opens, 6);
  assert_int_equal(feed.code, RUNNEL_EEND);
  feed_deinit(&feed);
  scene_close(&scene);
}

static const struct peer_step later_script[] = {
    PEER_READ(),
    PEER_EMPTY("503 Service Unavailable", "Retry-After: " DATE "\r\n"),
    PEER_END()};
static const struct peer_step *const later_scripts[] = {later_script};

/* What a 503 that names the date leads to when the wall clock shows `now_s`. */
static int64_t delay_at(int64_t now_s, int fails) {
  const struct fault_plan plan = {.call = fails ? FAULT_WALL : FAULT_NONE,
                                  .err = EINVAL,
                                  .at = 1,
                                  .for_ever = 1};
  struct scene scene;
  struct feed feed = {.stop_at_end = 1};
  scene_open(&scene, later_scripts, 1);
  fault_wall_s(now_s - (int64_t)time(NULL));
  fault_begin(&plan);
  feed_open(&feed, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, feed.closed);
  fault_end();
  fault_wall_s(0);
  assert_int_equal(feed.code, RUNNEL_ESTATUS);
  feed_deinit(&feed);
  scene_close(&scene);
  return feed.retry_delay_ms;
}

static void retry_after_reads_the_wall_clock(void **state) {
  (void)state;
  assert_in_range(delay_at(DATE_S - 100, 0), 98000, 120000);
  assert_in_range(delay_at(DATE_S + TEN_YEARS_S, 0), 0, 2000);
  assert_in_range(delay_at(DATE_S - TEN_YEARS_S, 0), HOUR_MS, HOUR_MS * 1.2);
  assert_in_range(delay_at(DATE_S, 1), HOUR_MS, HOUR_MS * 1.2);
}

/* A machine that slept for a day: the delays that passed meanwhile are over,
 * and nothing is made up for. */
static void the_machine_slept(void **state) {
  (void)state;
  struct scene scene;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct feed feed = {.close_after = 2};
  options.retry_ms = HOUR_MS;
  scene_open(&scene, scripts, 1);
  uv_timer_stop(&scene.host.watchdog); /* it would sleep, too */
  feed_open(&feed, &scene.host, scene.url, &options);
  HOST_UNTIL(&scene.host, feed.ends == 1);
  fault_skip_ms(INT64_C(24) * HOUR_MS);
  HOST_UNTIL(&scene.host, feed.closed);
  assert_string_equal(feed.heard, "roenroeC");
  feed_deinit(&feed);
  scene_close(&scene);
}

int runnel__test_clocks(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_wall_clock_jumps_by_ten_years),
      cmocka_unit_test(retry_after_reads_the_wall_clock),
      cmocka_unit_test(the_machine_slept),
  };
  return cmocka_run_group_tests_name("clocks", tests, NULL, NULL);
}
