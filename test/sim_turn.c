/* What the world says, one thing a turn, and the rules of that. */
#include "sim_inside.h"

#include <stdio.h>

#define TURNS_MAX 200000 /* at one instant; more is a spin */

void sim_check(struct sim *sim, int holds, const char *rule) {
  if (!holds) {
    sim->fail(sim->user, rule);
    abort();
  }
}

void sim_take(struct sim *sim, void *memory) {
  sim->hooks.free(memory, sim->hooks.ctx);
}

void *sim_realloc(void *memory, size_t size) {
  void *larger = realloc(memory, size);
  if (larger == NULL)
    abort();
  return larger;
}

void sim_end_lookup(struct sim_lookup *lookup) {
  struct sim *sim = lookup->sim;
  REMOVE(sim->lookups, lookup);
  sim_take(sim, lookup);
}

void sim_note_due(struct sim_link *link) {
  struct sim *sim = link->sim;
  if (link->is_due)
    return;
  link->is_due = 1;
  PUSH(sim->dues, link);
}

void sim_drop_posts(struct sim *sim) {
  while (sim->posts != NULL) {
    struct sim_post *post = sim->posts;
    sim->posts = post->next;
    sim_take(sim, post);
  }
}

static void free_link(struct sim_link *link) {
  struct sim *sim = link->sim;
  while (link->first != NULL) {
    struct sim_piece *piece = link->first;
    link->first = piece->next;
    free(piece);
  }
  free(link->sent);
  sim_take(sim, link);
}

/* Whatever hears in between, the memory of what was hung up before is gone. */
void sim_begin_turn(struct sim *sim) {
  sim_check(sim, !sim->in_ear, "the world speaks inside an ask");
  for (size_t i = 0; i < sim->graves_len; i++)
    free_link(sim->graves[i]);
  sim->graves_len = 0;
  sim->in_ear = 1;
}

void sim_end_turn(struct sim *sim) { sim->in_ear = 0; }

static void fail_plainly(void *user, const char *line) {
  (void)user;
  fprintf(stderr, "sim: %s\n", line);
}

void sim_init(struct sim *sim, const struct runnel_alloc *hooks) {
  *sim = (struct sim){.now_ms = SIM_START_MS,
                      .wake_at_ms = RUNNEL__NEVER,
                      .random = SIM_RANDOM_PLAIN,
                      .hooks = *hooks,
                      .fail = fail_plainly};
  sim->world.ops = &sim_ops;
}

void sim_deinit(struct sim *sim) {
  sim_begin_turn(sim);
  sim->in_ear = 0;
  sim_drop_posts(sim);
  free(sim->links);
  free(sim->lookups);
  free(sim->graves);
  free(sim->dues);
  free(sim->trusts);
}

/* The block ends where the slack ends, and is spoilt afterwards. */
static void deliver_piece(struct sim_link *link) {
  struct sim *sim = link->sim;
  struct sim_piece *piece = link->first;
  link->first = piece->next;
  size_t len = piece->len;
  char *block = sim_realloc(NULL, len + RUNNEL__SLACK_BYTES);
  memcpy(block, piece->bytes, len);
  memset(block + len, 0xa5, RUNNEL__SLACK_BYTES);
  free(piece);
  sim_check(sim, link->ears->bytes != NULL, "listen by an owner without ears");
  link->ears->bytes(link->owner, block, len);
  for (size_t i = 0; i < RUNNEL__SLACK_BYTES; i++)
    sim_check(sim, (unsigned char)block[len + i] == 0xa5,
              "the slack was written");
  memset(block, 0xdb, len + RUNNEL__SLACK_BYTES);
  free(block);
}

/* In a handshake an end is heard without listening. */
static int can_hear(const struct sim_link *link) {
  if (link->is_down || link->silenced)
    return 0;
  return link->is_shaking
             ? link->ends
             : link->listens && (link->first != NULL || link->ends);
}

static void deliver_end(struct sim_link *link) {
  int in_order = link->end_code == RUNNEL_OK;
  link->is_down = 1;
  if (link->is_shaking && in_order)
    snprintf(link->why, sizeof link->why, "the peer closed the connection");
  link->ears->down(link->owner,
                   link->is_shaking && in_order ? RUNNEL_ETLS : link->end_code,
                   link->end_native);
}

