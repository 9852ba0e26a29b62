/* Callbacks that count, an allocator that counts, and the usual steps. */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pages.h"

/* Memory ------------------------------------------------------------------- */

/* In front of each block, so that its size is known; keeps the alignment. */
struct block {
  size_t size;
  long double align[1];
};

static void count(struct lab *lab, size_t added, size_t taken) {
  lab->bytes += added - taken;
  if (lab->bytes > lab->bytes_peak)
    lab->bytes_peak = lab->bytes;
}

static struct block *block_of(void *memory) {
  return (struct block *)(void *)((char *)memory -
                                  offsetof(struct block, align));
}

/* What lies in pages has its size elsewhere, so that looking for it is none. */
static void *give_block(size_t size, void *ctx) {
  struct lab *lab = ctx;
  lab->blocks++;
  count(lab, size, 0);
  if (lab->in_pages && size >= PAGES_BYTES)
    return pages_new(size, PAGES_KEPT);
  struct block *block = malloc(sizeof *block + size);
  assert_non_null(block);
  block->size = size;
  return block->align;
}

static void take_block(void *memory, void *ctx) {
  struct lab *lab = ctx;
  assert_true(lab->blocks > 0);
  lab->blocks--;
  size_t size = pages_size(memory);
  if (size > 0) {
    count(lab, 0, size);
    pages_free(memory);
    return;
  }
  count(lab, 0, block_of(memory)->size);
  free(block_of(memory));
}

/* Always moves, so that a pointer into the old place is noticed; the old one is
 * gone before the new one counts, as where a block grows in its place. */
static void *move_block(void *memory, size_t size, void *ctx) {
  struct lab *lab = ctx;
  if (memory == NULL)
    return give_block(size, ctx);
  size_t before = pages_size(memory);
  if (before == 0)
    before = block_of(memory)->size;
  else
    pages_open(memory);
  size_t kept = before < size ? before : size;
  char *copy = malloc(kept + 1);
  assert_non_null(copy);
  memcpy(copy, memory, kept);
  take_block(memory, lab);
  char *moved = give_block(size, lab);
  if (pages_size(moved) > 0)
    pages_open(moved);
  memcpy(moved, copy, kept);
  if (pages_size(moved) > 0)
    pages_close(moved);
  free(copy);
  return moved;
}

/* The client -------------------------------------------------------------- */

static void fail_rule(void *user, const char *line) {
  (void)user;
  fail_msg("the world: %s", line);
}

void lab_open(struct lab *lab, struct runnel_client_options *options) {
  struct runnel_client_options defaults = RUNNEL_CLIENT_OPTIONS_INIT;
  struct runnel_alloc hooks = {give_block, move_block, take_block, lab};
  int in_pages = lab->in_pages;
  if (options == NULL)
    options = &defaults;
  memset(lab, 0, sizeof *lab);
  lab->in_pages = in_pages;
  sim_init(&lab->sim, &hooks);
  lab->sim.fail = fail_rule;
  options->alloc = hooks;
  assert_int_equal(runnel__client_new(&lab->client, options), RUNNEL_OK);
  lab->client->pid = (long)getpid(); /* as runnel_client_new does */
  runnel__client_attach(lab->client, &lab->sim.world);
}

static void hear_closed(void *user) {
  struct lab *lab = user;
  lab->closed++;
  lab->client = NULL;
}

void lab_close(struct lab *lab) {
  assert_int_equal(runnel_client_close(lab->client, hear_closed, lab),
                   RUNNEL_OK);
  sim_settle(&lab->sim);
  assert_int_equal(lab->closed, 1);
  sim_deinit(&lab->sim);
  assert_int_equal(lab->blocks, 0);
  assert_int_equal(lab->bytes, 0);
}

/* Callbacks ---------------------------------------------------------------- */

static struct lab_feed *feed_of(void *user) {
  struct lab_feed *feed = user;
  assert_int_equal(feed->closes, 0);
  return feed;
}

static void hear_request(runnel_stream *stream, runnel_request *request,
                         const struct runnel_attempt *attempt, void *user) {
  struct lab_feed *feed = feed_of(user);
  (void)stream;
  feed->requests++;
  feed->why = attempt->why;
  if (feed->on_request != NULL)
    feed->on_request(feed, request);
}

static void hear_open(runnel_stream *stream, const struct runnel_open *open,
                      void *user) {
  (void)stream;
  assert_int_equal(open->status, 200);
  feed_of(user)->opens++;
}

