/* What the library asks. Links and look-ups come from the application's
 * allocator, as in the world that has sockets, so that they fail when it has no
 * memory. */
#include "sim_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_request.h"

void sim_say(struct sim *sim, const char *format, ...) {
  if (sim->say == NULL)
    return;
  char line[512];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  sim->say(sim->user, line);
}

void *sim_give(struct sim *sim, size_t size) {
  void *memory = sim->hooks.alloc(size, sim->hooks.ctx);
  if (memory != NULL)
    memset(memory, 0, size);
  return memory;
}

static struct sim *sim_of(struct runnel__world *world) {
  return (struct sim *)(void *)world;
}

static struct sim_link *link_of(struct runnel__link *link) {
  return (struct sim_link *)(void *)link;
}

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
  sim_check(sim_of(world), !sim_of(world)->is_closing, "wake_at after close");
  sim_of(world)->wake_at_ms = at_ms;
}

static void ask_keep(struct runnel__world *world, int on) {
  sim_of(world)->is_kept = on;
}

static struct runnel__lookup *ask_resolve(struct runnel__world *world,
                                          const char *host, void *asker) {
  struct sim *sim = sim_of(world);
  sim_check(sim, !sim->is_closing, "resolve after close");
  sim_check(sim, strlen(host) <= 253, "resolve of a host that is too long");
  struct sim_lookup *lookup = sim_give(sim, sizeof *lookup);
  if (lookup == NULL)
    return NULL;
  lookup->sim = sim;
  lookup->asker = asker;
  lookup->number = ++sim->lookups_made;
  snprintf(lookup->host, sizeof lookup->host, "%s", host);
  PUSH(sim->lookups, lookup);
  sim_say(sim, "resolve %s", host);
  return (struct runnel__lookup *)(void *)lookup;
}

static void ask_drop(struct runnel__lookup *dropped) {
  struct sim_lookup *lookup = (struct sim_lookup *)(void *)dropped;
  sim_say(lookup->sim, "cancel %s", lookup->host);
  sim_end_lookup(lookup);
}

const char *sim_number_of(const struct sim_link *link, char *text,
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
  sim_say(link->sim, "connect %s%s%s", link->name,
          sim_number_of(link, number, sizeof number), keepalive);
}

static struct runnel__link *ask_connect(struct runnel__world *world,
                                        const struct runnel__target *target,
                                        const struct runnel__link_ears *ears,
                                        void *owner) {
  struct sim *sim = sim_of(world);
  sim_check(sim, !sim->is_closing, "connect after close");
  struct sim_link *link = sim_give(sim, sizeof *link);
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
  sim_check(link->sim, !link->is_hung_up, "give of a link that was hung up");
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
             sim_number_of(link, number, sizeof number), line);
    sim->say(sim->user, text);
  }
}

static int ask_send(struct runnel__link *to, const char *bytes, size_t len) {
  struct sim_link *link = link_of(to);
  struct sim *sim = link->sim;
  sim_check(sim, !link->is_hung_up, "send on a link that was hung up");
  sim_check(sim, link->is_up, "send before up");
  sim_check(sim, !link->is_shaking, "send during the handshake");
  void *copy = sim_give(sim, len + 1); /* as a socket that takes nothing */
  if (copy == NULL)
    return RUNNEL_ENOMEM;
  sim_take(sim, copy);
  link->sent = sim_realloc(link->sent, link->sent_len + len + 1);
  memcpy(link->sent + link->sent_len, bytes, len);
  link->sent_len += len;
  link->sent[link->sent_len] = '\0';
  say_requests(link);
  return RUNNEL_OK;
}

static void ask_listen(struct runnel__link *to, int on) {
  struct sim_link *link = link_of(to);
  sim_check(link->sim, !link->is_hung_up, "listen on a link that was hung up");
  sim_check(link->sim, link->is_up || !on, "listen before up");
  sim_check(link->sim, !link->is_shaking, "listen during the handshake");
  if (link->sim->shows_listen && link->listens != on)
    sim_say(link->sim, "listen %s", on ? "on" : "off");
  link->listens = on;
  if (on)
    sim_note_due(link);
}

static int ask_waiting(struct runnel__link *at) {
  struct sim_link *link = link_of(at);
  sim_check(link->sim, !link->is_hung_up, "waiting on a link that was hung up");
  return link->first != NULL || link->ends;
}

static void ask_hang_up(struct runnel__link *up) {
  struct sim_link *link = link_of(up);
  struct sim *sim = link->sim;
  char number[32];
  sim_check(sim, !link->is_hung_up, "hang_up twice");
  if (!link->is_down)
    sim_say(sim, "hang up%s", sim_number_of(link, number, sizeof number));
  link->is_hung_up = 1;
  if (link->trust != NULL)
    link->trust->refs--;
  REMOVE(sim->links, link);
  if (link->is_due)
    REMOVE(sim->dues, link);
  PUSH(sim->graves, link);
}

static int ask_post(struct runnel__world *world,
                    void (*run)(struct runnel_client *owner, void *user),
                    void *user) {
  struct sim *sim = sim_of(world);
  struct sim_post *post = sim_give(sim, sizeof *post);
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

static void ask_close(struct runnel__world *world) {
  struct sim *sim = sim_of(world);
  sim_check(sim, !sim->is_closing, "close twice");
  sim_check(sim, sim->links_len == 0, "close with a link that was not hung up");
  sim_check(sim, sim->lookups_len == 0,
            "close with a look-up that was not dropped");
  sim_free_trusts(sim);
  sim->is_closing = 1;
  sim->wake_at_ms = RUNNEL__NEVER;
  sim_drop_posts(sim);
}

/* Only a forked child may ask for it, and no story forks. */
static void ask_abandon(struct runnel__world *world) {
  sim_check(sim_of(world), 0, "abandon in a process that did not fork");
}

static const char *ask_resolve_words(int native) {
  (void)native;
  return "Name or service not known";
}

const struct runnel__world_ops sim_ops = {
    .now_ms = ask_now_ms,
    .wall_s = ask_wall_s,
    .random = ask_random,
    .wake_at = ask_wake_at,
    .keep = ask_keep,
    .resolve = ask_resolve,
    .drop = ask_drop,
    .connect = ask_connect,
    .trust = sim_ask_trust,
    .distrust = sim_ask_distrust,
    .trust_id = sim_ask_trust_id,
    .secure = sim_ask_secure,
    .why = sim_ask_why,
    .give = ask_give,
    .send = ask_send,
    .listen = ask_listen,
    .waiting = ask_waiting,
    .hang_up = ask_hang_up,
    .post = ask_post,
    .close = ask_close,
    .abandon = ask_abandon,
    .resolve_words = ask_resolve_words,
};
