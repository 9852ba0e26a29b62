/* The library and the process around it: signals, fork, descriptors that run
 * out, the socket options that the system shows. Ends the table of
 * promise_test.c with promise 10. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

/* SIGPIPE ------------------------------------------------------------------ */

#define PIPE_ENDS 20

static const struct peer_step reset_at_once[] = {PEER_RESET()};
static const struct peer_step reset_after_head[] = {PEER_SEND("x"),
                                                    PEER_RESET()};

/* A long body is still being sent when the reset comes. Were the signal ever
 * raised, it would end this process. */
static void sigpipe_never_reaches_the_host(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {reset_at_once,
                                                    reset_after_head};
  enum { BODY_BYTES = 8 * 1024 * 1024 };
  struct sigaction plain = {.sa_handler = SIG_DFL}, before;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct scene scene;
  struct feed feed = {.delay_ms = 1};
  char *body = calloc(1, BODY_BYTES);
  assert_non_null(body);
  sigaction(SIGPIPE, &plain, &before);
  options.method = "POST";
  options.body = body;
  options.body_len = BODY_BYTES;
  options.end = RUNNEL_END_RESUME;
  options.replay_unanswered = 1;
  scene_open(&scene, scripts, LEN(scripts));
  feed_open(&feed, &scene.host, scene.url, &options);
  free(body);
  HOST_UNTIL(&scene.host, feed.ends == PIPE_ENDS);
  assert_int_equal(feed.failures, PIPE_ENDS);
  scene_close(&scene);
  assert_int_equal(feed.closed, 1);
  feed_deinit(&feed);
  sigaction(SIGPIPE, &before, NULL);
}

/* Fork --------------------------------------------------------------------- */

static const struct peer_step before_and_after[] = {
    PEER_READ(),  PEER_STREAM_CHUNKED(),         PEER_CHUNK("data: before\n\n"),
    PEER_WAIT(1), PEER_CHUNK("data: after\n\n"), PEER_STALL(),
    PEER_END()};

static int visit_none(runnel_stream *stream, void *user) {
  (void)stream;
  (void)user;
  return 0;
}

static void run_none(runnel_client *client, void *user) {
  (void)client;
  (void)user;
}

/* Descriptors of this process that are connected to the peer. */
static int count_connected(int port) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++) {
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;
    if (getpeername(fd, (struct sockaddr *)&addr, &len) == 0 &&
        addr.sin_family == AF_INET && ntohs(addr.sin_port) == port)
      count++;
  }
  return count;
}

/* Each call as the child sees it; the number of the first that is wrong. */
static int call_all_forked(struct scene *scene, struct feed *feed) {
  runnel_client *client = scene->host.client;
  runnel_stream *stream = feed->stream, *opened = NULL;
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  options.url = scene->url;
  const int codes[] = {
      runnel_stream_open(&opened, client, &options),
      runnel_stream_close(stream),
      runnel_stream_pause(stream),
      runnel_stream_resume(stream),
      runnel_stream_reconnect(stream),
      runnel_stream_set_last_event_id(stream, "1", 1),
      runnel_client_run(client),
      runnel_client_close(client, NULL, NULL),
      runnel_client_pause(client),
      runnel_client_resume(client),
      runnel_client_reconnect(client, 0),
      runnel_client_post(client, run_none, NULL),
      runnel_client_each(client, visit_none, NULL),
  };
  for (size_t i = 0; i < LEN(codes); i++)
    if (codes[i] != RUNNEL_EFORKED)
      return (int)i + 1;
  if (opened != NULL || runnel_client_stats(client)->streams != 0 ||
      runnel_stream_stats(stream)->events != 0)
    return 50;
  return 0;
}

/* In the child: 0, or what was wrong. */
static int be_the_child(struct scene *scene, struct feed *feed) {
  int port = peer_port(scene->peer);
  int wrong = call_all_forked(scene, feed);
  if (wrong != 0)
    return wrong;
  /* The peer's ends are this process's too: they count for nothing here. */
  if (count_connected(port) < 1)
    return 60;
  if (runnel_client_abandon(scene->host.client) != RUNNEL_OK)
    return 61;
  if (count_connected(port) != 0)
    return 62;
  if (strcmp(feed->heard, "roe") != 0)
    return 63;
  return atomic_load(&scene->host.blocks) == 0 ? 0 : 64;
}

