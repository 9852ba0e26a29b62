/* The contract service as a process, and the harness's side of it. */
#include "contract_rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "spawn.h"

#ifndef RUNNEL_CONTRACT_SERVICE
#error "RUNNEL_CONTRACT_SERVICE: the program under test"
#endif

#define ANSWER_BYTES_MAX 4096

struct contract_rig {
  struct spawn *service;
  int port;
  struct peer *receiver;
  CURL *easy;
  char text[ANSWER_BYTES_MAX];
  size_t text_len;
  char location[64];
  unsigned sessions; /* opened so far */
};

/* The REST side ------------------------------------------------------------ */

static size_t take_text(char *bytes, size_t size, size_t len, void *user) {
  struct contract_rig *rig = user;
  if (size * len >= sizeof rig->text - rig->text_len)
    return 0;
  memcpy(rig->text + rig->text_len, bytes, size * len);
  rig->text_len += size * len;
  rig->text[rig->text_len] = '\0';
  return size * len;
}

static size_t take_field(char *bytes, size_t size, size_t len, void *user) {
  static const char name[] = "Location: ";
  struct contract_rig *rig = user;
  size_t total = size * len;
  if (total > sizeof name && strncmp(bytes, name, sizeof name - 1) == 0)
    snprintf(rig->location, sizeof rig->location, "%.*s",
             (int)(total - (sizeof name - 1) - 2), bytes + sizeof name - 1);
  return total;
}

int contract_ask(struct contract_rig *rig, const char *method, const char *path,
                 const char *body) {
  char url[256];
  long status = 0;
  CURL *easy = rig->easy;
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", rig->port, path);
  rig->text_len = 0;
  rig->text[0] = rig->location[0] = '\0';
  curl_easy_reset(easy); /* keeps the connection */
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  if (body != NULL)
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_text);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, rig);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_field);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, rig);
  assert_int_equal(curl_easy_perform(easy), CURLE_OK);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return (int)status;
}

const char *contract_text(const struct contract_rig *rig) { return rig->text; }

const char *contract_location(const struct contract_rig *rig) {
  return rig->location;
}

int contract_post_take(struct contract_rig *rig, json_t *json) {
  char *body = json_dumps(json, 0);
  assert_non_null(body);
  json_decref(json);
  int status = contract_ask(rig, "POST", "/", body);
  free(body);
  return status;
}

/* Life --------------------------------------------------------------------- */

int contract_rig_setup(void **state) {
  static const struct peer_step answer[] = {
      PEER_READ(), PEER_EMPTY("202 Accepted", ""), PEER_AGAIN()};
  static const struct peer_step *const scripts[] = {answer};
  static const char *const argv[] = {RUNNEL_CONTRACT_SERVICE, "0", NULL};
  static const char listening[] = "listening on 127.0.0.1:";
  struct spawn_options spawn_options = {.argv = argv};
  struct peer_options peer_options = {.scripts = scripts, .scripts_len = 1};
  struct contract_rig *rig = calloc(1, sizeof *rig);
  assert_non_null(rig);
  rig->easy = curl_easy_init();
  rig->receiver = peer_new(&peer_options);
  rig->service = spawn_start(&spawn_options);
  assert_non_null(rig->easy);
  assert_non_null(rig->receiver);
  assert_non_null(rig->service);
  assert_int_equal(spawn_wait_lines(rig->service, 1), 0);
  const char *line = strstr(spawn_out(rig->service), listening);
  assert_non_null(line);
  rig->port = atoi(line + sizeof listening - 1);
  assert_true(rig->port > 0);
  *state = rig;
  return 0;
}

int contract_rig_teardown(void **state) {
  struct contract_rig *rig = *state;
  struct spawn_result result;
  assert_int_equal(contract_ask(rig, "DELETE", "/", NULL), 204);
  spawn_finish(rig->service, &result);
  assert_string_equal(result.err, "");
  assert_int_equal(result.status, 0);
  spawn_result_deinit(&result);
  peer_free(rig->receiver);
  curl_easy_cleanup(rig->easy);
  free(rig);
  return 0;
}

/* Sessions ----------------------------------------------------------------- */

