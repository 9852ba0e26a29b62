/* The world's side of a story: answers, bytes, time. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_request.h"
#include "story_run.h"

#define ALARMS_MAX 2000   /* in one tick */
#define RECOVERY_MAX 4000 /* steps until every stream must be well */
#define INPUT_CUTS_MAX 4096

static struct sim_lookup *find_lookup(struct sim *sim, const char *host) {
  for (size_t i = 0; i < sim->lookups_len; i++)
    if (host == NULL || strcmp(sim->lookups[i]->host, host) == 0)
      return sim->lookups[i];
  return NULL;
}

static int do_resolved(struct story_run *run, char *words) {
  struct runnel__addr addrs[RUNNEL__ADDRS_MAX];
  size_t len = 0;
  const char *host = NULL;
  for (char *word; (word = story_word(&words)) != NULL;) {
    if (len < RUNNEL__ADDRS_MAX &&
        runnel__addr_parse(&addrs[len], runnel__str_of(word)))
      len++;
    else
      host = word;
  }
  struct sim_lookup *lookup = find_lookup(&run->app.sim, host);
  if (lookup == NULL)
    return 0;
  sim_resolved(lookup, addrs, len);
  return 1;
}

static int do_unresolved(struct story_run *run, char *words) {
  struct sim_lookup *lookup = find_lookup(&run->app.sim, story_word(&words));
  if (lookup == NULL)
    return 0;
  sim_unresolved(lookup, RUNNEL_ERESOLVE, EAI_NONAME);
  return 1;
}

static struct sim_link *pending_link(struct sim *sim, const char *name) {
  for (size_t i = 0; i < sim->links_len; i++) {
    struct sim_link *link = sim->links[i];
    if (!link->is_up && !link->is_down &&
        (name == NULL || strcmp(link->name, name) == 0))
      return link;
  }
  return NULL;
}

static int do_dialled(struct story_run *run, char *words) {
  static const struct {
    const char *word;
    int code;
    int native;
  } ends[] = {{"refused", RUNNEL_ECONNECT, ECONNREFUSED},
              {"unreachable", RUNNEL_ECONNECT, EHOSTUNREACH},
              {"exhausted", RUNNEL_ERESOURCE, EMFILE}};
  const char *verb = story_word(&words);
  struct sim_link *link = pending_link(&run->app.sim, story_word(&words));
  if (link == NULL || verb == NULL)
    return 0;
  if (strcmp(verb, "up") == 0)
    sim_up(link);
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
    if (strcmp(verb, ends[i].word) == 0)
      sim_refused(link, ends[i].code, ends[i].native);
  return 1;
}

static struct sim_link *live_link(struct sim *sim) {
  for (size_t i = sim->links_len; i > 0; i--)
    if (sim->links[i - 1]->is_up && !sim->links[i - 1]->ends)
      return sim->links[i - 1];
  return NULL;
}

static void note_input(struct story_run *run, size_t len) {
  if (run->input_lens != NULL && run->inputs < run->input_lens_cap)
    run->input_lens[run->inputs] = len;
  run->inputs++;
}

/* Where the lens cuts `len` bytes after `at`. */
static size_t next_cut(const struct story_run *run, size_t at, size_t len) {
  if (run->lens == STORY_BYTES && len <= INPUT_CUTS_MAX)
    return at + 1;
  if (run->lens == STORY_CUT && run->cut_input == run->inputs - 1 &&
      at < run->cut_at)
    return run->cut_at;
  return len;
}

static void give_bytes(struct story_run *run, struct sim_link *link,
                       const struct story_bytes *bytes, int silenced) {
  struct sim *sim = &run->app.sim;
  size_t number = link->number;
  note_input(run, bytes->len);
  for (size_t at = 0, end; at < bytes->len; at = end) {
    link = sim_find_link(sim, number);
    if (link == NULL)
      return; /* hung up meanwhile */
    end = next_cut(run, at, bytes->len);
    sim_bytes(link, bytes->at + at, end - at);
    if (silenced)
      sim_silence(link);
    else
      sim_settle(sim);
  }
}

static void give_text(struct story_run *run, struct sim_link *link,
                      const char *text, int as_chunk, int silenced) {
  struct story_bytes body = {0};
  struct story_bytes bytes = {0};
  char size[32];
  story_unescape(&body, text);
  snprintf(size, sizeof size, "%zx\r\n", body.len);
  if (as_chunk)
    story_bytes_text(&bytes, size);
  story_bytes_add(&bytes, body.at, body.len);
  if (as_chunk)
    story_bytes_text(&bytes, "\r\n");
  give_bytes(run, link, &bytes, silenced);
  story_bytes_free(&body);
  story_bytes_free(&bytes);
}

