/* TLS in a story: handshakes, sessions, settings. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story_run.h"

/* mbedTLS's own numbers, so that nobody takes them for an errno. */
#define NATIVE_TRUST (-0x2700)
#define NATIVE_TLS (-0x7780)

#define SESSION_S 7200

static struct sim_link *secured_link(struct sim *sim) {
  for (size_t i = sim->links_len; i > 0; i--)
    if (sim->links[i - 1]->is_secured && !sim->links[i - 1]->ends)
      return sim->links[i - 1];
  return NULL;
}

/* "secured [VERSION] [resumed]" */
static int do_secured(struct sim_link *link, char *words) {
  const char *version = "TLSv1.3";
  int resumed = 0;
  if (link == NULL || !link->is_shaking)
    return 0;
  for (char *word; (word = story_word(&words)) != NULL;) {
    if (strcmp(word, "resumed") == 0)
      resumed = 1;
    else if (strcmp(word, "TLSv1.2") == 0)
      version = "TLSv1.2";
  }
  if (resumed && link->session == 0)
    return 0; /* there was no memory to keep it */
  sim_secured(link, version, resumed);
  return 1;
}

/* "session N [10m]" */
static int do_session(struct sim_link *link, char *words) {
  const char *number = story_word(&words);
  int64_t ms = *words == '\0' ? -1 : story_ms(words);
  if (link == NULL || number == NULL)
    return 0;
  return sim_session(link, strtoul(number, NULL, 10),
                     ms < 0 ? SESSION_S : ms / 1000);
}

static int do_failed(struct sim_link *link, int code, int native,
                     const char *why) {
  if (link == NULL || link->is_down || (!link->is_shaking && !link->listens))
    return 0;
  sim_unsecured(link, code, native, why);
  return 1;
}

/* What concerns one link; `named` if the line says which, else NULL. */
static int do_link(struct sim *sim, struct sim_link *named, char *line) {
  struct sim_link *shaking = named != NULL ? named : sim_shaking(sim);
  struct sim_link *either = shaking != NULL ? shaking : secured_link(sim);
  char *rest;
  if ((rest = story_after(line, "secured")) != NULL)
    return do_secured(shaking, rest);
  if ((rest = story_after(line, "session")) != NULL)
    return do_session(named != NULL ? named : either, rest);
  if ((rest = story_after(line, "distrusted")) != NULL)
    return do_failed(shaking, RUNNEL_ETRUST, NATIVE_TRUST, rest);
  if ((rest = story_after(line, "broken")) != NULL)
    return do_failed(either, RUNNEL_ETLS, NATIVE_TLS, rest);
  if ((rest = story_after(line, "cut")) != NULL)
    return do_failed(secured_link(sim), RUNNEL_ELOST, 0, rest);
  return 0;
}

/* "settings fail WHY", "settings work", "settings warn WHAT" */
static int do_settings(struct sim *sim, char *words) {
  const char *verb = story_word(&words);
  if (verb == NULL)
    return 0;
  if (strcmp(verb, "warn") == 0)
    snprintf(sim->trust_warning, sizeof sim->trust_warning, "%s", words);
  else
    snprintf(sim->trust_fault, sizeof sim->trust_fault, "%s", words);
  return 1;
}

int story_tls_do(struct sim *sim, char *line) {
  struct sim_link *named = NULL;
  char *rest;
  if (strcmp(line, "reload") == 0) {
    sim_reload(sim);
    return 1;
  }
  if (strcmp(line, "no random numbers") == 0) {
    sim->secure_fails = 1;
    return 1;
  }
  if ((rest = story_after(line, "settings")) != NULL)
    return do_settings(sim, rest);
  if (line[0] == '@') {
    named = sim_find_link(sim, strtoul(line + 1, &line, 10));
    line = story_rest(line);
    if (named == NULL)
      return 0;
  }
  return do_link(sim, named, line);
}
