/* Links and look-ups come from the application's allocator, as in the world
 * that has sockets, so that they fail when it has no memory. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_request.h"

#define TURNS_MAX 200000 /* at one instant; more is a spin */

__attribute__((format(printf, 2, 3))) static void say(struct sim *sim,
                                                      const char *format, ...) {
  if (sim->say == NULL)
    return;
  char line[512];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  sim->say(sim->user, line);
}

static void check(struct sim *sim, int holds, const char *rule) {
  if (!holds) {
    sim->fail(sim->user, rule);
    abort();
  }
}

static void *give(struct sim *sim, size_t size) {
  void *memory = sim->hooks.alloc(size, sim->hooks.ctx);
  if (memory != NULL)
    memset(memory, 0, size);
  return memory;
}

static void take(struct sim *sim, void *memory) {
  sim->hooks.free(memory, sim->hooks.ctx);
}

/* The test's own memory does not fail. */
static void *must_realloc(void *memory, size_t size) {
  void *larger = realloc(memory, size);
  if (larger == NULL)
    abort();
  return larger;
}

static struct sim *sim_of(struct runnel__world *world) {
  return (struct sim *)(void *)world;
}

static struct sim_link *link_of(struct runnel__link *link) {
  return (struct sim_link *)(void *)link;
}