static void ask_for_take(struct contract_session *session, json_t *more) {
  struct contract_rig *rig = session->rig;
  char url[64], callback[64], tail[16];
  snprintf(tail, sizeof tail, "/%u", session->number);
  json_t *json = json_pack(
      "{s:s,s:s,s:s,s:n,s:n}", "streamUrl",
      peer_url(session->peer, "/feed", url, sizeof url), "callbackUrl",
      peer_url(session->receiver, tail, callback, sizeof callback), "tag",
      "a test", "initialDelayMs", "readTimeoutMs");
  if (more != NULL)
    json_object_update(json, more);
  json_decref(more);
  assert_int_equal(contract_post_take(rig, json), 201);
  snprintf(session->path, sizeof session->path, "%s", rig->location);
  assert_string_not_equal(session->path, "");
}

void contract_open_to_take(struct peer *receiver, struct contract_rig *rig,
                           struct contract_session *session,
                           const struct peer_step *const *scripts, size_t len,
                           json_t *more) {
  assert_true(len <= CONTRACT_SCRIPTS_MAX);
  *session = (struct contract_session){
      .rig = rig, .receiver = receiver, .number = ++rig->sessions};
  memcpy(session->scripts, scripts, len * sizeof *scripts);
  struct peer_options options = {.scripts = session->scripts,
                                 .scripts_len = len};
  session->peer = peer_new(&options);
  assert_non_null(session->peer);
  ask_for_take(session, more);
}

void contract_open_take(struct contract_rig *rig,
                        struct contract_session *session,
                        const struct peer_step *const *scripts, size_t len,
                        json_t *more) {
  contract_open_to_take(rig->receiver, rig, session, scripts, len, more);
}

void contract_close(struct contract_session *session) {
  assert_int_equal(contract_ask(session->rig, "DELETE", session->path, NULL),
                   204);
  peer_free(session->peer);
}

/* The receiver's next request for this session. */
static const struct peer_request *await(struct contract_session *session) {
  char prefix[32];
  int len = snprintf(prefix, sizeof prefix, "/%u/", session->number);
  for (;;) {
    size_t index = session->requests_read++;
    if (peer_wait_count(session->receiver, PEER_REQUESTS, index + 1) != 0)
      return NULL;
    const struct peer_request *request = peer_request(session->receiver, index);
    if (strncmp(request->target, prefix, (size_t)len) == 0)
      return request;
  }
}

json_t *contract_next(struct contract_session *session) {
  char target[64], type[64];
  const struct peer_request *request = await(session);
  assert_non_null(request);
  snprintf(target, sizeof target, "/%u/%" PRIu64, session->number,
           ++session->callbacks);
  assert_string_equal(request->target, target);
  assert_string_equal(request->method, "POST");
  assert_non_null(peer_header(request, "Content-Type", type, sizeof type));
  assert_string_equal(type, "application/json");
  json_t *json =
      json_loadb(request->body, request->body_len, JSON_ALLOW_NUL, NULL);
  assert_non_null(json);
  return json;
}

static const char *string_of(const json_t *json, const char *name) {
  const char *text = json_string_value(json_object_get(json, name));
  assert_non_null(text);
  return text;
}

void contract_expect(struct contract_session *session, const char *text) {
  char got[1024];
  json_t *json = contract_next(session);
  const char *kind = string_of(json, "kind");
  if (strcmp(kind, "comment") == 0) {
    snprintf(got, sizeof got, ":%s", string_of(json, "comment"));
  } else if (strcmp(kind, "error") == 0) {
    assert_string_not_equal(string_of(json, "error"), "");
    snprintf(got, sizeof got, "error");
  } else {
    assert_string_equal(kind, "event");
    json_t *event = json_object_get(json, "event");
    snprintf(got, sizeof got, "%s|%s|%s", string_of(event, "type"),
             string_of(event, "data"), string_of(event, "id"));
  }
  json_decref(json);
  assert_string_equal(got, text);
}

const struct peer_request *contract_request(struct contract_session *session,
                                            size_t index) {
  assert_int_equal(peer_wait_count(session->peer, PEER_REQUESTS, index + 1), 0);
  return peer_request(session->peer, index);
}
