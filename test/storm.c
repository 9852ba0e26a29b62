/* The weather: in each step something happens to somebody, mostly good. When
 * the streams have had their share of it, the weather becomes fine, and all of
 * them must reach port. */
#include "storm.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/stream/client.h"
#include "sim_request.h"
#include "storm_tls.h"

#define STEPS 40000      /* in bad weather */
#define ROUNDS_MAX 20000 /* until all must be in port */
#define CHECK_EVERY 500
#define HELD_BYTES_MAX 1048576

static int chance(struct storm *storm, uint64_t times) {
  return !storm->kind && storm_chance(&storm->random, times);
}

static void answer_lookup(struct storm *storm, struct sim_lookup *lookup) {
  struct runnel__addr addrs[3];
  size_t len = 1 + storm_below(&storm->random, 3);
  if (chance(storm, 8)) {
    sim_unresolved(lookup, chance(storm, 20) ? RUNNEL_ENOMEM : RUNNEL_ERESOLVE,
                   EAI_NONAME);
    return;
  }
  for (size_t i = 0; i < len; i++) {
    char text[32];
    snprintf(text, sizeof text, i == 1 ? "2001:db8::%zu" : "10.2.0.%zu", i + 1);
    runnel__addr_parse(&addrs[i], runnel__str_of(text));
  }
  sim_resolved(lookup, addrs, len);
}

static void answer_dial(struct storm *storm, struct sim_link *link) {
  uint64_t which = storm->kind ? 0 : storm_below(&storm->random, 100);
  if (which < 80)
    sim_up(link);
  else if (which < 90)
    sim_refused(link, RUNNEL_ECONNECT, ECONNREFUSED);
  else if (which < 91)
    sim_refused(link, RUNNEL_ERESOURCE, EMFILE);
  /* else: a black hole for now */
}

/* The stream that a request is from: its path is the number. */
static struct storm_stream *asker_of(struct storm *storm,
                                     const struct sim_link *link) {
  const char *path = strstr(link->sent, " /");
  size_t number = path == NULL ? STORM_STREAMS : strtoul(path + 2, NULL, 10);
  if (number >= storm->next)
    storm->fail(storm, "a request that nobody made");
  return &storm->streams[number];
}

static void answer_request(struct storm *storm, struct sim_link *link) {
  struct storm_stream *stream = asker_of(storm, link);
  char id[32];
  sim_request_field(id, sizeof id, link->sent, "Last-Event-ID");
  uint64_t last_id = strtoull(id, NULL, 10);
  if (last_id != stream->taken)
    storm->fail(storm, "Last-Event-ID is not the last event's that was taken");
  storm_answer(&stream->reply, &stream->feed, last_id, &storm->random,
               storm->kind);
  stream->link = link->number;
  stream->after_ms = stream->reply.after_ms;
  link->answered = 1;
  link->user = stream;
}

static void end_reply(struct storm *storm, struct sim_link *link,
                      const struct storm_reply *reply) {
  if (storm->kind || reply->end == STORM_FIN)
    sim_end(link, RUNNEL_OK, 0);
  else if (reply->end == STORM_RESET)
    sim_end(link, RUNNEL_ELOST, ECONNRESET);
}

static void continue_reply(struct storm *storm, struct sim_link *link) {
  struct storm_stream *stream = link->user;
  struct storm_reply *reply = &stream->reply;
  if (stream->link != link->number || link->ends)
    return;
  if (reply->given == reply->bytes.len) {
    end_reply(storm, link, reply);
    return;
  }
  size_t left = reply->bytes.len - reply->given;
  size_t len = storm->kind || chance(storm, 3)
                   ? left
                   : 1 + storm_below(&storm->random, left);
  size_t at = reply->given;
  reply->given += len;
  sim_bytes(link, reply->bytes.at + at, len);
}

static void touch_link(struct storm *storm, struct sim_link *link) {
  if (link->is_down)
    return;
  if (!link->is_up)
    answer_dial(storm, link);
  else if (link->is_shaking)
    storm_shake(link, &storm->random, storm->kind);
  else if (link->is_secured && chance(storm, 4))
    storm_bring_session(link, &storm->random);
  else if (link->answered)
    continue_reply(storm, link);
  else if (chance(storm, 40))
    sim_end(link, RUNNEL_ELOST, ECONNRESET);
  else if (link->sent_len > 0)
    answer_request(storm, link);
}

