/* The contract service against its protocol: every status of its REST side,
 * every capability, and the cases of the public harness, with scripted servers
 * in the place of the harness's. Each test has a process of its own, whose end
 * by DELETE / is part of the test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract_content.h"
#include "contract_rig.h"

#define JSON_BODY "{\"hello\": \"world\"}"

/* A clean last chunk, the connection stays open. */
#define BREAK() PEER_LAST_CHUNK(), PEER_STALL(), PEER_END()

static const struct peer_step silent[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                          PEER_STALL(), PEER_END()};
static const struct peer_step thanks[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                          PEER_CHUNK("data: Thanks\n\n"),
                                          PEER_STALL(), PEER_END()};

static json_t *at_once(void) { return json_pack("{s:i}", "initialDelayMs", 0); }

/* The REST side ------------------------------------------------------------ */

static void test_status(void **state) {
  static const char *const wanted[] = {
      "bom",           "comments", "headers",
      "last-event-id", "post",     "read-timeout",
      "report",        "restart",  "server-directed-shutdown-request"};
  assert_int_equal(contract_ask(*state, "GET", "/", NULL), 200);
  json_t *json = json_loads(contract_text(*state), 0, NULL);
  const json_t *list = json_object_get(json, "capabilities");
  assert_true(json_is_string(json_object_get(json, "name")));
  assert_int_equal(json_array_size(list), sizeof wanted / sizeof wanted[0]);
  for (size_t i = 0; i < json_array_size(list); i++)
    assert_string_equal(json_string_value(json_array_get(list, i)), wanted[i]);
  json_decref(json);
}

static void test_bad_parameters(void **state) {
#define URLS                                                                   \
  "\"streamUrl\":\"http://127.0.0.1:1/\",\"callbackUrl\":"                     \
  "\"http://127.0.0.1:1/\""
  static const char *const bodies[] = {
      "",
      "{",
      "null",
      "[]",
      "\"text\"",
      "{}",
      "{\"streamUrl\":\"http://127.0.0.1:1/\"}",
      "{\"callbackUrl\":\"http://127.0.0.1:1/\"}",
      "{\"streamUrl\":1,\"callbackUrl\":\"http://127.0.0.1:1/\"}",
      "{\"streamUrl\":\"http://127.0.0.1:1/\",\"callbackUrl\":null}",
      "{\"streamUrl\":\"ftp://h/\",\"callbackUrl\":\"http://127.0.0.1:1/\"}",
      "{\"streamUrl\":\"nonsense\",\"callbackUrl\":\"http://127.0.0.1:1/\"}",
      "{\"streamUrl\":\"http://127.0.0.1:1/\",\"callbackUrl\":\"nonsense\"}",
      "{\"streamUrl\":\"http://127.0.0.1:1/\",\"callbackUrl\":\"ftp://h/\"}",
      "{" URLS ",\"tag\":1}",
      "{" URLS ",\"initialDelayMs\":\"x\"}",
      "{" URLS ",\"initialDelayMs\":-1}",
      "{" URLS ",\"initialDelayMs\":1e300}",
      "{" URLS ",\"readTimeoutMs\":true}",
      "{" URLS ",\"readTimeoutMs\":-0.5}",
      "{" URLS ",\"lastEventId\":5}",
      "{" URLS ",\"lastEventId\":\"a\\nb\"}",
      "{" URLS ",\"method\":[]}",
      "{" URLS ",\"method\":\"G T\"}",
      "{" URLS ",\"body\":{}}",
      "{" URLS ",\"headers\":[]}",
      "{" URLS ",\"headers\":{\"a\":1}}",
      "{" URLS ",\"headers\":{\"a b\":\"c\"}}",
      "{" URLS ",\"headers\":{\"a\":\"b\\r\\nc\"}}",
      "{" URLS ",\"headers\":{\"host\":\"h\"}}",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    int status = contract_ask(*state, "POST", "/", bodies[i]);
    if (status != 400)
      print_error("%s: %d\n", bodies[i], status);
    assert_int_equal(status, 400);
    assert_string_not_equal(contract_text(*state), "");
    assert_string_equal(contract_location(*state), "");
  }
#undef URLS
}

