/* Two thousand streams of one server connect at once: how many handshakes are
 * full ones. In the virtual world; a pass is a round trip, in which the server
 * does one thing for each connection. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab.h"

int runnel__test_handshakes(void);

#define STREAMS 2000
#define HANDFUL 4
#define SLOTS 64 /* of handshakes, by default */
#define ROUND_TRIP_MS 20
#define PASSES_MAX 20000
#define DAY_S 86400
#define LINKS_MAX 16384

struct farm {
  struct lab lab;
  struct lab_feed feeds[STREAMS];
  size_t sessions; /* given so far */
  size_t known;    /* the first that the server still knows */
  size_t stalled;  /* number of the link that it never answers; 0: none */
  uint64_t peak;   /* of handshakes under way */
  struct runnel_client_stats before;
  unsigned char began[LINKS_MAX]; /* by a link's number: in an earlier pass */
  int gives_none;
  int is_old; /* TLS 1.2: the session comes with the handshake */
};

static struct farm farm;

static void open_farm(void) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  memset(&farm, 0, sizeof farm);
  options.dials_per_second_max = RUNNEL_NONE;
  options.origin_dials_per_second_max = RUNNEL_NONE;
  options.dials_max = RUNNEL_NONE;
  options.origin_dials_max = RUNNEL_NONE;
  lab_open(&farm.lab, &options);
}

static void open_streams(void) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  options.open_ms_max = 60000;
  for (size_t i = 0; i < STREAMS; i++)
    assert_int_equal(lab_feed_try(&farm.feeds[i], &farm.lab,
                                  "https://10.0.0.1/feed", &options),
                     RUNNEL_OK);
  sim_settle(&farm.lab.sim);
}

static void give_session(struct sim_link *link) {
  if (!farm.gives_none)
    assert_true(sim_session(link, ++farm.sessions, 10 * DAY_S));
}

static void shake_hands(struct sim_link *link) {
  const char *version = farm.is_old ? "TLSv1.2" : "TLSv1.3";
  int resumes = link->session > 0 && link->session >= farm.known;
  if (link->number == farm.stalled || !farm.began[link->number]++)
    return;
  sim_secured(link, version, resumes);
  if (farm.is_old && !resumes)
    give_session(link);
}

/* Tickets of TLS 1.3 come a round trip after the handshake, then the head. */
static void answer(struct sim_link *link) {
  if (link->user == NULL && !farm.is_old) {
    link->user = link;
    give_session(link);
  } else if (!link->answered) {
    link->answered = 1;
    lab_say(&farm.lab, link, LAB_OPEN_HEAD "\r\n");
  }
}

static void touch(struct sim_link *link) {
  if (!link->is_up)
    sim_up(link);
  else if (link->is_shaking)
    shake_hands(link);
  else if (link->is_secured)
    answer(link);
}

/* Until all are open, or have ended for now. */
static void connect_all(size_t wanted) {
  struct sim *sim = &farm.lab.sim;
  size_t passes = 0;
  while (runnel_client_stats(farm.lab.client)->streams_open < wanted) {
    assert_true(passes++ < PASSES_MAX);
    size_t len = sim->links_len;
    for (size_t i = 0; i < len && i < sim->links_len; i++)
      touch(sim->links[i]);
    uint64_t under_way = runnel_client_stats(farm.lab.client)->handshakes;
    if (under_way > farm.peak)
      farm.peak = under_way;
    while (sim_tick(sim, sim->now_ms + ROUND_TRIP_MS))
      ;
    sim->now_ms += ROUND_TRIP_MS;
    sim_settle(sim);
  }
}

static void reconnect_all(void) {
  assert_int_equal(runnel_client_reconnect(farm.lab.client, 0), RUNNEL_OK);
  sim_settle(&farm.lab.sim);
}

/* What it cost since the last time, printed. */
static uint64_t count_full(const char *what) {
  const struct runnel_client_stats before = farm.before;
  const struct runnel_client_stats *stats =
      runnel_client_stats(farm.lab.client);
  uint64_t full = stats->handshakes_full - before.handshakes_full;
  print_message("handshakes: %s: %d streams, %d full, %d resumed, at most %d "
                "at once\n",
                what, STREAMS, (int)full,
                (int)(stats->handshakes_resumed - before.handshakes_resumed),
                (int)farm.peak);
  farm.before = *stats;
  assert_true(farm.peak <= SLOTS);
  return full;
}

static void storms_of_reconnects(void **state) {
  (void)state;
  for (int is_old = 0; is_old <= 1; is_old++) {
    open_farm();
    farm.is_old = is_old;
    open_streams();
    connect_all(STREAMS);
    assert_true(count_full("cold start") <= HANDFUL);
    farm.lab.sim.now_ms += 3600 * 1000;
    reconnect_all();
    connect_all(STREAMS);
    assert_int_equal(count_full("after an hour"), 0);
    farm.known = farm.sessions + 1;
    farm.lab.sim.now_ms += 3600 * 1000;
    reconnect_all();
    connect_all(STREAMS);
    assert_true(count_full("the server was started anew") <= HANDFUL);
    farm.lab.sim.now_ms += DAY_S * INT64_C(1000);
    reconnect_all();
    connect_all(STREAMS);
    assert_true(count_full("after a day") <= HANDFUL);
    lab_close(&farm.lab);
  }
}

/* The server forgets while all are on their way: who has its slot by then pays
 * for it. */
static void sessions_forgotten_in_a_storm(void **state) {
  (void)state;
  open_farm();
  open_streams();
  connect_all(STREAMS);
  (void)count_full("cold start");
  reconnect_all();
  connect_all(STREAMS / 2);
  farm.known = farm.sessions + 1;
  connect_all(STREAMS);
  assert_true(count_full("forgotten half way") <= SLOTS + HANDFUL);
  lab_close(&farm.lab);
}

/* Full handshakes for all, but nobody waits long for what never comes. */
static void server_without_sessions(void **state) {
  (void)state;
  open_farm();
  farm.gives_none = 1;
  open_streams();
  int64_t from_ms = farm.lab.sim.now_ms;
  connect_all(STREAMS);
  assert_int_equal(count_full("no sessions"), STREAMS);
  int64_t passes = STREAMS / SLOTS + 10;
  assert_true(farm.lab.sim.now_ms - from_ms <=
              500 + 3 * passes * ROUND_TRIP_MS);
  lab_close(&farm.lab);
}

/* The first handshake is never answered: the others wait for a while, and then
 * one of them brings the session. */
static void leader_that_stalls(void **state) {
  (void)state;
  open_farm();
  open_streams();
  farm.stalled = 1;
  int64_t from_ms = farm.lab.sim.now_ms;
  connect_all(STREAMS - 1);
  assert_true(count_full("the first one stalls") <= HANDFUL);
  assert_true(farm.lab.sim.now_ms - from_ms >= 2000);
  farm.stalled = 0;
  connect_all(STREAMS);
  lab_close(&farm.lab);
}

int runnel__test_handshakes(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(storms_of_reconnects),
      cmocka_unit_test(sessions_forgotten_in_a_storm),
      cmocka_unit_test(server_without_sessions),
      cmocka_unit_test(leader_that_stalls),
  };
  return cmocka_run_group_tests_name("handshakes", tests, NULL, NULL);
}
