/* A TLS server that lies: a real one, whose bytes are changed on their way by
 * the input, and which then says what the input wants; or the input alone. What
 * the client makes of the same bytes may not depend on how they are cut, on
 * whether they are kept, or on memory that was short (then it is a beginning of
 * the same).
 *
 * Input: flags, where an allocation fails, four bytes of cuts; then changes of
 * the server's bytes (how many, and for each its place in two bytes, its kind
 * and a byte), then acts of the server (a kind, a length, bytes); with RAW what
 * the server says, byte for byte.
 *
 * Randomness and time are the same in each run, so that bytes can be played to
 * a second client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mbedtls/ctr_drbg.h>
#include <uv.h>

#include "../tls_pair.h"
#include "fuzz.h"

/* A full handshake takes a hundred times as long as a resumed one, so that it
 * has to be named by four bits. */
enum flags { KEEP = 1, RAW = 2, ADDRESS = 4, FULL = 0xf0 };
enum { CHANGES_MAX = 8, NOW_S = 1800000000 };

struct change {
  size_t at; /* in all that the server sends */
  uint8_t kind;
  uint8_t byte;
};

static uint64_t randomness;

/* What the library and mbedTLS draw from: the program's own come first. */
__attribute__((visibility("default"))) int
uv_random(uv_loop_t *loop, uv_random_t *request, void *bytes, size_t len,
          unsigned flags, uv_random_cb done) {
  (void)loop, (void)request, (void)flags, (void)done;
  for (size_t i = 0; i < len; i++)
    ((uint8_t *)bytes)[i] = (uint8_t)fuzz_draw(&randomness);
  return 0;
}

__attribute__((visibility("default"))) int
mbedtls_ctr_drbg_random(void *ctx, unsigned char *bytes, size_t len) {
  (void)ctx;
  return uv_random(NULL, NULL, bytes, len, 0, NULL);
}

__attribute__((visibility("default"))) time_t time(time_t *now) {
  if (now != NULL)
    *now = NOW_S;
  return NOW_S;
}

/* The time of TLS 1.3's tickets, in mbedTLS 3.6. */
int64_t mbedtls_ms_time(void);
__attribute__((visibility("default"))) int64_t mbedtls_ms_time(void) {
  return INT64_C(1000) * NOW_S;
}

/* The server and what was agreed with it before, once for all inputs. */
static struct tls_site site;
static struct tls_ground ground;
static struct story_bytes session_bytes;
static struct runnel__session session;

static void set_up(void) {
  struct tls_pair pair;
  if (session.bytes != NULL)
    return;
  tls_site_init(&site, NULL);
  tls_ground_init(&ground, &site, NULL);
  struct runnel__secure how = tls_secure(&ground, TLS_SITE_NAME, NULL);
  FUZZ_CHECK(tls_pair_init(&pair, &site, &how, 0) == 0, "no client");
  tls_pair_run(&pair);
  FUZZ_CHECK(pair.sessions == 1, "no session: %d %s", pair.end,
             runnel__tls_why(pair.tls, NULL));
  story_bytes_add(&session_bytes, pair.session.bytes, pair.session.len);
  session = pair.session;
  session.bytes = session_bytes.at;
  tls_pair_deinit(&pair);
}

/* Runs ----------------------------------------------------------------------
 */

struct choices {
  unsigned flags;
  size_t fail_at;
  uint64_t seed;
  size_t changes_len;
  struct change changes[CHANGES_MAX];
};

/* 0: a failing allocation left no client. */
static int begin(struct tls_pair *pair, const struct choices *choices,
                 size_t fail_at) {
  struct runnel__secure how = tls_secure(
      &ground, choices->flags & ADDRESS ? "192.0.2.1" : TLS_SITE_NAME,
      (choices->flags & FULL) == FULL ? NULL : &session);
  how.literal = (choices->flags & ADDRESS) != 0;
  randomness = 1;
  return tls_pair_init(pair, &site, &how, fail_at) == 0;
}

static int outcome(struct tls_pair *pair) {
  if (pair->end == 0)
    pair->end = runnel__tls_cut(pair->tls);
  FUZZ_CHECK(pair->ups <= 1, "up twice");
  FUZZ_CHECK(pair->plain.len == 0 || pair->ups == 1, "plain before it is up");
  FUZZ_CHECK(pair->end == RUNNEL__TLS_END || pair->end == RUNNEL_ENOMEM ||
                 runnel__tls_why(pair->tls, NULL)[0] != '\0',
             "no reason for %d", pair->end);
  FUZZ_CHECK(!(pair->ups == 1 && pair->end == RUNNEL_ETRUST), "up by mistake");
  return pair->end;
}

/* Adds bytes of the server's, which begin at `at` in all that it sent, with the
 * changes that fall among them. */
static void add_changed(struct story_bytes *to, const struct choices *choices,
                        const char *bytes, size_t len, size_t at) {
  for (size_t i = 0; i < len; i++, at++) {
    char byte = bytes[i];
    int left_out = 0;
    for (size_t c = 0; c < choices->changes_len; c++) {
      const struct change *change = &choices->changes[c];
      if (change->at != at)
        continue;
      if (change->kind % 4 == 0)
        byte = (char)change->byte;
      else if (change->kind % 4 == 1)
        byte = (char)(byte ^ (1 << change->byte % 8));
      else if (change->kind % 4 == 2)
        left_out = 1;
      else
        story_bytes_add(to, (const char *)&change->byte, 1);
    }
    if (!left_out)
      story_bytes_add(to, &byte, 1);
  }
}