static void test_paths(void **state) {
  static const char *const unknown[] = {
      "/streams/1", "/streams/0", "/streams/01",         "/streams/1/",
      "/streams/",  "/streams",   "/streams/9999999999", "/streams/x",
      "/nowhere",   "//",         "/streams/-1",         "/streams/1x"};
  static const char *const methods[] = {"GET", "POST", "DELETE"};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
    for (size_t k = 0; k < sizeof methods / sizeof methods[0]; k++)
      assert_int_equal(
          contract_ask(*state, methods[k], unknown[i],
                       k == 1 ? "{\"command\":\"restart\"}" : NULL),
          404);
  assert_int_equal(contract_ask(*state, "PUT", "/", "{}"), 405);
}

static void test_large_request(void **state) {
  size_t len = 2 * 1024 * 1024;
  char *body = malloc(len + 1);
  assert_non_null(body);
  memset(body, ' ', len);
  body[len] = '\0';
  assert_int_equal(contract_ask(*state, "POST", "/", body), 413);
  free(body);
}

static void test_commands(void **state) {
  static const char *const bad[] = {
      "",
      "{",
      "{}",
      "[]",
      "{\"command\":\"dance\"}",
      "{\"command\":7}",
      "{\"command\":\"listen\",\"listen\":{\"type\":\"a\"}}"};
  struct contract_session session;
  contract_open_take(*state, &session, SCRIPTS_OF(thanks), NULL);
  assert_string_equal(session.path, "/streams/1");
  contract_expect(&session, "message|Thanks|");
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal(contract_ask(*state, "POST", session.path, bad[i]), 400);
  assert_int_equal(contract_ask(*state, "PUT", session.path, "{}"), 405);
  contract_close(&session);
  assert_int_equal(contract_ask(*state, "DELETE", session.path, NULL), 404);
  assert_int_equal(
      contract_ask(*state, "POST", session.path, "{\"command\":\"restart\"}"),
      404);
}

/* Requests ----------------------------------------------------------------- */

static void expect_field(const struct peer_request *request, const char *name,
                         const char *wanted) {
  char value[128];
  assert_int_equal(peer_header_count(request, name), 1);
  assert_non_null(peer_header(request, name, value, sizeof value));
  assert_string_equal(value, wanted);
}

static void test_request(void **state) {
  struct contract_session session;
  contract_open_take(*state, &session, SCRIPTS_OF(silent), NULL);
  const struct peer_request *request = contract_request(&session, 0);
  assert_string_equal(request->method, "GET");
  assert_string_equal(request->target, "/feed");
  assert_int_equal(request->body_len, 0);
  expect_field(request, "Accept", "text/event-stream");
  expect_field(request, "Cache-Control", "no-cache");
  assert_int_equal(peer_header_count(request, "Last-Event-ID"), 0);
  contract_close(&session);
}

static void test_headers_and_id(void **state) {
  struct contract_session session;
  contract_open_take(*state, &session, SCRIPTS_OF(silent),
                     json_pack("{s:{s:s,s:s},s:s}", "headers", "header-name-1",
                               "value-1", "header-name-2", "value-2",
                               "lastEventId", "abc"));
  const struct peer_request *request = contract_request(&session, 0);
  expect_field(request, "header-name-1", "value-1");
  expect_field(request, "header-name-2", "value-2");
  expect_field(request, "Last-Event-ID", "abc");
  expect_field(request, "Accept", "text/event-stream");
  contract_close(&session);
}

