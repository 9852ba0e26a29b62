/* At least 200,000 random calls, in callbacks and outside, to streams in
 * whatever state they are, over a world that fails at random; the stage's model
 * says what each call must answer and which callback may come. Each seed is a
 * client of its own. RUNNEL_OPERATIONS_SEED repeats one. */
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_request.h"
#include "stage.h"
#include "storm_server.h"
#include "storm_tls.h"

int runnel__test_operations(void);

#define CALLS 200000 /* in all */
#define SEEDS_MIN 60
#define STEPS 1500  /* of one seed, in bad weather */
#define LIVE_MAX 12 /* streams that the play opens */
#define LINES 256
#define ROUNDS_MAX 5000
#define EVENTS 40 /* that each server has */

/* What a link's peer is saying. */
struct line {
  size_t number; /* of the link */
  struct storm_reply reply;
};

struct crowd {
  struct stage stage;
  struct line lines[LINES]; /* by the link's number */
  uint64_t seed;
  uint64_t random;
  size_t steps;
  int spreads; /* this client reconnects over a time */
  int depth;   /* of calls in visitors */
  int kind;    /* all ends in 204 now */
  int cues[STAGE_CUES];
};

static void fail_crowd(void *user, const char *line) {
  const struct crowd *crowd = user;
  print_error("operations: RUNNEL_OPERATIONS_SEED=%llu, step %zu, call %zu\n",
              (unsigned long long)crowd->seed, crowd->steps,
              crowd->stage.calls);
  fail_msg("%s", line);
  abort();
}

static uint64_t below(struct crowd *crowd, uint64_t limit) {
  return storm_below(&crowd->random, limit);
}

static int chance(struct crowd *crowd, uint64_t times) {
  return storm_chance(&crowd->random, times);
}

/* The application ---------------------------------------------------------- */

/* Calls after which little else would happen are made seldom. */
static int is_wanted(struct crowd *crowd, const struct stage_call *call) {
  if (strcmp(call->name, "client_close") == 0)
    return chance(crowd, 400);
  if (strcmp(call->name, "client_reconnect spread") == 0)
    return crowd->spreads && chance(crowd, 10);
  if (strncmp(call->name, "client_reconnect", 16) == 0 ||
      strcmp(call->name, "client_pause") == 0)
    return chance(crowd, 8);
  if (strcmp(call->name, "client_open") == 0)
    return crowd->stage.len < STAGE_ACTORS / 2;
  return strcmp(call->name, "stream_close") != 0 || chance(crowd, 5);
}

static void call_something(struct crowd *crowd, struct stage_actor *actor) {
  struct stage *stage = &crowd->stage;
  const struct stage_call *call = &stage_calls[below(crowd, stage_calls_len)];
  if (stage->len > 0 && (actor == NULL || chance(crowd, 3)))
    actor = &stage->actors[below(crowd, stage->len)];
  if (!is_wanted(crowd, call))
    return;
  crowd->depth++;
  stage_make(call, stage, actor);
  crowd->depth--;
}

static void hear_cue(struct stage *stage, enum stage_cue cue,
                     struct stage_actor *actor) {
  struct crowd *crowd = stage->user;
  crowd->cues[cue]++;
  if (crowd->kind || crowd->depth > 3)
    return;
  while (chance(crowd, 3))
    call_something(crowd, actor);
  if (cue == STAGE_EVENT)
    actor->refuses = chance(crowd, 8);
  if (cue != STAGE_END || !chance(crowd, 6))
    return;
  actor->verdict->retry = !chance(crowd, 5);
  actor->verdict->delay_ms = (int64_t)below(crowd, 3000) - 10;
}