/* Delivers what the server has, until nobody says anything more. */
static void deliver(struct tls_pair *pair, const struct choices *choices,
                    struct story_bytes *all, size_t *sent) {
  while (pair->peer.out.len > 0) {
    struct story_bytes out = pair->peer.out;
    size_t from = all->len;
    pair->peer.out = (struct story_bytes){0};
    add_changed(all, choices, out.at, out.len, *sent);
    *sent += out.len;
    story_bytes_free(&out);
    if (all->len > from)
      tls_pair_feed(pair, all->at + from, all->len - from);
  }
}

/* One thing that the server does. */
static void act(struct tls_peer *peer, struct fuzz_input *input) {
  unsigned kind = fuzz_byte(input);
  size_t len;
  const uint8_t *bytes = fuzz_bytes(input, fuzz_byte(input), &len);
  if (kind % 4 == 0)
    tls_peer_say(peer, (const char *)bytes, len);
  else if (kind % 4 == 1 && len >= 4) /* a message's head */
    tls_peer_message(peer, bytes, len);
  else if (kind % 4 == 2 && len >= 2)
    tls_peer_alert(peer, bytes[0], bytes[1]);
  else if (kind % 4 == 3)
    tls_peer_close(peer);
}

/* What the server sent ends up in `all`. */
static void converse(struct tls_pair *pair, const struct choices *choices,
                     struct fuzz_input *input, struct story_bytes *all) {
  size_t sent = 0;
  tls_pair_hello(pair);
  deliver(pair, choices, all, &sent);
  while (input->len > 0 && pair->peer.is_up && pair->peer.code == 0) {
    act(&pair->peer, input);
    deliver(pair, choices, all, &sent);
  }
}

static void play(struct tls_pair *pair, const struct story_bytes *all,
                 uint64_t seed) {
  size_t len, at = 0;
  size_t *cuts = fuzz_cuts(seed, all->len, &len);
  pair->deaf = 1;
  tls_pair_hello(pair);
  for (size_t i = 0; i <= len; i++) {
    size_t end = i < len ? cuts[i] : all->len;
    tls_pair_feed(pair, all->at + at, end - at);
    at = end;
  }
  free(cuts);
}

/* Comparing -----------------------------------------------------------------
 */

static void compare(struct tls_pair *one, struct tls_pair *other) {
  FUZZ_CHECK(
      other->plain.len <= one->plain.len &&
          (other->plain.len == 0 ||
           memcmp(other->plain.at, one->plain.at, other->plain.len) == 0),
      "the plain bytes depend on cuts");
  if (other->end == RUNNEL_ENOMEM && other->memory.failed > 0)
    return;
  FUZZ_CHECK(one->end == other->end, "%d depends on cuts: %d", one->end,
             other->end);
  FUZZ_CHECK(one->ups == other->ups, "up or not depends on cuts");
  FUZZ_CHECK(one->plain.len == other->plain.len, "cuts lose bytes");
  FUZZ_CHECK(one->secured.resumed == other->secured.resumed,
             "resumption depends on cuts");
  FUZZ_CHECK(strcmp(runnel__tls_why(one->tls, NULL),
                    runnel__tls_why(other->tls, NULL)) == 0,
             "\"%s\" depends on cuts: \"%s\"", runnel__tls_why(one->tls, NULL),
             runnel__tls_why(other->tls, NULL));
}

static void play_again(struct tls_pair *whole, const struct choices *choices,
                       const struct story_bytes *all, size_t fail_at) {
  struct tls_pair pair;
  if (begin(&pair, choices, fail_at)) {
    pair.keeps = (choices->flags & KEEP) != 0;
    play(&pair, all, choices->seed);
    (void)outcome(&pair);
    compare(whole, &pair);
  }
  tls_pair_deinit(&pair);
}

static void check(const struct choices *choices, struct fuzz_input *input) {
  struct tls_pair pair;
  struct story_bytes all = {0};
  story_bytes_text(&all, "");
  FUZZ_CHECK(begin(&pair, choices, 0), "no client");
  if (choices->flags & RAW) {
    pair.deaf = 1;
    story_bytes_add(&all, (const char *)input->at, input->len);
    tls_pair_hello(&pair);
    tls_pair_feed(&pair, all.at, all.len);
  } else {
    converse(&pair, choices, input, &all);
  }
  (void)outcome(&pair);
  play_again(&pair, choices, &all, 0);
  if (choices->fail_at > 0)
    play_again(&pair, choices, &all, choices->fail_at);
  tls_pair_deinit(&pair);
  story_bytes_free(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  struct fuzz_input input = {bytes, len};
  struct choices choices = {.flags = fuzz_byte(&input)};
  set_up();
  choices.fail_at = fuzz_byte(&input) % 24;
  choices.seed = fuzz_number(&input, 4);
  if (!(choices.flags & RAW)) {
    choices.changes_len = fuzz_byte(&input) % (CHANGES_MAX + 1);
    for (size_t i = 0; i < choices.changes_len; i++) {
      choices.changes[i].at = (size_t)fuzz_number(&input, 2);
      choices.changes[i].kind = fuzz_byte(&input);
      choices.changes[i].byte = fuzz_byte(&input);
    }
  }
  check(&choices, &input);
  return 0;
}
