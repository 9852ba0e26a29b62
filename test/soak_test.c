/* A day of 200 streams in the virtual world, with faults of all kinds: every
 * hour all of them are brought into the same state and what the library holds
 * is counted, which must be the same as after the first hours; every timer must
 * fire within a millisecond of its time; and in the end nothing is left.
 * RUNNEL_SOAK_SEED repeats a run, RUNNEL_SOAK_HOURS makes it longer. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"
#include "sim_request.h"
#include "storm_server.h"

int runnel__test_soak(void);

#define STREAMS 200
#define HOSTS 6 /* looked up; the other streams' URLs hold an address */
#define HOURS 24
#define WARM_HOURS 2
#define HOUR_MS INT64_C(3600000)
#define RECONNECTS_MIN 50000
#define LINES 16384 /* more than links in an hour, after which none is old */

#define CONNECT_MS 10000
#define OPEN_MS 30000
#define IDLE_MS 120000
#define HOLD_MS 5000
#define ERROR_BODY_MS 2000
#define GATE_PAUSE_MS 1000
#define SPREAD_MS 60000

struct soak;

struct soaked {
  struct soak *soak;
  size_t number;
  runnel_stream *stream;
  runnel_request *held;
  int64_t attempt_ms;   /* when the attempt began */
  int64_t hop_ms;       /* ... and its last hop */
  int64_t due_ms;       /* when the next attempt is to begin */
  int64_t heard_ms;     /* when bytes of its body came last */
  int64_t redirect_ms;  /* when it was led elsewhere */
  int64_t body_ms;      /* when an error's body began, that never ends */
  int64_t reconnect_ms; /* by when it reconnects; 0: not asked */
  int is_open;
};

/* When a link's peer does the next thing. */
struct line {
  size_t number;
  int64_t at_ms;
  struct soaked *stream; /* NULL until its request is read */
};

struct soak {
  struct lab lab;
  struct soaked streams[STREAMS];
  struct line lines[LINES]; /* by the link's number */
  uint64_t seed;
  uint64_t random;
  int64_t lookup_ms; /* when the oldest look-up is answered */
  int64_t gate_ms;   /* until when nobody dials, after EMFILE */
  int fair;          /* nothing fails, all answers are 200 and stay open */
  size_t open;
  size_t attempts;
  size_t events;
  size_t timers; /* whose time was checked */
  size_t by_code[32];
  size_t blocks; /* after the warm hours */
  size_t bytes;
};

static uint64_t below(struct soak *soak, uint64_t limit) {
  return storm_below(&soak->random, limit);
}

static int chance(struct soak *soak, uint64_t times) {
  return !soak->fair && storm_chance(&soak->random, times);
}

static void check_time(struct soaked *stream, const char *what,
                       int64_t due_ms) {
  struct soak *soak = stream->soak;
  int64_t late_ms = soak->lab.sim.now_ms - due_ms;
  soak->timers++;
  if (late_ms >= 0 && late_ms <= 1)
    return;
  fail_msg("RUNNEL_SOAK_SEED=%llu, stream %zu: %s is %lld ms late",
           (unsigned long long)soak->seed, stream->number, what,
           (long long)late_ms);
}

/* The application ---------------------------------------------------------- */

static void open_stream(struct soaked *stream);

static void proceed(struct soaked *stream) {
  runnel_request *held = stream->held;
  stream->held = NULL;
  if (held != NULL)
    assert_int_equal(runnel_request_proceed(held, RUNNEL_OK), RUNNEL_OK);
}

