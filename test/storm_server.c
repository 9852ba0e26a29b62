/* Answers of all kinds, mostly good ones, and the wire's faults. */
#include "storm_server.h"

#include <stdio.h>
#include <string.h>

#define BATCH_MAX 8

uint64_t storm_random(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

uint64_t storm_below(uint64_t *state, uint64_t below) {
  return storm_random(state) % below;
}

int storm_chance(uint64_t *state, uint64_t times) {
  return storm_below(state, times) == 0;
}

/* What event k of the feed looks like, always the same. */
static uint64_t look_of(const struct storm_feed *feed, uint64_t k) {
  uint64_t state = feed->seed ^ (feed->number << 20) ^ k;
  return storm_random(&state);
}

static void add_padding(struct story_bytes *to, uint64_t look,
                        const char *between) {
  char line[64];
  size_t len = look % 16 == 0 ? look / 16 % 50 : look / 16 % 3;
  for (size_t i = 0; i < len; i++) {
    snprintf(line, sizeof line, "%sline %zu of %llu", between, i,
             (unsigned long long)(look % 1000000));
    story_bytes_text(to, line);
  }
}

static void add_number(struct story_bytes *to, const struct storm_feed *feed,
                       uint64_t k) {
  char text[64];
  snprintf(text, sizeof text, "%zu:%llu", feed->number, (unsigned long long)k);
  story_bytes_text(to, text);
}

void storm_event_data(struct story_bytes *to, const struct storm_feed *feed,
                      uint64_t k) {
  add_number(to, feed, k);
  add_padding(to, look_of(feed, k), "\n");
}

static void add_event(struct story_bytes *to, const struct storm_feed *feed,
                      uint64_t k) {
  static const char *const line_ends[] = {"\n", "\r\n", "\r"};
  uint64_t look = look_of(feed, k);
  const char *end = line_ends[look / 7 % 3];
  char text[64];
  char between[16];
  snprintf(between, sizeof between, "%sdata: ", end);
  snprintf(text, sizeof text, "id: %llu%s", (unsigned long long)k, end);
  story_bytes_text(to, text);
  if (look % 5 == 0) {
    snprintf(text, sizeof text, ": comment%s", end);
    story_bytes_text(to, text);
  }
  if (look % 11 == 0) {
    snprintf(text, sizeof text, "retry: %llu%s",
             (unsigned long long)(look / 11 % 5000), end);
    story_bytes_text(to, text);
  }
  story_bytes_text(to, "data: ");
  add_number(to, feed, k);
  add_padding(to, look, between);
  story_bytes_text(to, end);
  story_bytes_text(to, end);
}

static void add_head(struct storm_reply *reply, int status,
                     const char *fields) {
  char text[256];
  reply->status = status;
  snprintf(text, sizeof text, "HTTP/1.1 %d Text\r\n%s\r\n", status, fields);
  story_bytes_text(&reply->bytes, text);
}

static void add_chunks(struct storm_reply *reply,
                       const struct story_bytes *body, uint64_t *random) {
  char text[32];
  for (size_t at = 0; at < body->len;) {
    size_t len = 1 + storm_below(random, 900);
    if (len > body->len - at)
      len = body->len - at;
    snprintf(text, sizeof text, "%zx\r\n", len);
    story_bytes_text(&reply->bytes, text);
    story_bytes_add(&reply->bytes, body->at + at, len);
    story_bytes_text(&reply->bytes, "\r\n");
    at += len;
  }
}

/* 200 with the events after last_id, framed in one of three ways. */
static void answer_events(struct storm_reply *reply,
                          const struct storm_feed *feed, uint64_t last_id,
                          uint64_t *random, int kind) {
  struct story_bytes body = {0};
  char fields[128];
  uint64_t left = feed->events - last_id;
  uint64_t len = feed->once || kind ? left : storm_below(random, BATCH_MAX);
  if (len > left)
    len = left;
  for (uint64_t k = 1; k <= len; k++)
    add_event(&body, feed, last_id + k);
  story_bytes_add(&body, "", 0);
  uint64_t framing = storm_below(random, 3);
  const char *type = "Content-Type: text/event-stream\r\n";
  if (framing == 0) {
    add_head(reply, 200, type);
    story_bytes_add(&reply->bytes, body.at, body.len);
  } else if (framing == 1) {
    snprintf(fields, sizeof fields, "%sContent-Length: %zu\r\n", type,
             body.len);
    add_head(reply, 200, fields);
    story_bytes_add(&reply->bytes, body.at, body.len);
  } else {
    snprintf(fields, sizeof fields, "%sTransfer-Encoding: chunked\r\n", type);
    add_head(reply, 200, fields);
    add_chunks(reply, &body, random);
    if (kind || storm_chance(random, 2))
      story_bytes_text(&reply->bytes, "0\r\n\r\n");
  }
  story_bytes_free(&body);
}

static void answer_badly(struct storm_reply *reply,
                         const struct storm_feed *feed, uint64_t *random) {
  char fields[128];
  uint64_t which = storm_below(random, 100);
  reply->after_ms = -1;
  if (which < 30) {
    reply->after_ms = (int64_t)storm_below(random, 20) * 1000;
    snprintf(fields, sizeof fields,
             "Content-Length: 0\r\nRetry-After: %lld\r\n",
             (long long)(reply->after_ms / 1000));
    add_head(reply, 503, fields);
  } else if (which < 50) {
    add_head(reply, 500, "Content-Type: text/plain\r\n");
    story_bytes_text(&reply->bytes, "out of order");
  } else if (which < 60) {
    snprintf(fields, sizeof fields, "Content-Length: 0\r\nLocation: /%zu\r\n",
             feed->number);
    add_head(reply, 302, fields);
  } else if (which < 70) {
    snprintf(fields, sizeof fields,
             "Content-Length: 0\r\nLocation: http%s://10.1.0.%zu/%zu\r\n",
             feed->https || storm_chance(random, 2) ? "s" : "",
             feed->number % 4 + 1, feed->number);
    add_head(reply, feed->once ? 303 : 307, fields);
  } else if (which < 80) {
    add_head(reply, 401, "Content-Length: 2\r\n");
    story_bytes_text(&reply->bytes, "no");
  } else if (which < 82) {
    add_head(reply, 404, "Content-Length: 4\r\n");
    story_bytes_text(&reply->bytes, "gone");
  } else if (which < 90) {
    story_bytes_text(&reply->bytes, "220 mail.example ESMTP\r\n");
  } else {
    add_head(reply, 100, "");
    story_bytes_text(&reply->bytes, "HTTP/1.1 20");
  }
}

void storm_answer(struct storm_reply *reply, const struct storm_feed *feed,
                  uint64_t last_id, uint64_t *random, int kind) {
  story_bytes_free(&reply->bytes);
  *reply = (struct storm_reply){.end = STORM_FIN, .after_ms = -1};
  if (!feed->once && last_id == feed->events)
    add_head(reply, 204, "");
  else if (!kind && storm_chance(random, 6))
    answer_badly(reply, feed, random);
  else
    answer_events(reply, feed, last_id, random, kind);
  if (kind)
    return;
  reply->end = (enum storm_end)storm_below(random, 3);
  if (storm_chance(random, 4)) {
    reply->bytes.len = storm_below(random, reply->bytes.len + 1);
    reply->status = -1; /* who knows what was understood */
  }
}