/* "200 text/event-stream chunked "Name: value"" */
static void give_head(struct story_run *run, struct sim_link *link,
                      char *words) {
  struct story_bytes bytes = {0};
  const char *status = story_word(&words);
  link->answered = 1;
  story_bytes_text(&bytes, "HTTP/1.1 ");
  story_bytes_text(&bytes, status == NULL ? "" : status);
  story_bytes_text(&bytes, " Some Reason\r\n");
  for (char *word; (word = story_word(&words)) != NULL;) {
    if (strcmp(word, "chunked") == 0) {
      link->chunked = 1;
      story_bytes_text(&bytes, "Transfer-Encoding: chunked");
    } else if (strncmp(word, "length=", 7) == 0) {
      story_bytes_text(&bytes, "Content-Length: ");
      story_bytes_text(&bytes, word + 7);
    } else if (strstr(word, ": ") == NULL) {
      story_bytes_text(&bytes, "Content-Type: ");
      story_unescape(&bytes, word);
    } else {
      story_unescape(&bytes, word);
    }
    story_bytes_text(&bytes, "\r\n");
  }
  story_bytes_text(&bytes, "\r\n");
  give_bytes(run, link, &bytes, 0);
  story_bytes_free(&bytes);
}

static int is_status(const char *line) {
  return strspn(line, "0123456789") == 3 && (line[3] == ' ' || line[3] == '\0');
}

static int do_bytes(struct story_run *run, struct sim_link *link, char *line) {
  char *rest;
  int silenced = 0;
  if ((rest = story_after(line, "unseen")) != NULL) {
    silenced = 1;
    line = rest;
  }
  if (is_status(line)) {
    give_head(run, link, line);
  } else if ((rest = story_after(line, "head")) != NULL ||
             (rest = story_after(line, "bytes")) != NULL) {
    link->answered = 1;
    give_text(run, link, rest, 0, silenced);
  } else if ((rest = story_after(line, "body")) != NULL) {
    give_text(run, link, rest, link->chunked, silenced);
  } else if (strcmp(line, "last chunk") == 0) {
    give_text(run, link, "0\\r\\n\\r\\n", 0, silenced);
  } else if (strcmp(line, "eof") == 0) {
    sim_end(link, RUNNEL_OK, 0);
  } else if (strcmp(line, "reset") == 0) {
    sim_end(link, RUNNEL_ELOST, ECONNRESET);
  } else {
    return 0;
  }
  if (silenced)
    sim_silence(link);
  return silenced ? 2 : 1;
}

static int is_bytes(const char *line) {
  static const char *const words[] = {"unseen", "head", "bytes", "body",
                                      "last",   "eof",  "reset"};
  if (is_status(line))
    return 1;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    size_t len = strlen(words[i]);
    if (strncmp(line, words[i], len) == 0 &&
        (line[len] == ' ' || line[len] == '\0'))
      return 1;
  }
  return 0;
}

/* "@2 body a": for a link by its number, which may be hung up: then nobody
 * hears it. */
static int do_link(struct story_run *run, char *line) {
  struct sim *sim = &run->app.sim;
  struct sim_link *link = live_link(sim);
  if (line[0] == '@') {
    link = sim_find_link(sim, strtoul(line + 1, &line, 10));
    line = story_rest(line);
    if (link == NULL)
      return is_bytes(line);
  }
  if (!is_bytes(line) || link == NULL)
    return 0;
  return do_bytes(run, link, line);
}

static void do_tick(struct story_run *run) {
  struct story_app *app = &run->app;
  size_t shown = app->shown.len;
  for (int i = 0; i < ALARMS_MAX && app->shown.len == shown; i++)
    if (!sim_tick(&app->sim, RUNNEL__NEVER - 1))
      return;
}

static void do_wait(struct story_run *run, int64_t ms) {
  struct sim *sim = &run->app.sim;
  int64_t until_ms = sim->now_ms + ms;
  while (sim_tick(sim, until_ms))
    ;
  if (sim->now_ms < until_ms)
    sim->now_ms = until_ms;
}

static uint64_t draw(const char *text) {
  return (uint64_t)(strtod(text, NULL) * (double)UINT32_MAX);
}