#define PUSH(list, element)                                                    \
  do {                                                                         \
    if (list##_len == list##_cap) {                                            \
      list##_cap = list##_cap == 0 ? 16 : list##_cap * 2;                      \
      list = must_realloc(list, list##_cap * sizeof list[0]);                  \
    }                                                                          \
    list[list##_len++] = (element);                                            \
  } while (0)

#define REMOVE(list, element)                                                  \
  do {                                                                         \
    size_t at = 0;                                                             \
    while (at < list##_len && list[at] != (element))                           \
      at++;                                                                    \
    if (at < list##_len)                                                       \
      memmove(&list[at], &list[at + 1], (--list##_len - at) * sizeof list[0]); \
  } while (0)

static int64_t ask_now_ms(struct runnel__world *world) {
  return sim_of(world)->now_ms;
}

static int64_t ask_wall_s(struct runnel__world *world) {
  struct sim *sim = sim_of(world);
  return SIM_START_S + (sim->now_ms - SIM_START_MS) / 1000 + sim->wall_skew_s;
}

/* splitmix64 */
static uint64_t ask_random(struct runnel__world *world) {
  struct sim *sim = sim_of(world);
  if (!sim->is_random)
    return sim->random;
  uint64_t z = sim->random += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static void ask_wake_at(struct runnel__world *world, int64_t at_ms) {
  check(sim_of(world), !sim_of(world)->is_closing, "wake_at after close");
  sim_of(world)->wake_at_ms = at_ms;
}

static void ask_keep(struct runnel__world *world, int on) {
  sim_of(world)->is_kept = on;
}

static struct runnel__lookup *ask_resolve(struct runnel__world *world,
                                          const char *host, void *asker) {
  struct sim *sim = sim_of(world);
  check(sim, !sim->is_closing, "resolve after close");
  check(sim, strlen(host) <= 253, "resolve of a host that is too long");
  struct sim_lookup *lookup = give(sim, sizeof *lookup);
  if (lookup == NULL)
    return NULL;
  lookup->sim = sim;
  lookup->asker = asker;
  lookup->number = ++sim->lookups_made;
  snprintf(lookup->host, sizeof lookup->host, "%s", host);
  PUSH(sim->lookups, lookup);
  say(sim, "resolve %s", host);
  return (struct runnel__lookup *)(void *)lookup;
}

static void end_lookup(struct sim_lookup *lookup) {
  struct sim *sim = lookup->sim;
  REMOVE(sim->lookups, lookup);
  take(sim, lookup);
}

static void ask_drop(struct runnel__lookup *dropped) {
  struct sim_lookup *lookup = (struct sim_lookup *)(void *)dropped;
  say(lookup->sim, "cancel %s", lookup->host);
  end_lookup(lookup);
}

/* " @2" when there is another link to mistake it for. */
static const char *number_of(const struct sim_link *link, char *text,
                             size_t size) {
  text[0] = '\0';
  if (link->sim->links_len > 1)
    snprintf(text, size, " @%zu", link->number);
  return text;
}

static void say_connect(const struct sim_link *link,
                        const struct runnel__target *target) {
  char number[32];
  char keepalive[64] = "";
  int is_usual = target->keepalive_s == 60 &&
                 target->keepalive_interval_s == 10 &&
                 target->keepalive_probes == 6;
  if (target->keepalive_s == 0 && target->unix_path == NULL)
    snprintf(keepalive, sizeof keepalive, " keepalive=off");
  else if (!is_usual && target->unix_path == NULL)
    snprintf(keepalive, sizeof keepalive, " keepalive=%d/%d/%d",
             target->keepalive_s, target->keepalive_interval_s,
             target->keepalive_probes);
  say(link->sim, "connect %s%s%s", link->name,
      number_of(link, number, sizeof number), keepalive);
}

static struct runnel__link *ask_connect(struct runnel__world *world,
                                        const struct runnel__target *target,
                                        const struct runnel__link_ears *ears,
                                        void *owner) {
  struct sim *sim = sim_of(world);
  check(sim, !sim->is_closing, "connect after close");
  struct sim_link *link = give(sim, sizeof *link);
  if (link == NULL)
    return NULL;
  link->sim = sim;
  link->ears = ears;
  link->owner = owner;
  link->number = ++sim->links_made;
  link->addr = target->addr;
  if (target->unix_path != NULL)
    snprintf(link->name, sizeof link->name, "unix:%s", target->unix_path);
  else
    runnel__addr_print(link->name, &target->addr);
  PUSH(sim->links, link);
  say_connect(link, target);
  return (struct runnel__link *)(void *)link;
}

static void ask_give(struct runnel__link *given,
                     const struct runnel__link_ears *ears, void *owner) {
  struct sim_link *link = link_of(given);
  check(link->sim, !link->is_hung_up, "give of a link that was hung up");
  link->ears = ears;
  link->owner = owner;
}

static void say_requests(struct sim_link *link) {
  struct sim *sim = link->sim;
  char line[4096];
  char number[32];
  size_t used;
  if (sim->say == NULL)
    return;
  while (
      (used = sim_request_line(line, sizeof line, link->sent + link->sent_shown,
                               sim->plain_host, sim->shows_all)) > 0) {
    link->sent_shown += used;
    char text[4200];
    snprintf(text, sizeof text, "send%s %s",
             number_of(link, number, sizeof number), line);
    sim->say(sim->user, text);
  }
}

static int ask_send(struct runnel__link *to, const char *bytes, size_t len) {
  struct sim_link *link = link_of(to);
  struct sim *sim = link->sim;
  check(sim, !link->is_hung_up, "send on a link that was hung up");
  check(sim, link->is_up, "send before up");
  void *copy = give(sim, len + 1); /* as a socket that takes nothing */
  if (copy == NULL)
    return RUNNEL_ENOMEM;
  take(sim, copy);
  link->sent = must_realloc(link->sent, link->sent_len + len + 1);
  memcpy(link->sent + link->sent_len, bytes, len);
  link->sent_len += len;
  link->sent[link->sent_len] = '\0';
  say_requests(link);
  return RUNNEL_OK;
}

static void ask_listen(struct runnel__link *to, int on) {
  struct sim_link *link = link_of(to);
  check(link->sim, !link->is_hung_up, "listen on a link that was hung up");
  check(link->sim, link->is_up || !on, "listen before up");
  if (link->sim->shows_listen && link->listens != on)
    say(link->sim, "listen %s", on ? "on" : "off");
  link->listens = on;
}

static int ask_waiting(struct runnel__link *at) {
  struct sim_link *link = link_of(at);
  check(link->sim, !link->is_hung_up, "waiting on a link that was hung up");
  return link->first != NULL || link->ends;
}

static void ask_hang_up(struct runnel__link *up) {
  struct sim_link *link = link_of(up);
  struct sim *sim = link->sim;
  char number[32];
  check(sim, !link->is_hung_up, "hang_up twice");
  if (!link->is_down)
    say(sim, "hang up%s", number_of(link, number, sizeof number));
  link->is_hung_up = 1;
  REMOVE(sim->links, link);
  PUSH(sim->graves, link);
}

static int ask_post(struct runnel__world *world,
                    void (*run)(struct runnel_client *owner, void *user),
                    void *user) {
  struct sim *sim = sim_of(world);
  struct sim_post *post = give(sim, sizeof *post);
  if (post == NULL)
    return RUNNEL_ENOMEM;
  post->run = run;
  post->user = user;
  struct sim_post **end = &sim->posts;
  while (*end != NULL)
    end = &(*end)->next;
  *end = post;
  return RUNNEL_OK;
}

static void drop_posts(struct sim *sim) {
  while (sim->posts != NULL) {
    struct sim_post *post = sim->posts;
    sim->posts = post->next;
    take(sim, post);
  }
}

static void ask_close(struct runnel__world *world) {
  struct sim *sim = sim_of(world);
  check(sim, !sim->is_closing, "close twice");
  check(sim, sim->links_len == 0, "close with a link that was not hung up");
  check(sim, sim->lookups_len == 0,
        "close with a look-up that was not dropped");
  sim->is_closing = 1;
  sim->wake_at_ms = RUNNEL__NEVER;
  drop_posts(sim);
}

/* Only a forked child may ask for it, and no story forks. */
static void ask_abandon(struct runnel__world *world) {
  check(sim_of(world), 0, "abandon in a process that did not fork");
}

static const char *ask_resolve_words(int native) {
  (void)native;
  return "Name or service not known";
}

static const struct runnel__world_ops ops = {
    ask_now_ms,  ask_wall_s,        ask_random,  ask_wake_at, ask_keep,
    ask_resolve, ask_drop,          ask_connect, ask_give,    ask_send,
    ask_listen,  ask_waiting,       ask_hang_up, ask_post,    ask_close,
    ask_abandon, ask_resolve_words,
};

static void free_link(struct sim_link *link) {
  struct sim *sim = link->sim;
  while (link->first != NULL) {
    struct sim_piece *piece = link->first;
    link->first = piece->next;
    free(piece);
  }
  free(link->sent);
  take(sim, link);
}

/* Whatever hears in between, the memory of what was hung up before is gone. */
static void begin_turn(struct sim *sim) {
  check(sim, !sim->in_ear, "the world speaks inside an ask");
  for (size_t i = 0; i < sim->graves_len; i++)
    free_link(sim->graves[i]);
  sim->graves_len = 0;
  sim->in_ear = 1;
}

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
  sim->world.ops = &ops;
}

void sim_deinit(struct sim *sim) {
  begin_turn(sim);
  sim->in_ear = 0;
  drop_posts(sim);
  free(sim->links);
  free(sim->lookups);
  free(sim->graves);
}

/* The block ends where the slack ends, and is spoilt afterwards. */
static void deliver_piece(struct sim_link *link) {
  struct sim *sim = link->sim;
  struct sim_piece *piece = link->first;
  link->first = piece->next;
  size_t len = piece->len;
  char *block = must_realloc(NULL, len + RUNNEL__SLACK_BYTES);
  memcpy(block, piece->bytes, len);
  memset(block + len, 0xa5, RUNNEL__SLACK_BYTES);
  free(piece);
  check(sim, link->ears->bytes != NULL, "listen by an owner without ears");
  link->ears->bytes(link->owner, block, len);
  for (size_t i = 0; i < RUNNEL__SLACK_BYTES; i++)
    check(sim, (unsigned char)block[len + i] == 0xa5, "the slack was written");
  memset(block, 0xdb, len + RUNNEL__SLACK_BYTES);
  free(block);
}

/* One thing that a link hears. 0: nothing is due. */
static int hear_links(struct sim *sim) {
  for (size_t i = 0; i < sim->links_len; i++) {
    struct sim_link *link = sim->links[i];
    if (!link->listens || link->is_down || link->silenced ||
        (link->first == NULL && !link->ends))
      continue;
    begin_turn(sim);
    if (link->first != NULL) {
      deliver_piece(link);
    } else {
      link->is_down = 1;
      link->ears->down(link->owner, link->end_code, link->end_native);
    }
    sim->in_ear = 0;
    return 1;
  }
  return 0;
}

static void run_alarm(struct sim *sim) {
  sim->wake_at_ms = RUNNEL__NEVER;
  begin_turn(sim);
  sim->world.ears->alarm(sim->world.owner);
  sim->in_ear = 0;
}

static void run_post(struct sim *sim) {
  struct sim_post *post = sim->posts;
  sim->posts = post->next;
  begin_turn(sim);
  post->run(sim->world.owner, post->user);
  sim->in_ear = 0;
  take(sim, post);
}

static int take_turn(struct sim *sim) {
  if (sim->is_closing) {
    begin_turn(sim);
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
  for (size_t i = 0; i < sim->links_len; i++)
    sim->links[i]->silenced = 0;
  int turns = 0;
  while (!sim->is_closed && take_turn(sim))
    check(sim, ++turns < TURNS_MAX, "the library spins");
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
  end_lookup(lookup);
  begin_turn(sim);
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
  begin_turn(sim);
  link->ears->up(link->owner);
  sim->in_ear = 0;
}

void sim_refused(struct sim_link *link, int code, int native) {
  struct sim *sim = link->sim;
  link->is_down = 1;
  begin_turn(sim);
  link->ears->down(link->owner, code, native);
  sim->in_ear = 0;
}

void sim_bytes(struct sim_link *link, const char *bytes, size_t len) {
  struct sim_piece *piece = must_realloc(NULL, sizeof *piece + len);
  piece->next = NULL;
  piece->len = len;
  memcpy(piece->bytes, bytes, len);
  if (link->first == NULL)
    link->first = piece;
  else
    link->last->next = piece;
  link->last = piece;
}

void sim_end(struct sim_link *link, int code, int native) {
  link->ends = 1;
  link->end_code = code;
  link->end_native = native;
}

struct sim_link *sim_find_link(struct sim *sim, size_t number) {
  for (size_t i = 0; i < sim->links_len; i++)
    if (sim->links[i]->number == number)
      return sim->links[i];
  return NULL;
}