static void hear_request(runnel_stream *handle, runnel_request *request,
                         const struct runnel_attempt *attempt, void *user) {
  struct soaked *stream = user;
  struct soak *soak = stream->soak;
  (void)handle;
  stream->hop_ms = soak->lab.sim.now_ms;
  if (attempt->why == RUNNEL_WHY_RETRY)
    check_time(stream, "the end of a backoff",
               stream->due_ms > soak->gate_ms ? stream->due_ms : soak->gate_ms);
  if (attempt->why != RUNNEL_WHY_REDIRECT) {
    soak->attempts++;
    stream->attempt_ms = stream->hop_ms;
    proceed(stream); /* of the attempt before */
  } else {           /* waiting in the gate does not count */
    stream->attempt_ms += stream->hop_ms - stream->redirect_ms;
  }
  if (attempt->why != RUNNEL_WHY_REDIRECT)
    stream->reconnect_ms = 0; /* any new connection is what was asked for */
  soak->open -= (size_t)stream->is_open;
  stream->is_open = 0;
  if (stream->held == NULL && chance(soak, 40) &&
      runnel_request_hold(request) == RUNNEL_OK)
    stream->held = request;
}

static void hear_open(runnel_stream *handle, const struct runnel_open *open,
                      void *user) {
  struct soaked *stream = user;
  (void)handle;
  (void)open;
  stream->is_open = 1;
  stream->soak->open++;
  stream->heard_ms = stream->soak->lab.sim.now_ms;
}

static int hear_event(runnel_stream *handle, const struct runnel_event *event,
                      void *user) {
  struct soaked *stream = user;
  (void)handle;
  (void)event;
  stream->soak->events++;
  return RUNNEL_OK;
}

static void check_timeout(struct soaked *stream, const struct runnel_end *end) {
  int64_t open_ms = stream->attempt_ms + OPEN_MS;
  int64_t connect_ms = stream->hop_ms + CONNECT_MS;
  int is_literal = stream->number >= STREAMS / 4;
  if (end->phase == RUNNEL_PHASE_REQUEST)
    check_time(stream, "the end of a hold", stream->hop_ms + HOLD_MS);
  else if (end->phase != RUNNEL_PHASE_CONNECT)
    check_time(stream, "open_ms_max", open_ms);
  else if (is_literal && stream->held == NULL)
    check_time(stream, "connect_ms_max",
               connect_ms < open_ms ? connect_ms : open_ms);
}

static void hear_end(runnel_stream *handle, const struct runnel_end *end,
                     struct runnel_verdict *verdict, void *user) {
  struct soaked *stream = user;
  struct soak *soak = stream->soak;
  soak->by_code[-end->code]++;
  if (end->code == RUNNEL_ETIMEDOUT)
    check_timeout(stream, end);
  if (end->code == RUNNEL_ERESOURCE)
    soak->gate_ms = soak->lab.sim.now_ms + GATE_PAUSE_MS;
  if (end->code == RUNNEL_EIDLE)
    check_time(stream, "idle_ms_max", stream->heard_ms + IDLE_MS);
  if (end->code == RUNNEL_ESTATUS && stream->body_ms != 0)
    check_time(stream, "an error's body", stream->body_ms + ERROR_BODY_MS);
  stream->body_ms = 0;
  stream->due_ms = soak->lab.sim.now_ms + verdict->delay_ms;
  soak->open -= (size_t)stream->is_open;
  stream->is_open = 0;
  if (chance(soak, 200))
    runnel_stream_close(handle);
}

static void hear_close(runnel_stream *handle, int code, void *user) {
  struct soaked *stream = user;
  (void)handle;
  (void)code;
  stream->soak->open -= (size_t)stream->is_open;
  stream->is_open = 0;
  proceed(stream);
  stream->stream = NULL;
  if (stream->soak->lab.client != NULL && !stream->soak->lab.client->closing)
    open_stream(stream);
}