static void open_stream(struct crowd *crowd) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  char url[64];
  size_t number = crowd->stage.len;
  snprintf(url, sizeof url,
           chance(crowd, 3) ? "http%s://host%zu.test/%zu"
                            : "http%s://10.0.%zu.1/%zu",
           chance(crowd, 2) ? "s" : "", number % 8, number);
  options.url = url;
  options.end = chance(crowd, 4) ? RUNNEL_END_ONCE : RUNNEL_END_AUTO;
  options.method = chance(crowd, 4) ? "POST" : NULL;
  if (options.method != NULL)
    options.end = chance(crowd, 2) ? RUNNEL_END_ONCE : RUNNEL_END_RESUME;
  options.event_bytes_max = 100;
  options.oversize =
      chance(crowd, 10) ? RUNNEL_OVERSIZE_FAIL : RUNNEL_OVERSIZE_DROP;
  options.idle_ms_max = 1 + (int64_t)below(crowd, 20000);
  options.hold_ms_max = 1 + (int64_t)below(crowd, 3000);
  options.retry_ms = chance(crowd, 4) ? RUNNEL_NONE : 300;
  options.retry_ms_max = 2000;
  options.utf8_replace = chance(crowd, 2);
  if (chance(crowd, 8))
    options.sentinel = "1:3";
  stage_open(&crowd->stage, &options);
}

/* The world ---------------------------------------------------------------- */

static void answer_lookup(struct crowd *crowd, struct sim_lookup *lookup) {
  struct runnel__addr addrs[2];
  runnel__addr_parse(&addrs[0], runnel__str_of("10.9.0.1"));
  runnel__addr_parse(&addrs[1], runnel__str_of("2001:db8::1"));
  if (!crowd->kind && chance(crowd, 6))
    sim_unresolved(lookup, RUNNEL_ERESOLVE, EAI_NONAME);
  else
    sim_resolved(lookup, addrs, 1 + below(crowd, 2));
}

static void answer_dial(struct crowd *crowd, struct sim_link *link) {
  uint64_t which = crowd->kind ? 0 : below(crowd, 100);
  if (which < 80)
    sim_up(link);
  else if (which < 90)
    sim_refused(link, RUNNEL_ECONNECT, ECONNREFUSED);
  else if (which < 92)
    sim_refused(link, RUNNEL_ERESOURCE, EMFILE);
  /* else: a black hole for now */
}

static void answer_request(struct crowd *crowd, struct sim_link *link) {
  static const char over[] = "HTTP/1.1 204 No Content\r\n\r\n";
  struct line *line = &crowd->lines[link->number % LINES];
  const char *path = strstr(link->sent, " /");
  char id[32];
  sim_request_field(id, sizeof id, link->sent, "Last-Event-ID");
  size_t number = path == NULL ? 0 : strtoul(path + 2, NULL, 10);
  struct storm_feed feed = {crowd->seed, number, EVENTS,
                            crowd->stage.actors[number % STAGE_ACTORS].once, 1};
  uint64_t last_id = strtoull(id, NULL, 10);
  line->number = link->number;
  storm_answer(&line->reply, &feed, last_id < EVENTS ? last_id : EVENTS - 1,
               &crowd->random, 0);
  if (crowd->kind) {
    story_bytes_free(&line->reply.bytes);
    story_bytes_text(&line->reply.bytes, over);
  }
  link->answered = 1;
}

static void continue_reply(struct crowd *crowd, struct sim_link *link) {
  struct line *line = &crowd->lines[link->number % LINES];
  struct storm_reply *reply = &line->reply;
  if (line->number == link->number && reply->given < reply->bytes.len) {
    size_t left = reply->bytes.len - reply->given;
    size_t len = crowd->kind ? left : 1 + below(crowd, left);
    sim_bytes(link, reply->bytes.at + reply->given, len);
    reply->given += len;
    return;
  }
  if (crowd->kind || line->number != link->number || reply->end == STORM_FIN)
    sim_end(link, RUNNEL_OK, 0);
  else if (reply->end == STORM_RESET)
    sim_end(link, RUNNEL_ELOST, ECONNRESET);
}

static void touch_link(struct crowd *crowd, struct sim_link *link) {
  if (link->is_down || link->ends)
    return;
  if (!link->is_up)
    answer_dial(crowd, link);
  else if (link->is_shaking)
    storm_shake(link, &crowd->random, crowd->kind);
  else if (link->is_secured && !crowd->kind && chance(crowd, 4))
    storm_bring_session(link, &crowd->random);
  else if (link->answered)
    continue_reply(crowd, link);
  else if (!crowd->kind && chance(crowd, 40))
    sim_end(link, RUNNEL_ELOST, ECONNRESET);
  else if (link->sent_len > 0)
    answer_request(crowd, link);
}

