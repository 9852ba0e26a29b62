/* TLS in the virtual world: no bytes, but its rules. A session carries the
 * terms under which it was made, and may never be tried under others. */
#include "sim_inside.h"

#include <inttypes.h>
#include <stdio.h>

static struct sim_link *link_of(struct runnel__link *link) {
  return (struct sim_link *)(void *)link;
}

static struct sim_trust *trust_of(struct runnel__trust *trust) {
  return (struct sim_trust *)(void *)trust;
}

/* Trust -------------------------------------------------------------------- */

static struct sim_trust *find_trust(struct sim *sim, runnel_tls *settings) {
  for (size_t i = 0; i < sim->trusts_len; i++)
    if (sim->trusts[i]->settings == settings && !sim->trusts[i]->is_old)
      return sim->trusts[i];
  return NULL;
}

static struct sim_trust *make_trust(struct sim *sim, runnel_tls *settings,
                                    char *text) {
  struct sim_trust *trust = sim_give(sim, sizeof *trust);
  if (trust == NULL)
    return NULL;
  trust->sim = sim;
  trust->settings = settings;
  trust->id = sim->trusts_len + 1;
  PUSH(sim->trusts, trust);
  snprintf(text, RUNNEL_ERROR_TEXT_BYTES, "%s", sim->trust_warning);
  sim->trust_warning[0] = '\0';
  return trust;
}

int sim_ask_trust(struct runnel__world *world, runnel_tls *settings,
                  struct runnel__trust **trust, char *text) {
  struct sim *sim = (struct sim *)(void *)world;
  text[0] = '\0';
  sim_check(sim, !sim->is_closing, "trust after close");
  if (sim->trust_fault[0] != '\0') {
    snprintf(text, RUNNEL_ERROR_TEXT_BYTES, "%s", sim->trust_fault);
    return RUNNEL_EINVAL;
  }
  struct sim_trust *found = find_trust(sim, settings);
  if (found == NULL)
    found = make_trust(sim, settings, text);
  if (found == NULL)
    return RUNNEL_ENOMEM;
  found->refs++;
  *trust = (struct runnel__trust *)(void *)found;
  return RUNNEL_OK;
}

void sim_ask_distrust(struct runnel__trust *given) {
  struct sim_trust *trust = trust_of(given);
  sim_check(trust->sim, trust->refs > 0, "distrust too often");
  trust->refs--;
}

uint64_t sim_ask_trust_id(const struct runnel__trust *trust) {
  return ((const struct sim_trust *)(const void *)trust)->id;
}

void sim_reload(struct sim *sim) {
  for (size_t i = 0; i < sim->trusts_len; i++)
    sim->trusts[i]->is_old = 1;
}

void sim_free_trusts(struct sim *sim) {
  for (size_t i = 0; i < sim->trusts_len; i++) {
    sim_check(sim, sim->trusts[i]->refs == 0,
              "close with a trust that was not given back");
    sim_take(sim, sim->trusts[i]);
  }
  sim->trusts_len = 0;
}

/* Handshakes --------------------------------------------------------------- */

/* "trust anonymous port host": what a session must never cross. */
static void print_terms(char *text, size_t size, const struct sim_link *link) {
  snprintf(text, size, "%" PRIu64 " %d %u %s", link->trust->id,
           link->is_anonymous, (unsigned)link->addr.port, link->host);
}

static size_t read_session(const struct sim_link *link,
                           const struct runnel__session *session) {
  char terms[400];
  char text[450];
  char *behind;
  if (session == NULL)
    return 0;
  sim_check(link->sim, session->len < sizeof text, "a session of another size");
  memcpy(text, session->bytes, session->len);
  text[session->len] = '\0';
  size_t number = strtoul(text, &behind, 10);
  print_terms(terms, sizeof terms, link);
  sim_check(link->sim, *behind == ' ' && strcmp(behind + 1, terms) == 0,
            "a session crosses its terms");
  return number;
}