static void open_stream(struct soaked *stream) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  char url[64];
  snprintf(url, sizeof url,
           stream->number < STREAMS / 4 ? "http://host%zu.test/%03zu"
                                        : "http://10.0.0.%zu/%03zu",
           stream->number % HOSTS + 1, stream->number);
  options.url = url;
  options.user = stream;
  options.on_request = hear_request;
  options.on_open = hear_open;
  options.on_event = hear_event;
  options.on_end = hear_end;
  options.on_close = hear_close;
  options.connect_ms_max = CONNECT_MS;
  options.open_ms_max = OPEN_MS;
  options.idle_ms_max = IDLE_MS;
  options.hold_ms_max = HOLD_MS;
  options.retry_ms_max = 15000;
  stream->reconnect_ms = 0;
  assert_int_equal(
      runnel_stream_open(&stream->stream, stream->soak->lab.client, &options),
      RUNNEL_OK);
}

/* The peers ---------------------------------------------------------------- */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static void answer_lookup(struct soak *soak) {
  struct sim_lookup *lookup = soak->lab.sim.lookups[0];
  struct runnel__addr addrs[2];
  soak->lookup_ms = 0;
  runnel__addr_parse(&addrs[0], runnel__str_of("10.3.0.1"));
  runnel__addr_parse(&addrs[1], runnel__str_of("2001:db8::1"));
  if (chance(soak, 6))
    sim_unresolved(lookup, RUNNEL_ERESOLVE, EAI_AGAIN);
  else
    sim_resolved(lookup, addrs, 2);
}

/* Sets when something happens next; RUNNEL__NEVER: nothing does. */
static void wait_for(struct soak *soak, struct line *line, uint64_t most_ms) {
  line->at_ms =
      soak->lab.sim.now_ms + 1 + (int64_t)below(soak, soak->fair ? 5 : most_ms);
}

static void say(struct sim_link *link, const char *text) {
  sim_bytes(link, text, strlen(text));
}

static void answer_dial(struct soak *soak, struct sim_link *link,
                        struct line *line) {
  if (chance(soak, 12)) {
    sim_refused(link, RUNNEL_ECONNECT, ECONNREFUSED);
    return;
  }
  wait_for(soak, line, 2000);
  if (chance(soak, 300))
    sim_refused(link, RUNNEL_ERESOURCE, EMFILE);
  else if (chance(soak, 15))
    line->at_ms = RUNNEL__NEVER; /* a black hole */
  else
    sim_up(link);
}

static void redirect(struct soak *soak, struct sim_link *link,
                     struct line *line) {
  char text[256];
  snprintf(text, sizeof text,
           "HTTP/1.1 302 Found\r\nLocation: http://10.0.1.1/%03zu\r\n"
           "Content-Length: 0\r\n\r\n",
           line->stream->number);
  line->stream->redirect_ms = soak->lab.sim.now_ms;
  say(link, text);
}

static void answer_badly(struct soak *soak, struct sim_link *link,
                         struct line *line) {
  static const char *const answers[] = {
      "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 421 Misdirected\r\nContent-Length: 2\r\n\r\nno",
      "220 mail.example ESMTP\r\n",
      "HTTP/1.1 200 O",
      "HTTP/1.1 500 Oh\r\nContent-Type: text/plain\r\n\r\nout of",
  };
  size_t which = below(soak, LEN(answers));
  say(link, answers[which]);
  line->at_ms = RUNNEL__NEVER; /* the rest never comes */
  if (which == LEN(answers) - 1)
    line->stream->body_ms = soak->lab.sim.now_ms;
}

static void answer_request(struct soak *soak, struct sim_link *link,
                           struct line *line) {
  const char *path = strstr(link->sent, " /");
  assert_non_null(path);
  size_t number = strtoul(path + 2, NULL, 10);
  assert_true(number < STREAMS);
  line->stream = &soak->streams[number];
  link->answered = 1;
  wait_for(soak, line, 60000);
  if (chance(soak, 30))
    line->at_ms = RUNNEL__NEVER; /* never answers */
  else if (chance(soak, 15))
    answer_badly(soak, link, line);
  else if (chance(soak, 20))
    redirect(soak, link, line);
  else
    say(link, HEAD);
}

