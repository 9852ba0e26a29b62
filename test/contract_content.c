/* What streams hold, through the contract service: the harness's rows in chunks
 * of every kind, large events, and more than a receiver takes at once. */
#include "contract_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract_rig.h"

/* What streams hold -------------------------------------------------------- */

struct row {
  const char *name;
  const char *text;
  size_t len;
  const char *callbacks[3];
};

static const struct row rows[] = {
#define ROW(row_name, row_text, ...)                                           \
  {.name = (row_name),                                                         \
   .text = (row_text),                                                         \
   .len = sizeof(row_text) - 1,                                                \
   .callbacks = {__VA_ARGS__}},
#include "contract_rows.h"
};

#define STEPS_MAX 256

/* The row as chunks of `piece` bytes; 0: one. */
static void play_row(struct contract_rig *rig, const struct row *row,
                     size_t piece) {
  struct peer_step steps[STEPS_MAX] = {PEER_READ(), PEER_STREAM_CHUNKED()};
  size_t n = 2;
  if (piece == 0)
    piece = row->len;
  for (size_t at = 0; at < row->len; at += piece, n++) {
    size_t len = row->len - at < piece ? row->len - at : piece;
    assert_true(n < STEPS_MAX - 2);
    steps[n] = (struct peer_step){
        .act = PEER_ACT_CHUNK, .bytes = row->text + at, .len = len};
  }
  steps[n] = (struct peer_step)PEER_STALL();
  struct contract_session session;
  contract_open_take(rig, &session, SCRIPTS_OF(steps), NULL);
  for (size_t i = 0; i < 3 && row->callbacks[i] != NULL; i++)
    contract_expect(&session, row->callbacks[i]);
  contract_close(&session);
}

void contract_rows(void **state) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    for (size_t piece = 0; piece < 3; piece++)
      play_row(*state, &rows[i], piece);
}

/* An event that a lone CR ends comes without waiting for a possible LF, which
 * is swallowed when it comes. A comment comes with the end of its line. */
void contract_nothing_waits(void **state) {
  static const struct peer_step script[] = {PEER_READ(),
                                            PEER_STREAM_CHUNKED(),
                                            PEER_CHUNK("data: a\r\r"),
                                            PEER_WAIT(1),
                                            PEER_CHUNK("\ndata: b\r\r"),
                                            PEER_WAIT(2),
                                            PEER_CHUNK(":c\r"),
                                            PEER_WAIT(3),
                                            PEER_CHUNK("\ndata: d\n\n"),
                                            PEER_STALL(),
                                            PEER_END()};
  struct contract_session session;
  contract_open_take(*state, &session, SCRIPTS_OF(script), NULL);
  contract_expect(&session, "message|a|");
  peer_raise(session.peer, 1);
  contract_expect(&session, "message|b|");
  peer_raise(session.peer, 2);
  contract_expect(&session, ":c");
  peer_raise(session.peer, 3);
  contract_expect(&session, "message|d|");
  contract_close(&session);
}

#define MANY 300

static enum peer_then answer_many(struct peer_out *out,
                                  const struct peer_request *request,
                                  size_t connection, void *user) {
  (void)request;
  (void)connection;
  (void)user;
  for (int i = 0; i < MANY; i++)
    peer_printf(out, "%zx\r\ndata: %03d\n\n\r\n", (size_t)11, i);
  return PEER_THEN_STALL;
}

void contract_many_events_in_order(void **state) {
  static const struct peer_step script[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                            PEER_DO(answer_many), PEER_END()};
  struct contract_session sessions[2];
  for (size_t k = 0; k < 2; k++)
    contract_open_take(*state, &sessions[k], SCRIPTS_OF(script), NULL);
  for (size_t k = 0; k < 2; k++) {
    for (int i = 0; i < MANY; i++) {
      char text[32];
      snprintf(text, sizeof text, "message|%03d|", i);
      contract_expect(&sessions[k], text);
    }
    contract_close(&sessions[k]);
  }
}

/* Large events ------------------------------------------------------------- */

static char *make_data(size_t len) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                               "qrstuvwxyz0123456789+/";
  uint32_t seed = 1;
  char *data = malloc(len + 1);
  assert_non_null(data);
  for (size_t i = 0; i < len; i++) {
    seed = seed * 1664525U + 1013904223U;
    data[i] = digits[seed >> 26];
  }
  data[len] = '\0';
  return data;
}

/* One event of `len` bytes on one line, in two chunks. The harness grants 5 s;
 * here the rig's watchdog alone counts, for a loaded machine is no fault. */
static void check_large_event(struct contract_rig *rig, size_t len) {
  char *data = make_data(len);
  struct peer_step script[] = {
      PEER_READ(),
      PEER_STREAM_CHUNKED(),
      PEER_CHUNK("data: "),
      {.act = PEER_ACT_CHUNK, .bytes = data, .len = len / 3},
      {.act = PEER_ACT_CHUNK, .bytes = data + len / 3},
      PEER_CHUNK("\n\n"),
      PEER_STALL(),
      PEER_END()};
  struct contract_session session;
  contract_open_take(rig, &session, SCRIPTS_OF(script), NULL);
  json_t *json = contract_next(&session);
  const char *got = json_string_value(
      json_object_get(json_object_get(json, "event"), "data"));
  assert_non_null(got);
  assert_true(strcmp(got, data) == 0);
  json_decref(json);
  contract_close(&session);
  free(data);
}

void contract_large_events(void **state) {
  check_large_event(*state, 7000000);
  check_large_event(*state, 14000000);
}

#define FLOOD_EVENTS 48

static enum peer_then answer_megabytes(struct peer_out *out,
                                       const struct peer_request *request,
                                       size_t connection, void *user) {
  char *data = make_data(1000000);
  (void)request;
  (void)connection;
  (void)user;
  for (int i = 0; i < FLOOD_EVENTS; i++) {
    peer_printf(out, "%zx\r\ndata: ", (size_t)1000008);
    peer_write(out, data, 1000000);
    peer_write(out, "\n\n\r\n", 4);
  }
  free(data);
  return PEER_THEN_STALL;
}

/* A receiver that does not answer holds the stream back, and loses nothing:
 * the service takes what it may keep, not all, and goes on later. */
void contract_slow_receiver(void **state) {
  static const struct peer_step script[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                            PEER_DO(answer_megabytes),
                                            PEER_END()};
  static const struct peer_step slow[] = {
      PEER_READ(), PEER_WAIT(1), PEER_EMPTY("200 OK", ""), PEER_AGAIN()};
  static const struct peer_step *const receivers[] = {slow};
  struct peer_options options = {.scripts = receivers, .scripts_len = 1};
  struct peer *receiver = peer_new(&options);
  assert_non_null(receiver);
  struct contract_session session;
  contract_open_to_take(receiver, *state, &session, SCRIPTS_OF(script), NULL);
  assert_int_equal(peer_wait_count(session.peer, PEER_SENT, 32000000), 0);
  assert_int_equal(peer_wait_count(session.peer, PEER_BLOCKED, 1), 0);
  assert_int_equal(peer_count(receiver, PEER_REQUESTS), 1);
  peer_raise(receiver, 1);
  for (int i = 0; i < FLOOD_EVENTS; i++)
    json_decref(contract_next(&session));
  contract_close(&session);
  peer_free(receiver);
}