static void promise_10_after_fork(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {before_and_after};
  struct scene scene;
  struct feed feed = {.close_after = 2}, waiting = {.delay_ms = 60000};
  int status = 0;
  scene_open(&scene, scripts, 1);
  feed_open(&feed, &scene.host, scene.url, NULL);
  feed_open(&waiting, &scene.host, "http://127.0.0.1:1/", NULL);
  HOST_UNTIL(&scene.host, feed.events_len == 1 && waiting.ends == 1);
  assert_int_equal(runnel_client_abandon(scene.host.client), RUNNEL_ESTATE);
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0)
    exit(be_the_child(&scene, &feed)); /* with its leak check */
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_int_equal(peer_count(scene.peer, PEER_ENDED), 0);
  peer_raise(scene.peer, 1);
  HOST_UNTIL(&scene.host, feed.closed);
  assert_string_equal(feed.events[1].data, "after");
  assert_string_equal(feed.heard, "roeeC");
  scene_close(&scene);
  feed_deinit(&feed);
  feed_deinit(&waiting);
}

/* Descriptors -------------------------------------------------------------- */

/* No descriptor can be had any more; returns the limit as it was. */
static struct rlimit take_descriptors(void) {
  struct rlimit before, now;
  int lowest_free = dup(0);
  assert_true(lowest_free >= 0);
  close(lowest_free);
  getrlimit(RLIMIT_NOFILE, &before);
  now = before;
  now.rlim_cur = (rlim_t)lowest_free;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
  return before;
}

static void descriptors_that_run_out(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {before_and_after};
  struct scene scene;
  struct feed old[4], new[3];
  scene_open(&scene, scripts, 1);
  for (size_t i = 0; i < LEN(old); i++) {
    old[i] = (struct feed){.close_after = 2};
    feed_open(&old[i], &scene.host, scene.url, NULL);
    HOST_UNTIL(&scene.host, old[i].events_len == 1);
  }
  struct rlimit before = take_descriptors();
  for (size_t i = 0; i < LEN(new); i++) {
    new[i] = (struct feed){.close_after = 2, .delay_ms = 1};
    feed_open(&new[i], &scene.host, scene.url, NULL);
  }
  HOST_UNTIL(&scene.host, new[0].ends > 0);
  int code = new[0].code, phase = new[0].phase;
  peer_raise(scene.peer, 1);
  for (size_t i = 0; i < LEN(old); i++)
    HOST_UNTIL(&scene.host, old[i].closed);
  setrlimit(RLIMIT_NOFILE, &before);
  assert_int_equal(code, RUNNEL_ERESOURCE);
  assert_int_equal(phase, RUNNEL_PHASE_CONNECT);
  host_drain(&scene.host);
  for (size_t i = 0; i < LEN(old); i++) {
    assert_string_equal(old[i].heard, "roeeC");
    feed_deinit(&old[i]);
  }
  for (size_t i = 0; i < LEN(new); i++) {
    assert_int_equal(new[i].events_len, 2);
    assert_int_equal(new[i].opens, 1);
    feed_deinit(&new[i]);
  }
  scene_close(&scene);
}

/* Keepalive ---------------------------------------------------------------- */

/* The timer that Linux shows for our end of a connection to that port: 2 is
 * keepalive, 0 none; -1: there is no such line. */
static int timer_of(int port) {
  FILE *file = fopen("/proc/net/tcp", "r");
  char line[512];
  int timer = -1;
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    unsigned remote_port, state, active;
    if (sscanf(line, " %*d: %*x:%*x %*x:%x %x %*x:%*x %x:", &remote_port,
               &state, &active) == 3 &&
        remote_port == (unsigned)port && state == 1)
      timer = (int)active;
  }
  if (file != NULL)
    fclose(file);
  return timer;
}

static void keepalive_is_set(void **state) {
  (void)state;
  static const struct peer_step *const scripts[] = {before_and_after};
  if (access("/proc/net/tcp", R_OK) != 0)
    skip();
  for (int on = 0; on <= 1; on++) {
    struct scene scene;
    struct feed feed = {0};
    struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
    options.keepalive_s = on ? 0 : RUNNEL_NONE;
    scene_open(&scene, scripts, 1);
    feed_open(&feed, &scene.host, scene.url, &options);
    HOST_UNTIL(&scene.host, feed.events_len == 1);
    assert_int_equal(timer_of(peer_port(scene.peer)), on ? 2 : 0);
    scene_close(&scene);
    feed_deinit(&feed);
  }
}

int runnel__test_process(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sigpipe_never_reaches_the_host),
      cmocka_unit_test(promise_10_after_fork),
      cmocka_unit_test(descriptors_that_run_out),
      cmocka_unit_test(keepalive_is_set),
  };
  return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