/* What an open response goes on with. */
static void go_on(struct soak *soak, struct sim_link *link, struct line *line) {
  static const char *const pieces[] = {
      "id: 123456\ndata: an event\n\n", ": a comment\n", "id: 1234567\nda",
      "ta: an event in two pieces\n\n", "retry: 1500\n\n"};
  if (soak->fair) {
    line->at_ms = RUNNEL__NEVER;
    return;
  }
  wait_for(soak, line, 110000);
  if (chance(soak, 6))
    sim_end(link, RUNNEL_OK, 0);
  else if (chance(soak, 12))
    sim_end(link, RUNNEL_ELOST, ECONNRESET);
  else if (chance(soak, 20))
    line->at_ms = RUNNEL__NEVER; /* goes silent */
  else {
    line->stream->heard_ms = soak->lab.sim.now_ms;
    say(link, pieces[below(soak, LEN(pieces))]);
  }
}

static void touch_link(struct soak *soak, struct sim_link *link,
                       struct line *line) {
  line->at_ms = RUNNEL__NEVER;
  if (link->is_down || link->ends)
    return;
  if (!link->is_up)
    answer_dial(soak, link, line);
  else if (!link->answered)
    answer_request(soak, link, line);
  else
    go_on(soak, link, line);
}

static struct line *line_of(struct soak *soak, const struct sim_link *link) {
  struct line *line = &soak->lines[link->number % LINES];
  if (line->number == link->number)
    return line;
  *line = (struct line){.number = link->number};
  wait_for(soak, line, 400);
  return line;
}

/* One thing: whatever comes first, up to `until_ms`. 0: nothing. */
static int step(struct soak *soak, int64_t until_ms) {
  struct sim *sim = &soak->lab.sim;
  struct sim_link *first = NULL;
  int64_t at_ms = until_ms;
  if (sim->lookups_len > 0 && soak->lookup_ms == 0)
    soak->lookup_ms = sim->now_ms + 1 + (int64_t)below(soak, 500);
  for (size_t i = 0; i < sim->links_len; i++) {
    struct line *line = line_of(soak, sim->links[i]);
    if (line->at_ms < at_ms) {
      at_ms = line->at_ms;
      first = sim->links[i];
    }
  }
  int looks_up = sim->lookups_len > 0 && soak->lookup_ms < at_ms;
  if (looks_up)
    at_ms = soak->lookup_ms;
  if (sim->wake_at_ms < at_ms)
    return sim_tick(sim, until_ms);
  sim->now_ms = at_ms;
  if (looks_up)
    answer_lookup(soak);
  else if (first != NULL)
    touch_link(soak, first, line_of(soak, first));
  sim_settle(sim);
  return looks_up || first != NULL;
}

/* The hours ---------------------------------------------------------------- */

static void bad_weather(struct soak *soak, int64_t until_ms) {
  int64_t half_ms = until_ms - HOUR_MS / 2;
  while (step(soak, half_ms))
    ;
  assert_int_equal(runnel_client_reconnect(soak->lab.client, SPREAD_MS),
                   RUNNEL_OK);
  for (size_t i = 0; i < STREAMS; i++)
    soak->streams[i].reconnect_ms = half_ms + SPREAD_MS;
  sim_settle(&soak->lab.sim);
  while (step(soak, until_ms))
    ;
  for (size_t i = 0; i < STREAMS; i++)
    if (soak->streams[i].reconnect_ms != 0)
      fail_msg("stream %zu never reconnected", i);
}