static void check_body(struct contract_rig *rig, const char *method) {
  static const struct peer_step first[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                           PEER_CHUNK("id: 7\ndata: Hello\n\n"),
                                           BREAK()};
  struct contract_session session;
  contract_open_take(rig, &session, SCRIPTS_OF(first, thanks),
                     json_pack("{s:i,s:s,s:s,s:{s:s}}", "initialDelayMs", 0,
                               "method", method, "body", JSON_BODY, "headers",
                               "content-type",
                               "application/json; charset=utf-8"));
  contract_expect(&session, "message|Hello|7");
  contract_expect(&session, "message|Thanks|7");
  for (size_t i = 0; i < 2; i++) {
    const struct peer_request *request = contract_request(&session, i);
    assert_string_equal(request->method, method);
    assert_string_equal(request->body, JSON_BODY);
    expect_field(request, "Content-Type", "application/json; charset=utf-8");
    assert_int_equal(peer_header_count(request, "Last-Event-ID"), i);
  }
  contract_close(&session);
}

static void test_post(void **state) { check_body(*state, "POST"); }
static void test_report(void **state) { check_body(*state, "REPORT"); }

/* Connections that end ----------------------------------------------------- */

static void restart(struct contract_session *session) {
  assert_int_equal(contract_ask(session->rig, "POST", session->path,
                                "{\"command\":\"restart\"}"),
                   204);
}

/* At once, whatever the delay is; no error; what was cut is gone. */
static void test_restart(void **state) {
  static const struct peer_step first[] = {
      PEER_READ(), PEER_STREAM_CHUNKED(),
      PEER_CHUNK("id: 1\ndata: Hello\n\n:\nid: 2\ndata: Good"), PEER_STALL(),
      PEER_END()};
  struct contract_session session;
  contract_open_take(*state, &session, SCRIPTS_OF(first, thanks),
                     json_pack("{s:i}", "initialDelayMs", 3600000));
  contract_expect(&session, "message|Hello|1");
  contract_expect(&session, ":");
  restart(&session);
  contract_expect(&session, "message|Thanks|1");
  expect_field(contract_request(&session, 1), "Last-Event-ID", "1");
  assert_int_equal(peer_wait_count(session.peer, PEER_ENDED, 1), 0);
  contract_close(&session);
}

/* A second connection is there to be seen; no error for a clean end. */
static void test_break(void **state) {
  static const struct peer_step first[] = {
      PEER_READ(), PEER_STREAM_CHUNKED(),
      PEER_CHUNK("id: abc\ndata: Hello\n\nid: def\ndata: Goodbye"), BREAK()};
  static const struct peer_step second[] = {
      PEER_READ(), PEER_STREAM_CHUNKED(),
      PEER_CHUNK("data: Again\n\nid: \ndata: World\n\n"), BREAK()};
  struct contract_session session;
  contract_open_take(*state, &session, SCRIPTS_OF(first, second, thanks), NULL);
  contract_expect(&session, "message|Hello|abc");
  contract_expect(&session, "message|Again|abc");
  contract_expect(&session, "message|World|");
  contract_expect(&session, "message|Thanks|");
  expect_field(contract_request(&session, 1), "Last-Event-ID", "abc");
  assert_int_equal(
      peer_header_count(contract_request(&session, 2), "Last-Event-ID"), 0);
  contract_close(&session);
}

static void test_lost_connection(void **state) {
  static const struct peer_step first[] = {
      PEER_READ(),  PEER_STREAM_CHUNKED(), PEER_CHUNK("data: Hello\n\n"),
      PEER_WAIT(1), PEER_RESET(),          PEER_END()};
  struct contract_session session;
  contract_open_take(*state, &session, SCRIPTS_OF(first, thanks), at_once());
  contract_expect(&session, "message|Hello|");
  peer_raise(session.peer, 1);
  contract_expect(&session, "error");
  contract_expect(&session, "message|Thanks|");
  contract_close(&session);
}

static void test_read_timeout(void **state) {
  static const struct peer_step first[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                           PEER_CHUNK("data: Hello\n\n"),
                                           PEER_STALL(), PEER_END()};
  struct contract_session session;
  contract_open_take(
      *state, &session, SCRIPTS_OF(first, thanks),
      json_pack("{s:i,s:i}", "initialDelayMs", 0, "readTimeoutMs", 500));
  contract_expect(&session, "message|Hello|");
  contract_expect(&session, "error");
  contract_expect(&session, "message|Thanks|");
  contract_close(&session);
}