static void step(struct storm *storm) {
  struct sim *sim = &storm->sim;
  uint64_t which = storm_below(&storm->random, 100);
  storm->steps++;
  if (storm_chance(&storm->random, 5000))
    sim_reload(sim);
  if (storm_chance(&storm->random, 300)) /* memory is short for a moment */
    storm->memory.fail_at =
        storm->memory.calls + 1 + storm_below(&storm->random, 20);
  if (which < 10 && sim->lookups_len > 0)
    answer_lookup(storm,
                  sim->lookups[storm_below(&storm->random, sim->lookups_len)]);
  else if (which < 85 && sim->links_len > 0)
    touch_link(storm, sim->links[storm_below(&storm->random, sim->links_len)]);
  else if (which < 90 && !storm->kind)
    storm_app_meddle(&storm->streams[storm_below(&storm->random, storm->next)]);
  else if (which < 97)
    sim_tick(sim, sim->now_ms + 1000);
  else
    sim->now_ms += (int64_t)storm_below(&storm->random, 50);
  sim_settle(sim);
}

/* A step of fine weather: everybody's turn, then time goes on. */
static void round_of_kindness(struct storm *storm) {
  struct sim *sim = &storm->sim;
  size_t busy = 0;
  for (size_t i = 0; i < storm->next; i++)
    storm_app_release(&storm->streams[i]);
  sim_settle(sim);
  for (size_t i = sim->lookups_len; i > 0; i--, busy++)
    if (i <= sim->lookups_len)
      answer_lookup(storm, sim->lookups[i - 1]);
  for (size_t i = sim->links_len; i > 0; i--) {
    if (i > sim->links_len)
      continue;
    busy += !sim->links[i - 1]->ends;
    touch_link(storm, sim->links[i - 1]);
    sim_settle(sim);
  }
  if (busy == 0)
    sim_tick(sim, RUNNEL__NEVER - 1);
  storm->steps++;
}

static void begin(struct storm *storm) {
  struct runnel_alloc hooks = failing_alloc_hooks(&storm->memory);
  sim_init(&storm->sim, &hooks);
  storm->sim.is_random = 1;
  storm->sim.random = storm->seed;
  storm->sim.user = storm;
  storm->sim.fail = storm->fail;
  storm->options = (struct runnel_client_options)RUNNEL_CLIENT_OPTIONS_INIT;
  struct runnel_client_options *options = &storm->options;
  options->alloc = hooks;
  options->dials_max = 20 + (int64_t)storm_below(&storm->random, 200);
  options->origin_dials_max = 10 + (int64_t)storm_below(&storm->random, 100);
  options->dials_per_second_max =
      50 + (int64_t)storm_below(&storm->random, 300);
  options->origin_dials_per_second_max =
      10 + (int64_t)storm_below(&storm->random, 200);
  options->held_bytes_max = HELD_BYTES_MAX;
  options->handshakes_max = 2 + (int64_t)storm_below(&storm->random, 30);
  storm->bucket = (struct storm_bucket){1e9, storm->sim.now_ms};
  for (size_t i = 0; i < STORM_ORIGINS; i++)
    storm->origin_buckets[i] = storm->bucket;
  if (runnel__client_new(&storm->client, options) != RUNNEL_OK)
    storm->fail(storm, options->error_text);
  storm->client->pid = (long)getpid();
  runnel__client_attach(storm->client, &storm->sim.world);
}

static void end(struct storm *storm, struct storm_totals *totals) {
  const struct runnel_client_stats *stats = runnel_client_stats(storm->client);
  totals->full += stats->handshakes_full;
  totals->resumed += stats->handshakes_resumed;
  if (!storm->client_closing)
    storm_app_close(storm);
  sim_settle(&storm->sim);
  if (!storm->client_closed)
    storm->fail(storm, "the client's callback never came");
  for (size_t i = 0; i < storm->next; i++) {
    storm_app_release(&storm->streams[i]);
    story_bytes_free(&storm->streams[i].reply.bytes);
    if (storm->streams[i].opened && !storm->streams[i].order.closed)
      storm->fail(storm, "a stream never closed");
  }
  totals->connects += storm->sim.links_made;
  sim_deinit(&storm->sim);
  if (storm->memory.live != 0)
    storm->fail(storm, "memory was never given back");
  totals->streams += storm->totals.streams;
  totals->attempts += storm->totals.attempts;
  totals->events += storm->totals.events;
  totals->ends += storm->totals.ends;
  totals->refusals += storm->totals.refusals;
}

void storm_run(struct storm *storm, uint64_t seed,
               struct storm_totals *totals) {
  storm->seed = seed;
  storm->random = seed;
  begin(storm);
  while (storm->next < STORM_STREAMS / 2)
    storm_app_open(storm);
  while (storm->steps < STEPS) {
    if (storm->steps % CHECK_EVERY == 0)
      storm_app_check(storm);
    step(storm);
    if (storm->next < STORM_STREAMS && storm_chance(&storm->random, 30))
      storm_app_open(storm);
  }
  storm->memory.fail_at = 0;
  storm->kind = seed % 10 != 0; /* one in ten is closed in full storm */
  for (size_t rounds = 0; storm->kind && storm->open > 0; rounds++) {
    if (rounds > ROUNDS_MAX)
      storm->fail(storm, "some streams never reach port");
    round_of_kindness(storm);
  }
  end(storm, totals);
}