static int hear_event(runnel_stream *stream, const struct runnel_event *event,
                      void *user) {
  struct lab_feed *feed = feed_of(user);
  size_t len = strlen(feed->data);
  assert_int_equal(event->data[event->data_len], '\0');
  if (event->data_len + 2 <= sizeof feed->data - len)
    sprintf(feed->data + len, "%s|", event->data);
  if (++feed->events == feed->pause_after)
    assert_int_equal(runnel_stream_pause(stream), RUNNEL_OK);
  return RUNNEL_OK;
}

static void hear_comment(runnel_stream *stream, const char *text, size_t len,
                         void *user) {
  (void)stream;
  assert_int_equal(text[len], '\0');
  feed_of(user)->comments++;
}

static void hear_end(runnel_stream *stream, const struct runnel_end *end,
                     struct runnel_verdict *verdict, void *user) {
  struct lab_feed *feed = feed_of(user);
  (void)stream;
  feed->ends++;
  feed->code = end->code;
  feed->phase = end->phase;
  feed->status = end->status;
  feed->failures = end->failures;
  feed->headers_len = end->headers_len;
  feed->retry = verdict->retry;
  feed->delay_ms = verdict->delay_ms;
  snprintf(feed->text, sizeof feed->text, "%s", end->text);
  snprintf(feed->body, sizeof feed->body, "%.*s", (int)end->body_len,
           end->body);
}

static void hear_close(runnel_stream *stream, int code, void *user) {
  struct lab_feed *feed = feed_of(user);
  (void)stream;
  feed->closes++;
  feed->close_code = code;
  feed->stream = NULL;
}

int lab_feed_try(struct lab_feed *feed, struct lab *lab, const char *url,
                 const struct runnel_stream_options *options) {
  struct runnel_stream_options with = RUNNEL_STREAM_OPTIONS_INIT;
  if (options != NULL)
    with = *options;
  with.url = url;
  with.user = feed;
  with.on_request =
      feed->asks || feed->on_request != NULL ? hear_request : NULL;
  with.on_open = hear_open;
  with.on_event = hear_event;
  with.on_comment = feed->comments_heard ? hear_comment : NULL;
  with.on_end = hear_end;
  with.on_close = hear_close;
  feed->lab = lab;
  int code = runnel_stream_open(&feed->stream, lab->client, &with);
  snprintf(feed->error_text, sizeof feed->error_text, "%s", with.error_text);
  return code;
}

void lab_feed_open(struct lab_feed *feed, struct lab *lab, const char *url,
                   const struct runnel_stream_options *options) {
  int code = lab_feed_try(feed, lab, url, options);
  if (code != RUNNEL_OK)
    fail_msg("%s: %s: %s", url, runnel_err_name(code), feed->error_text);
  sim_settle(&lab->sim);
}

/* The peer ----------------------------------------------------------------- */

struct sim_link *lab_link(struct lab *lab) {
  return lab->sim.links_len == 0 ? NULL
                                 : lab->sim.links[lab->sim.links_len - 1];
}

struct sim_link *lab_dial(struct lab *lab) {
  struct runnel__addr addr;
  assert_true(runnel__addr_parse(&addr, RUNNEL__STR("10.0.0.1")));
  if (lab->sim.lookups_len > 0) {
    sim_resolved(lab->sim.lookups[0], &addr, 1);
    sim_settle(&lab->sim);
  }
  struct sim_link *link = lab_link(lab);
  if (link == NULL || link->is_up)
    return NULL;
  sim_up(link);
  sim_settle(&lab->sim);
  if (link->is_shaking) {
    sim_secured(link, "TLSv1.3", link->session > 0);
    sim_settle(&lab->sim);
  }
  return link;
}

int lab_has(const struct lab *lab, const struct sim_link *link) {
  for (size_t i = 0; i < lab->sim.links_len; i++)
    if (lab->sim.links[i] == link)
      return 1;
  return 0;
}

void lab_give(struct lab *lab, struct sim_link *link, const char *bytes,
              size_t len) {
  if (!lab_has(lab, link))
    return;
  if (len > 0)
    sim_bytes(link, bytes, len);
  sim_settle(&lab->sim);
}

void lab_give_each(struct lab *lab, struct sim_link *link, const char *bytes,
                   size_t len) {
  for (size_t i = 0; i < len; i++)
    lab_give(lab, link, bytes + i, 1);
}

void lab_say(struct lab *lab, struct sim_link *link, const char *text) {
  lab_give(lab, link, text, strlen(text));
}

void lab_end(struct lab *lab, struct sim_link *link, int code) {
  if (!lab_has(lab, link))
    return;
  sim_end(link, code, 0);
  sim_settle(&lab->sim);
}

void lab_tick(struct lab *lab) { (void)sim_tick(&lab->sim, RUNNEL__NEVER); }
