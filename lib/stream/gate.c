/* Token buckets, and a ring of the origins that somebody waits for. */
#include "gate.h"

#include <string.h>

#include "../core/world.h"

#define TOKEN 1000 /* thousandths in one */
/* "http://" + host + ":65535" + NUL */
#define KEY_BYTES (7 + 256 + 7)

void runnel__gate_init(struct runnel__gate *gate, uint64_t seed) {
  *gate = (struct runnel__gate){0};
  runnel__list_init(&gate->ring);
  gate->origins.seed = seed;
  gate->bucket.filled_ms = INT64_MIN;
  gate->paused_until_ms = INT64_MIN;
}

void runnel__gate_free(struct runnel__gate *gate, struct runnel__mem *mem) {
  runnel__table_free(&gate->origins, mem);
}

/* Writes the key of a URL's origin; returns its length. */
static size_t write_key(char *key, const struct runnel__url *url) {
  struct runnel__url bare = *url;
  bare.path = bare.query = RUNNEL__STR("");
  if (bare.host.len > 1 && bare.host.at[bare.host.len - 1] == '.')
    bare.host.len--;
  size_t len = runnel__url_print(key, KEY_BYTES, &bare, 0);
  if (len >= KEY_BYTES)
    len = KEY_BYTES - 1; /* cannot be: hosts are at most 253 bytes */
  for (size_t i = 0; i < len; i++)
    key[i] = runnel__lower(key[i]);
  return len;
}

struct runnel__origin *runnel__origin_take(struct runnel__gate *gate,
                                           struct runnel__mem *mem,
                                           const struct runnel__url *url) {
  char text[KEY_BYTES];
  struct runnel__str key = {text, write_key(text, url)};
  struct runnel__table_node *node = runnel__table_find(&gate->origins, key);
  if (node != NULL) {
    struct runnel__origin *known =
        RUNNEL__OF(node, struct runnel__origin, node);
    known->refs++;
    return known;
  }
  if (runnel__table_reserve(&gate->origins, mem) != RUNNEL_OK)
    return NULL;
  struct runnel__origin *origin =
      runnel__alloc_zero(mem, sizeof *origin + key.len + 1);
  if (origin == NULL)
    return NULL;
  runnel__list_init(&origin->ring);
  runnel__list_init(&origin->waiting);
  runnel__line_init(&origin->handshakes);
  origin->bucket.filled_ms = INT64_MIN;
  origin->refs = 1;
  memcpy(origin->key, key.at, key.len);
  origin->node.key = (struct runnel__str){origin->key, key.len};
  runnel__table_add(&gate->origins, &origin->node);
  return origin;
}

void runnel__origin_give(struct runnel__gate *gate, struct runnel__mem *mem,
                         struct runnel__origin *origin) {
  if (origin == NULL || --origin->refs > 0)
    return;
  runnel__table_remove(&gate->origins, &origin->node);
  runnel__list_remove(&origin->ring);
  runnel__list_remove(&origin->handshakes.ring);
  runnel__free(mem, origin);
}

void runnel__gate_join(struct runnel__gate *gate, struct runnel__origin *origin,
                       struct runnel__list *node) {
  if (runnel__list_empty(&origin->waiting))
    runnel__list_push(&gate->ring, &origin->ring);
  runnel__list_push(&origin->waiting, node);
}

void runnel__gate_leave(struct runnel__origin *origin,
                        struct runnel__list *node) {
  runnel__list_remove(node);
  if (runnel__list_empty(&origin->waiting))
    runnel__list_remove(&origin->ring);
}

/* A bucket that was never used is full; a second fills it. */
static void fill_bucket(struct runnel__bucket *bucket, int64_t rate,
                        int64_t now_ms) {
  int64_t full = rate * TOKEN;
  if (bucket->filled_ms == INT64_MIN || now_ms - bucket->filled_ms >= 1000)
    bucket->tokens = full;
  else
    bucket->tokens += (now_ms - bucket->filled_ms) * rate;
  if (bucket->tokens > full)
    bucket->tokens = full;
  bucket->filled_ms = now_ms;
}

/* 0 if there is a token, else the time when there will be. */
static int64_t token_wait(struct runnel__bucket *bucket, int64_t rate,
                          int64_t now_ms) {
  if (rate == INT64_MAX)
    return 0;
  fill_bucket(bucket, rate, now_ms);
  if (bucket->tokens >= TOKEN)
    return 0;
  return now_ms + (TOKEN - bucket->tokens + rate - 1) / rate;
}

static void spend_token(struct runnel__bucket *bucket, int64_t rate) {
  if (rate != INT64_MAX)
    bucket->tokens -= TOKEN;
}

/* Slots one origin may have now. */
static int64_t origin_slots(const struct runnel__gate *gate) {
  int others_wait = gate->ring.next != gate->ring.prev;
  int64_t half = gate->dials_max / 2 > 0 ? gate->dials_max / 2 : 1;
  if (others_wait && half < gate->origin_dials_max)
    return half;
  return gate->origin_dials_max;
}

static struct runnel__list *admit_first(struct runnel__gate *gate,
                                        struct runnel__origin *origin) {
  struct runnel__list *node = origin->waiting.next;
  spend_token(&gate->bucket, gate->rate_max);
  spend_token(&origin->bucket, gate->origin_rate_max);
  gate->dials++;
  origin->dials++;
  runnel__list_remove(node);
  runnel__list_remove(&origin->ring); /* to the end of the ring: round-robin */
  if (!runnel__list_empty(&origin->waiting))
    runnel__list_push(&gate->ring, &origin->ring);
  return node;
}

struct runnel__list *runnel__gate_admit(struct runnel__gate *gate,
                                        int64_t now_ms, int64_t *wake_ms) {
  *wake_ms = RUNNEL__NEVER;
  if (runnel__list_empty(&gate->ring) ||
      (int64_t)gate->dials >= gate->dials_max)
    return NULL;
  int64_t wait = gate->paused_until_ms > now_ms
                     ? gate->paused_until_ms
                     : token_wait(&gate->bucket, gate->rate_max, now_ms);
  if (wait != 0) {
    *wake_ms = wait;
    return NULL;
  }
  int64_t slots = origin_slots(gate);
  for (struct runnel__list *at = gate->ring.next; at != &gate->ring;
       at = at->next) {
    struct runnel__origin *origin = RUNNEL__OF(at, struct runnel__origin, ring);
    if ((int64_t)origin->dials >= slots)
      continue;
    wait = token_wait(&origin->bucket, gate->origin_rate_max, now_ms);
    if (wait == 0)
      return admit_first(gate, origin);
    if (wait < *wake_ms)
      *wake_ms = wait;
  }
  return NULL;
}

void runnel__gate_done(struct runnel__gate *gate,
                       struct runnel__origin *origin) {
  gate->dials--;
  origin->dials--;
}

void runnel__gate_pause(struct runnel__gate *gate, int64_t until_ms) {
  if (until_ms > gate->paused_until_ms)
    gate->paused_until_ms = until_ms;
}