static void step(struct crowd *crowd) {
  struct sim *sim = &crowd->stage.sim;
  uint64_t which = below(crowd, 100);
  crowd->steps++;
  if (chance(crowd, 500))
    sim_reload(sim);
  if (which < 15 && sim->lookups_len > 0)
    answer_lookup(crowd, sim->lookups[below(crowd, sim->lookups_len)]);
  else if (which < 60 && sim->links_len > 0)
    touch_link(crowd, sim->links[below(crowd, sim->links_len)]);
  else if (which < 75)
    call_something(crowd, NULL);
  else if (which < 80 && crowd->stage.len > 0)
    stage_release(&crowd->stage.actors[below(crowd, crowd->stage.len)]);
  else if (which < 98)
    sim_tick(sim, sim->now_ms + 2000);
  else
    sim->now_ms += (int64_t)below(crowd, 50);
  /* Sometimes what is due waits until something else has happened as well. */
  if (!chance(crowd, 4))
    sim_settle(sim);
}

/* 0: time must go on before anything else happens. */
static int play_peers(struct crowd *crowd) {
  struct sim *sim = &crowd->stage.sim;
  int busy = 0;
  for (size_t i = sim->lookups_len; i > 0; i--, busy++)
    if (i <= sim->lookups_len)
      answer_lookup(crowd, sim->lookups[i - 1]);
  for (size_t i = sim->links_len; i > 0; i--) {
    if (i > sim->links_len)
      continue;
    busy += !sim->links[i - 1]->ends;
    touch_link(crowd, sim->links[i - 1]);
    sim_settle(sim);
  }
  return busy;
}

static void round_of_kindness(struct crowd *crowd) {
  struct stage *stage = &crowd->stage;
  for (size_t i = 0; i < stage->len; i++)
    stage_release(&stage->actors[i]);
  sim_settle(&stage->sim);
  if (!play_peers(crowd))
    sim_tick(&stage->sim, INT64_MAX - 1);
}

static void end_seed(struct crowd *crowd) {
  struct stage *stage = &crowd->stage;
  crowd->kind = crowd->seed % 5 != 0; /* one in five is closed as it is */
  for (int rounds = 0; crowd->kind && stage->open > 0; rounds++) {
    stage_check(stage, rounds < ROUNDS_MAX, "some streams never end");
    round_of_kindness(crowd);
  }
  crowd->kind = 1;
  stage_end(stage);
  for (size_t i = 0; i < LINES; i++)
    story_bytes_free(&crowd->lines[i].reply.bytes);
}

static void run_seed(struct crowd *crowd, uint64_t seed) {
  struct stage *stage = &crowd->stage;
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  crowd->seed = seed;
  crowd->random = seed;
  crowd->spreads = seed % 4 == 0;
  options.origin_dials_max = 2;
  options.handshakes_max = 2;
  stage->cue = hear_cue;
  stage->user = crowd;
  stage->fail = fail_crowd;
  stage_begin(stage, &options);
  while (crowd->steps < STEPS && !stage->client_closing) {
    if (stage->open < LIVE_MAX && chance(crowd, 4))
      open_stream(crowd);
    step(crowd);
  }
  end_seed(crowd);
}

static void test_operations(void **state) {
  static struct crowd crowd;
  const char *one = getenv("RUNNEL_OPERATIONS_SEED");
  uint64_t first = one == NULL ? 1 : strtoull(one, NULL, 10);
  uint64_t seed = first;
  size_t calls = 0;
  size_t streams = 0;
  int cues[STAGE_CUES] = {0};
  (void)state;
  do {
    memset(&crowd, 0, sizeof crowd);
    run_seed(&crowd, seed++);
    calls += crowd.stage.calls;
    streams += crowd.stage.len;
    for (int i = 0; i < STAGE_CUES; i++)
      cues[i] += crowd.cues[i];
  } while (one == NULL && (calls < CALLS || seed < first + SEEDS_MIN));
  printf("operations: seeds %llu to %llu: %zu streams, %zu calls;",
         (unsigned long long)first, (unsigned long long)seed - 1, streams,
         calls);
  for (int i = 0; i < STAGE_OUTSIDE; i++) {
    printf(" %s %d", stage_cue_names[i], cues[i]);
    assert_true(one != NULL || cues[i] > 0);
  }
  printf("\n");
}

int runnel__test_operations(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_operations)};
  return cmocka_run_group_tests_name("operations", tests, NULL, NULL);
}