/* One thing that a link hears. 0: nothing is due. */
static int hear_links(struct sim *sim) {
  while (sim->dues_len > 0) {
    struct sim_link *link = sim->dues[0];
    if (!can_hear(link)) {
      link->is_due = 0;
      REMOVE(sim->dues, link);
      continue;
    }
    sim_begin_turn(sim);
    if (link->first != NULL && !link->is_shaking)
      deliver_piece(link);
    else
      deliver_end(link);
    sim->in_ear = 0;
    return 1;
  }
  return 0;
}

static void run_alarm(struct sim *sim) {
  sim->wake_at_ms = RUNNEL__NEVER;
  sim_begin_turn(sim);
  sim->world.ears->alarm(sim->world.owner);
  sim->in_ear = 0;
}

static void run_post(struct sim *sim) {
  struct sim_post *post = sim->posts;
  sim->posts = post->next;
  sim_begin_turn(sim);
  post->run(sim->world.owner, post->user);
  sim->in_ear = 0;
  sim_take(sim, post);
}

static int take_turn(struct sim *sim) {
  if (sim->is_closing) {
    sim_begin_turn(sim);
    sim->is_closed = 1;
    sim->world.ears->closed(sim->world.owner);
    sim->in_ear = 0;
    return 0;
  }
  if (sim->posts != NULL) {
    run_post(sim);
    return 1;
  }
  if (hear_links(sim))
    return 1;
  if (sim->wake_at_ms > sim->now_ms)
    return 0;
  run_alarm(sim);
  return 1;
}

void sim_settle(struct sim *sim) {
  for (size_t i = 0; sim->has_silenced && i < sim->links_len; i++) {
    sim->links[i]->silenced = 0;
    sim_note_due(sim->links[i]);
  }
  sim->has_silenced = 0;
  int turns = 0;
  while (!sim->is_closed && take_turn(sim))
    sim_check(sim, ++turns < TURNS_MAX, "the library spins");
}

int sim_tick(struct sim *sim, int64_t until_ms) {
  if (sim->is_closed || sim->wake_at_ms == RUNNEL__NEVER ||
      sim->wake_at_ms > until_ms)
    return 0;
  if (sim->now_ms < sim->wake_at_ms)
    sim->now_ms = sim->wake_at_ms;
  run_alarm(sim);
  sim_settle(sim);
  return 1;
}

static void hear_resolved(struct sim_lookup *lookup, int code, int native,
                          const struct runnel__addr *addrs, size_t len) {
  struct sim *sim = lookup->sim;
  void *asker = lookup->asker;
  sim_end_lookup(lookup);
  sim_begin_turn(sim);
  sim->world.ears->resolved(asker, code, native, addrs, len);
  sim->in_ear = 0;
}

void sim_resolved(struct sim_lookup *lookup, const struct runnel__addr *addrs,
                  size_t len) {
  hear_resolved(lookup, RUNNEL_OK, 0, addrs, len);
}

void sim_unresolved(struct sim_lookup *lookup, int code, int native) {
  hear_resolved(lookup, code, native, NULL, 0);
}

void sim_up(struct sim_link *link) {
  struct sim *sim = link->sim;
  link->is_up = 1;
  sim_begin_turn(sim);
  link->ears->up(link->owner);
  sim->in_ear = 0;
}

void sim_refused(struct sim_link *link, int code, int native) {
  struct sim *sim = link->sim;
  link->is_down = 1;
  sim_begin_turn(sim);
  link->ears->down(link->owner, code, native);
  sim->in_ear = 0;
}

void sim_bytes(struct sim_link *link, const char *bytes, size_t len) {
  struct sim_piece *piece = sim_realloc(NULL, sizeof *piece + len);
  piece->next = NULL;
  piece->len = len;
  memcpy(piece->bytes, bytes, len);
  if (link->first == NULL)
    link->first = piece;
  else
    link->last->next = piece;
  link->last = piece;
  sim_note_due(link);
}

void sim_end(struct sim_link *link, int code, int native) {
  link->ends = 1;
  link->end_code = code;
  link->end_native = native;
  sim_note_due(link);
}

void sim_silence(struct sim_link *link) {
  link->silenced = 1;
  link->sim->has_silenced = 1;
}

struct sim_link *sim_find_link(struct sim *sim, size_t number) {
  for (size_t i = 0; i < sim->links_len; i++)
    if (sim->links[i]->number == number)
      return sim->links[i];
  return NULL;
}