/* The delay of an hour would outlast the watchdog. */
static void test_retry_of_the_server(void **state) {
  static const struct peer_step first[] = {
      PEER_READ(), PEER_STREAM_CHUNKED(),
      PEER_CHUNK("retry: 10\n\ndata: Hello\n\n"), BREAK()};
  struct contract_session session;
  contract_open_take(*state, &session, SCRIPTS_OF(first, thanks),
                     json_pack("{s:i}", "initialDelayMs", 3600000));
  contract_expect(&session, "message|Hello|");
  contract_expect(&session, "message|Thanks|");
  contract_close(&session);
}

/* Something else that takes a connection, an event and a callback: what would
 * have come at once has come when it is over. */
static void play_another(struct contract_rig *rig) {
  struct contract_session session;
  for (int i = 0; i < 3; i++) {
    contract_open_take(rig, &session, SCRIPTS_OF(thanks), NULL);
    contract_expect(&session, "message|Thanks|");
    contract_close(&session);
  }
}

/* 204: no attempt follows, and no callback; a restart is another beginning. */
static void test_204(void **state) {
  static const struct peer_step first[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                           PEER_CHUNK("id: 5\ndata: a\n\n"),
                                           BREAK()};
  static const struct peer_step second[] = {
      PEER_READ(), PEER_EMPTY("204 No Content", ""), PEER_STALL(), PEER_END()};
  struct contract_session session;
  contract_open_take(*state, &session, SCRIPTS_OF(first, second, thanks),
                     at_once());
  contract_expect(&session, "message|a|5");
  expect_field(contract_request(&session, 1), "Last-Event-ID", "5");
  assert_int_equal(peer_wait_count(session.peer, PEER_ENDED, 2), 0);
  play_another(*state);
  assert_int_equal(peer_count(session.peer, PEER_ACCEPTED), 2);
  restart(&session);
  contract_expect(&session, "message|Thanks|5");
  expect_field(contract_request(&session, 2), "Last-Event-ID", "5");
  contract_close(&session);
}

static void check_redirect(struct contract_rig *rig, int status) {
  char url[64], head[256];
  static const struct peer_step *const scripts[] = {thanks};
  struct peer_options options = {.scripts = scripts, .scripts_len = 1};
  struct peer *there = peer_new(&options);
  assert_non_null(there);
  snprintf(head, sizeof head,
           "HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
           status, peer_url(there, "/there", url, sizeof url));
  const struct peer_step away[] = {PEER_READ(), PEER_SEND(head), PEER_STALL(),
                                   PEER_END()};
  struct contract_session session;
  contract_open_take(rig, &session, SCRIPTS_OF(away), at_once());
  contract_expect(&session, "message|Thanks|");
  assert_string_equal(peer_request(there, 0)->target, "/there");
  contract_close(&session);
  peer_free(there);
}

static void test_redirects(void **state) {
  check_redirect(*state, 301);
  check_redirect(*state, 307);
}

/* One error, no second attempt. */
static void check_bad_redirect(struct contract_rig *rig,
                               const struct peer_step *script) {
  struct contract_session session;
  contract_open_take(rig, &session, SCRIPTS_OF(script), at_once());
  contract_expect(&session, "error");
  play_another(rig);
  assert_int_equal(peer_count(session.peer, PEER_ACCEPTED), 1);
  contract_close(&session);
}

static void test_bad_redirects(void **state) {
#define AWAY(status, fields)                                                   \
  { PEER_READ(), PEER_EMPTY(status, fields), PEER_STALL(), PEER_END() }
  static const struct peer_step scripts[][4] = {
      AWAY("301 Moved Permanently", ""),
      AWAY("301 Moved Permanently", "Location:\r\n"),
      AWAY("307 Temporary Redirect", ""),
      AWAY("307 Temporary Redirect", "Location: \r\n")};
#undef AWAY
  for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
    check_bad_redirect(*state, scripts[i]);
}

/* DELETE ------------------------------------------------------------------- */