static int do_clock(struct story_run *run, char *line) {
  struct sim *sim = &run->app.sim;
  char *rest;
  if (strcmp(line, "tick") == 0) {
    do_tick(run);
  } else if ((rest = story_after(line, "wait")) != NULL) {
    do_wait(run, story_ms(rest));
  } else if (strcmp(line, "time") == 0) {
    story_app_say(&run->app, "time %lld",
                  (long long)(sim->now_ms - SIM_START_MS));
  } else if ((rest = story_after(line, "random")) != NULL) {
    const char *halving = story_word(&rest);
    const char *jitter = story_word(&rest);
    sim->random = draw(halving) << 32 | draw(jitter == NULL ? "0" : jitter);
  } else if (strcmp(line, "verbose") == 0) {
    sim->shows_all = 1;
  } else if (strcmp(line, "show listen") == 0) {
    sim->shows_listen = 1;
  } else {
    return story_after(line, "lenses") != NULL;
  }
  return 1;
}

int story_world_do(struct story_run *run, char *line) {
  char *rest;
  int done = do_clock(run, line);
  if (done)
    ;
  else if ((rest = story_after(line, "resolved")) != NULL)
    done = do_resolved(run, rest);
  else if ((rest = story_after(line, "unresolved")) != NULL)
    done = do_unresolved(run, rest);
  else if (story_after(line, "up") != NULL ||
           story_after(line, "refused") != NULL ||
           story_after(line, "unreachable") != NULL ||
           story_after(line, "exhausted") != NULL)
    done = do_dialled(run, line);
  else
    done = story_tls_do(&run->app.sim, line);
  if (!done)
    done = do_link(run, line);
  if (done == 1)
    sim_settle(&run->app.sim);
  return done;
}

static void answer_well(struct sim_link *link) {
  static const char answer[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
      "data: w\n\n";
  link->answered = 1;
  sim_bytes(link, answer, sizeof answer - 1);
}

static int is_well(const struct story_stream *stream, const size_t *goods) {
  return !stream->opened || stream->order.closed || stream->order.stopped ||
         stream->order.closing || stream->good > goods[stream->number - 1];
}

static int all_well(const struct story_app *app, const size_t *goods) {
  for (size_t i = 0; i < app->streams_len; i++)
    if (!is_well(&app->streams[i], goods))
      return 0;
  return 1;
}

static void do_act(struct story_app *app, struct story_stream *stream,
                   const char *words) {
  char text[32];
  snprintf(text, sizeof text, "%s", words);
  story_app_act(app, &(struct story_action){.stream = stream}, text);
}

/* The application does its share. */
static void release_streams(struct story_app *app) {
  for (size_t i = 0; i < app->streams_len; i++) {
    struct story_stream *stream = &app->streams[i];
    if (stream->stream == NULL)
      continue;
    if (stream->request != NULL)
      do_act(app, stream, "proceed");
    if (stream->order.paused)
      do_act(app, stream, "resume");
  }
}

/* One kind deed of the world. 0: there is nothing to be kind to. */
static int help_once(struct sim *sim) {
  struct runnel__addr addr;
  runnel__addr_parse(&addr, RUNNEL__STR("10.9.9.9"));
  if (sim->lookups_len > 0) {
    sim_resolved(sim->lookups[0], &addr, 1);
    return 1;
  }
  struct sim_link *pending = pending_link(sim, NULL);
  if (pending != NULL) {
    sim_up(pending);
    return 1;
  }
  struct sim_link *shaking = sim_shaking(sim);
  if (shaking != NULL) {
    sim_secured(shaking, "TLSv1.3", shaking->session > 0);
    return 1;
  }
  for (size_t i = 0; i < sim->links_len; i++) {
    struct sim_link *link = sim->links[i];
    if (link->is_up && !link->answered && link->sent_len > 0) {
      answer_well(link);
      return 1;
    }
  }
  return 0;
}

void story_world_recover(struct story_run *run) {
  struct story_app *app = &run->app;
  struct sim *sim = &app->sim;
  size_t goods[STORY_STREAMS_MAX] = {0};
  if (app->client == NULL || app->client_closing)
    return;
  app->quiet = 1;
  for (size_t i = 0; i < app->streams_len; i++)
    goods[i] = app->streams[i].good;
  for (size_t i = 0; i < sim->links_len; i++)
    if (sim->links[i]->is_up && !sim->links[i]->ends)
      sim_end(sim->links[i], RUNNEL_ELOST, ECONNRESET);
  for (int i = 0; i < RECOVERY_MAX && !all_well(app, goods); i++) {
    release_streams(app);
    sim_settle(sim);
    if (help_once(sim))
      sim_settle(sim);
    else if (!sim_tick(sim, RUNNEL__NEVER - 1) && !all_well(app, goods))
      break;
  }
  if (!app->client_closing && !all_well(app, goods))
    story_app_fail(app, "a stream did not recover");
  app->quiet = 0;
}
