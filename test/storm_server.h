/* The servers of a storm: each stream has one that keeps its events for ever
 * and replays what comes after Last-Event-ID, over connections that break. All
 * is computed from a seed, so that what was received can be checked. */
#ifndef RUNNEL_TEST_STORM_SERVER_H
#define RUNNEL_TEST_STORM_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "story_text.h"

/* 64 even bits; splitmix64. */
uint64_t storm_random(uint64_t *state);

/* 0 to below - 1. */
uint64_t storm_below(uint64_t *state, uint64_t below);

/* 1 in `times`. */
int storm_chance(uint64_t *state, uint64_t times);

struct storm_feed {
  uint64_t seed;
  size_t number;
  uint64_t events; /* numbered from 1 */
  int once;        /* a POST: all events in one answer, or what was cut of it */
  int https;       /* no redirect leads to http */
};

enum storm_end { STORM_STALL, STORM_FIN, STORM_RESET };

/* One answer, as it goes over the wire. */
struct storm_reply {
  struct story_bytes bytes;
  size_t given;
  enum storm_end end; /* after all bytes were given */
  int status;
  int64_t after_ms; /* its Retry-After; -1: none */
};

/* Adds the data that event `k` has. */
void storm_event_data(struct story_bytes *to, const struct storm_feed *feed,
                      uint64_t k);

/* Makes the answer to a request with that last id; `kind` 1: without faults.
 * reply's bytes are freed first. */
void storm_answer(struct storm_reply *reply, const struct storm_feed *feed,
                  uint64_t last_id, uint64_t *random, int kind);

#endif