/* Neither a callback nor an attempt follows, although both were due. */
static void test_delete(void **state) {
  static const struct peer_step stubborn[] = {PEER_READ(), PEER_STALL(),
                                              PEER_END()};
  static const struct peer_step *const receivers[] = {stubborn};
  static const struct peer_step flood[] = {
      PEER_READ(), PEER_STREAM_CHUNKED(), PEER_FLOOD("9\r\ndata: a\n\n\r\n", 0),
      PEER_END()};
  struct peer_options options = {.scripts = receivers, .scripts_len = 1};
  struct peer *receiver = peer_new(&options);
  assert_non_null(receiver);
  struct contract_session session;
  contract_open_to_take(receiver, *state, &session, SCRIPTS_OF(flood),
                        at_once());
  assert_int_equal(peer_wait_count(receiver, PEER_REQUESTS, 1), 0);
  assert_int_equal(contract_ask(*state, "DELETE", session.path, NULL), 204);
  assert_int_equal(peer_wait_count(session.peer, PEER_ENDED, 1), 0);
  assert_int_equal(peer_wait_count(receiver, PEER_ENDED, 1), 0);
  play_another(*state);
  assert_int_equal(peer_count(session.peer, PEER_ACCEPTED), 1);
  assert_int_equal(peer_count(receiver, PEER_ACCEPTED), 1);
  assert_int_equal(peer_count(receiver, PEER_REQUESTS), 1);
  peer_free(session.peer);
  peer_free(receiver);
}

/* Streams in every state, some callbacks under way: the teardown's DELETE /
 * ends them all. */
static void test_end_of_the_process(void **state) {
  static const struct peer_step flood[] = {
      PEER_READ(), PEER_STREAM_CHUNKED(), PEER_FLOOD("9\r\ndata: a\n\n\r\n", 0),
      PEER_END()};
  static const struct peer_step mute[] = {PEER_READ(), PEER_STALL(),
                                          PEER_END()};
  static const struct peer_step peace[] = {
      PEER_READ(), PEER_EMPTY("204 No Content", ""), PEER_END()};
  static struct contract_session sessions[4];
  contract_open_take(*state, &sessions[0], SCRIPTS_OF(flood), NULL);
  contract_open_take(*state, &sessions[1], SCRIPTS_OF(mute), NULL);
  contract_open_take(*state, &sessions[2], SCRIPTS_OF(peace), NULL);
  contract_open_take(*state, &sessions[3], SCRIPTS_OF(thanks), NULL);
  contract_expect(&sessions[0], "message|a|");
  contract_request(&sessions[1], 0);
  contract_request(&sessions[2], 0);
  contract_expect(&sessions[3], "message|Thanks|");
  for (size_t i = 2; i < 4; i++)
    peer_free(sessions[i].peer);
  assert_int_equal(contract_rig_teardown(state), 0);
  *state = NULL;
  for (size_t i = 0; i < 2; i++)
    peer_free(sessions[i].peer);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, contract_rig_setup, tear_down)

static int tear_down(void **state) {
  return *state == NULL ? 0 : contract_rig_teardown(state);
}

int runnel__test_contract(void);

int runnel__test_contract(void) {
  const struct CMUnitTest tests[] = {TEST(test_status),
                                     TEST(test_bad_parameters),
                                     TEST(test_paths),
                                     TEST(test_large_request),
                                     TEST(test_commands),
                                     TEST(contract_rows),
                                     TEST(contract_nothing_waits),
                                     TEST(contract_many_events_in_order),
                                     TEST(contract_large_events),
                                     TEST(contract_slow_receiver),
                                     TEST(test_request),
                                     TEST(test_headers_and_id),
                                     TEST(test_post),
                                     TEST(test_report),
                                     TEST(test_restart),
                                     TEST(test_break),
                                     TEST(test_lost_connection),
                                     TEST(test_read_timeout),
                                     TEST(test_retry_of_the_server),
                                     TEST(test_204),
                                     TEST(test_redirects),
                                     TEST(test_bad_redirects),
                                     TEST(test_delete),
                                     TEST(test_end_of_the_process)};
  return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