static void say_secure(const struct sim_link *link, int literal) {
  char number[32];
  char trust[32] = "";
  char session[32] = "";
  if (link->trust->id > 1)
    snprintf(trust, sizeof trust, " trust=%" PRIu64, link->trust->id);
  if (link->session > 0)
    snprintf(session, sizeof session, " session=%zu", link->session);
  sim_say(link->sim, "secure%s %s%s%s%s%s",
          sim_number_of(link, number, sizeof number), link->host,
          literal ? " literal" : "", link->is_anonymous ? " anonymous" : "",
          trust, session);
}

/* What a codec would need of memory. 0: there is none. */
static int has_memory(struct sim *sim) {
  void *memory = sim_give(sim, 64);
  if (memory == NULL)
    return 0;
  sim_take(sim, memory);
  return 1;
}

int sim_ask_secure(struct runnel__link *asked,
                   const struct runnel__secure *how) {
  struct sim_link *link = link_of(asked);
  struct sim *sim = link->sim;
  sim_check(sim, !link->is_hung_up, "secure of a link that was hung up");
  sim_check(sim, link->is_up && link->sent_len == 0 && !link->listens,
            "secure of a link that is in use, or not up");
  sim_check(sim, link->trust == NULL, "secure twice");
  if (!has_memory(sim))
    return RUNNEL_ENOMEM;
  if (sim->secure_fails) {
    sim->secure_fails = 0;
    snprintf(link->why, sizeof link->why, "no random numbers");
    return RUNNEL_ETLS;
  }
  snprintf(link->host, sizeof link->host, "%.*s", (int)how->host.len,
           how->host.at);
  link->trust = trust_of(how->trust);
  link->trust->refs++;
  link->is_anonymous = how->anonymous;
  link->is_shaking = 1;
  link->session = read_session(link, how->session);
  say_secure(link, how->literal);
  sim_note_due(link);
  return RUNNEL_OK;
}

const char *sim_ask_why(struct runnel__link *asked) {
  const struct sim_link *link = link_of(asked);
  sim_check(link->sim, !link->is_hung_up, "why of a link that was hung up");
  return link->why;
}

/* What the world says ------------------------------------------------------ */

struct sim_link *sim_shaking(struct sim *sim) {
  for (size_t i = 0; i < sim->links_len; i++)
    if (sim->links[i]->is_shaking && !sim->links[i]->is_down)
      return sim->links[i];
  return NULL;
}

void sim_secured(struct sim_link *link, const char *version, int resumed) {
  const struct runnel__secured secured = {version, resumed};
  sim_check(link->sim, !resumed || link->session > 0,
            "resumed without a session");
  link->is_shaking = 0;
  link->is_secured = 1;
  sim_begin_turn(link->sim);
  link->ears->secured(link->owner, &secured);
  sim_end_turn(link->sim);
}

void sim_unsecured(struct sim_link *link, int code, int native,
                   const char *why) {
  snprintf(link->why, sizeof link->why, "%s", why);
  link->is_down = 1;
  sim_begin_turn(link->sim);
  link->ears->down(link->owner, code, native);
  sim_end_turn(link->sim);
}

int sim_session(struct sim_link *link, size_t number, int64_t seconds) {
  struct sim *sim = link->sim;
  char terms[400];
  char bytes[450];
  if (link->is_down || link->is_shaking || !link->listens ||
      link->trust == NULL)
    return 0;
  print_terms(terms, sizeof terms, link);
  int len = snprintf(bytes, sizeof bytes, "%zu %s", number, terms);
  const struct runnel__session session = {
      bytes, (size_t)len, sim->world.ops->wall_s(&sim->world) + seconds};
  sim_check(sim, link->ears->session != NULL, "nobody hears of sessions");
  sim_begin_turn(sim);
  link->ears->session(link->owner, &session);
  sim_end_turn(sim);
  memset(bytes, 0xdb, sizeof bytes);
  return 1;
}