/* Everybody is open, has the same id and waits for more. */
static void fair_weather(struct soak *soak) {
  struct sim *sim = &soak->lab.sim;
  soak->fair = 1;
  for (size_t i = 0; i < STREAMS; i++)
    proceed(&soak->streams[i]);
  assert_int_equal(runnel_client_reconnect(soak->lab.client, 0), RUNNEL_OK);
  sim_settle(sim);
  int64_t until_ms = sim->now_ms + HOUR_MS / 4;
  while ((soak->open < STREAMS || sim->lookups_len > 0) && step(soak, until_ms))
    ;
  assert_int_equal(soak->open, STREAMS);
  for (size_t i = 0; i < sim->links_len; i++) {
    say(sim->links[i], "id: 123456\ndata: x\n\n");
    line_of(soak, sim->links[i])->stream->heard_ms = sim->now_ms;
  }
  sim_settle(sim);
}

/* After it, the peers go on where they are. */
static void resume_weather(struct soak *soak) {
  struct sim *sim = &soak->lab.sim;
  soak->fair = 0;
  for (size_t i = 0; i < sim->links_len; i++)
    wait_for(soak, line_of(soak, sim->links[i]), 60000);
}

static void count_memory(struct soak *soak, int hour) {
  struct sim *sim = &soak->lab.sim;
  assert_int_equal(sim->links_len, STREAMS);
  assert_int_equal(runnel_client_stats(soak->lab.client)->held_bytes, 0);
  if (hour == WARM_HOURS) {
    soak->blocks = soak->lab.blocks;
    soak->bytes = soak->lab.bytes;
  } else if (hour > WARM_HOURS && (soak->lab.blocks != soak->blocks ||
                                   soak->lab.bytes != soak->bytes))
    fail_msg("RUNNEL_SOAK_SEED=%llu: %zu blocks and %zu bytes after %d hours, "
             "%zu and %zu after %d",
             (unsigned long long)soak->seed, soak->lab.blocks, soak->lab.bytes,
             hour, soak->blocks, soak->bytes, WARM_HOURS);
}

static void print_codes(const struct soak *soak) {
  for (size_t i = 0; i < LEN(soak->by_code); i++)
    if (soak->by_code[i] > 0)
      printf(" %s %zu", runnel_err_name(-(int)i), soak->by_code[i]);
  printf("\n");
}

static int64_t number_from(const char *name, int64_t otherwise) {
  const char *text = getenv(name);
  return text == NULL ? otherwise : strtoll(text, NULL, 10);
}

static void test_a_day(void **state) {
  static struct soak soak;
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  int hours = (int)number_from("RUNNEL_SOAK_HOURS", HOURS);
  (void)state;
  memset(&soak, 0, sizeof soak);
  soak.random = soak.seed = (uint64_t)number_from("RUNNEL_SOAK_SEED", 1);
  /* The gate is not to put off what is timed here. */
  options.dials_per_second_max = RUNNEL_NONE;
  options.origin_dials_per_second_max = RUNNEL_NONE;
  options.dials_max = RUNNEL_NONE;
  options.origin_dials_max = RUNNEL_NONE;
  lab_open(&soak.lab, &options);
  soak.lab.sim.is_random = 1;
  soak.lab.sim.random = soak.seed;
  for (size_t i = 0; i < STREAMS; i++) {
    soak.streams[i] = (struct soaked){.soak = &soak, .number = i};
    open_stream(&soak.streams[i]);
  }
  for (int hour = 1; hour <= hours; hour++) {
    bad_weather(&soak, SIM_START_MS + hour * HOUR_MS);
    fair_weather(&soak);
    count_memory(&soak, hour);
    resume_weather(&soak);
  }
  printf("soak: seed %llu, %d hours, %d streams: %zu attempts, %zu events, %zu "
         "timers on time; held: %zu blocks, %zu bytes;",
         (unsigned long long)soak.seed, hours, STREAMS, soak.attempts,
         soak.events, soak.timers, soak.blocks, soak.bytes);
  print_codes(&soak);
  assert_true(hours < HOURS || soak.attempts > RECONNECTS_MIN);
  lab_close(&soak.lab);
}

int runnel__test_soak(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_day)};
  return cmocka_run_group_tests_name("soak", tests, NULL, NULL);
}
