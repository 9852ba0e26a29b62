/* A client per thread (X8, gate R17): each on a loop of its own, nothing
 * shared. Worth the most under a thread sanitizer. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "scene.h"

int runnel__test_threads(void);

#define THREADS 4
#define ATTEMPTS 25

static const struct peer_step two_events[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(),
    PEER_CHUNK("id: 1\ndata: a\n\ndata: b\n\n"), PEER_LAST_CHUNK(), PEER_END()};

/* What a thread heard; nobody else looks before it was joined. */
struct worker {
  pthread_t thread;
  const char *url;
  int code; /* of the first call that failed */
  size_t events;
  size_t ends;
  int closed;
};

static int count_event(runnel_stream *stream, const struct runnel_event *event,
                       void *user) {
  (void)stream;
  (void)event;
  ((struct worker *)user)->events++;
  return RUNNEL_OK;
}

static void count_end(runnel_stream *stream, const struct runnel_end *end,
                      struct runnel_verdict *verdict, void *user) {
  struct worker *worker = user;
  (void)stream;
  (void)end;
  verdict->retry = ++worker->ends < ATTEMPTS;
  verdict->delay_ms = 0;
}

static void count_close(runnel_stream *stream, int code, void *user) {
  (void)stream;
  (void)code;
  ((struct worker *)user)->closed++;
}

static int work_through(struct worker *worker, runnel_client *client) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  options.url = worker->url;
  options.user = worker;
  options.on_event = count_event;
  options.on_end = count_end;
  options.on_close = count_close;
  int code = runnel_stream_open(NULL, client, &options);
  if (code == RUNNEL_OK)
    code = runnel_client_run(client);
  return code;
}

static void *work(void *arg) {
  struct worker *worker = arg;
  runnel_client *client;
  worker->code = runnel_client_new(&client, NULL, NULL);
  if (worker->code != RUNNEL_OK)
    return NULL;
  worker->code = work_through(worker, client);
  int code = runnel_client_close(client, NULL, NULL);
  if (code == RUNNEL_OK)
    code = runnel_client_run(client);
  if (worker->code == RUNNEL_OK)
    worker->code = code;
  return NULL;
}

static void a_client_for_each_thread(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {two_events};
  const struct peer_options options = {.scripts = scripts, .scripts_len = 1};
  struct worker workers[THREADS];
  char url[256];
  struct peer *peer = peer_new(&options);
  assert_non_null(peer);
  peer_url(peer, "/feed", url, sizeof url);
  for (size_t i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){.url = url};
    assert_int_equal(
        pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (size_t i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    assert_int_equal(workers[i].code, RUNNEL_OK);
    assert_int_equal(workers[i].events, 2 * ATTEMPTS);
    assert_int_equal(workers[i].closed, 1);
  }
  peer_free(peer);
}

int runnel__test_threads(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_client_for_each_thread),
  };
  return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
