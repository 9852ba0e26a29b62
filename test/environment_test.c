/* Gate R16: what a process may look like around the library. Standard
 * descriptors that were closed, a loop that is stopped and run again, and
 * signals without end. SIGPIPE, fork and descriptors that run out are in
 * process_test.c, a callback that blocks in flow_test.c, clocks in
 * faults/clocks_test.c. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

static const struct peer_step one_and_end[] = {
    PEER_READ(), PEER_STREAM_CHUNKED(), PEER_CHUNK("data: a\n\n"),
    PEER_LAST_CHUNK(), PEER_END()};
static const struct peer_step *const one_and_end_scripts[] = {one_and_end};

/* Standard descriptors ----------------------------------------------------- */

static int kept[3] = {-1, -1, -1};

/* From here on the next descriptor is 0. What fails meanwhile fails unseen, but
 * it fails. */
static int close_standard(void **state) {
  (void)state;
  fflush(NULL);
  for (int fd = 0; fd < 3; fd++) {
    kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    close(fd);
  }
  return 0;
}

static int restore_standard(void **state) {
  (void)state;
  for (int fd = 0; fd < 3; fd++) {
    if (kept[fd] < 0)
      continue;
    dup2(kept[fd], fd);
    close(kept[fd]);
    kept[fd] = -1;
  }
  return 0;
}

/* The caller's loop is made before: libuv would not close it (an assertion of
 * uv__close), and that is the caller's affair. */
/* The peer's ends are this process's, too: they must be gone before a number
 * can be judged, or taken over. */
static void wait_for_peer(struct scene *scene, const struct feed *feed) {
  assert_int_equal(peer_wait_count(scene->peer, PEER_ENDED, feed->events_len),
                   0);
}

static void see_whether_0_is_open(struct feed *feed, char what) {
  *(int *)feed->data += what == 'e' && fcntl(0, F_GETFD) >= 0;
}

static void sockets_below_three(void **state) {
  struct scene scene;
  int seen = 0;
  struct feed feed = {.close_after = 3,
                      .delay_ms = 1,
                      .on_any = see_whether_0_is_open,
                      .data = &seen};
  scene_open(&scene, one_and_end_scripts, 1);
  close_standard(state);
  feed_open(&feed, &scene.host, scene.url, NULL);
  HOST_UNTIL(&scene.host, feed.closed);
  wait_for_peer(&scene, &feed);
  restore_standard(state);
  scene_close(&scene);
  assert_int_equal(feed.events_len, 3);
  assert_true(seen > 0); /* the first time it was the stream's */
  feed_deinit(&feed);
}

static void a_loop_of_its_own_below_three(void **state) {
  struct scene scene;
  struct feed feed = {.close_after = 3, .delay_ms = 1};
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  scene_open(&scene, one_and_end_scripts, 1);
  host_close_client(&scene.host);
  host_drain(&scene.host);
  scene.host.client_closed = scene.host.client_closing = 0;
  options.alloc = scene.host.hooks;
  close_standard(state);
  assert_int_equal(runnel_client_new(&scene.host.client, NULL, &options), 0);
  runnel_client *client = scene.host.client;
  feed_open(&feed, &scene.host, scene.url, NULL);
  assert_int_equal(runnel_client_run(client), RUNNEL_OK);
  host_close_client(&scene.host);
  assert_int_equal(runnel_client_run(client), RUNNEL_OK);
  wait_for_peer(&scene, &feed);
  for (int fd = 0; fd < 3; fd++) /* all of it was given back */
    assert_true(fcntl(fd, F_GETFD) < 0);
  restore_standard(state);
  assert_int_equal(feed.events_len, 3);
  feed_deinit(&feed);
  scene_close(&scene);
}

/* A daemon: forks, closes its standard descriptors, and abandons what it
 * inherited. */
static void a_daemon_abandons_below_three(void **state) {
  struct host host;
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  int status = 0;
  host_open_bare(&host);
  options.alloc = host.hooks;
  assert_int_equal(runnel_client_new(&host.client, NULL, &options), 0);
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    close_standard(state);
    int code = runnel_client_abandon(host.client);
    restore_standard(state);
    exit(code == RUNNEL_OK && atomic_load(&host.blocks) == 0 ? 0 : 1);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  runnel_client *client = host.client;
  host_close_client(&host);
  assert_int_equal(runnel_client_run(client), RUNNEL_OK);
  host_close(&host);
}

/* uv_stop ------------------------------------------------------------------ */

static void stop_the_loop(struct feed *feed, char what) {
  (void)what;
  uv_stop(&feed->host->loop);
}

/* Stopped in every callback, run again each time; at last the client is closed
 * while the loop stands. */
static void a_loop_that_is_stopped_and_run_again(void **state) {
  (void)state;
  struct scene scene;
  struct feed feed = {.delay_ms = 1, .on_any = stop_the_loop};
  size_t runs = 0;
  scene_open(&scene, one_and_end_scripts, 1);
  feed_open(&feed, &scene.host, scene.url, NULL);
  for (; feed.events_len < 3; runs++)
    assert_int_not_equal(uv_run(&scene.host.loop, UV_RUN_DEFAULT), 0);
  assert_memory_equal(feed.heard, "roenroenroe", 11);
  assert_true(runs >= 3);
  feed.on_any = NULL;
  uv_stop(&scene.host.loop);
  host_close_client(&scene.host);
  assert_int_not_equal(uv_run(&scene.host.loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(feed.closed, 0);
  scene_close(&scene);
  assert_int_equal(feed.closed, 1);
  assert_int_equal(feed.close_code, RUNNEL_ECANCELED);
  feed_deinit(&feed);
}

/* Signals ------------------------------------------------------------------ */

#define STORM_EVENTS 100
#define STORM_US 50

static volatile sig_atomic_t signals;

static void count_signal(int number) {
  (void)number;
  signals++;
}

/* Without SA_RESTART, and for this thread alone. */
static void a_storm_of_signals(void **state) {
  (void)state;
  const struct itimerval often = {{0, STORM_US}, {0, STORM_US}}, never = {0};
  struct sigaction storm = {.sa_handler = count_signal}, before;
  struct scene scene;
  struct feed feed = {.close_after = STORM_EVENTS, .delay_ms = 1};
  sigset_t alarm_only;
  char url[64];
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
  scene_open(&scene, one_and_end_scripts, 1);
  pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
  sigaction(SIGALRM, &storm, &before);
  setitimer(ITIMER_REAL, &often, NULL);
  snprintf(url, sizeof url, "http://both.test:%d/", peer_port(scene.peer));
  feed_open(&feed, &scene.host, url, NULL);
  HOST_UNTIL(&scene.host, feed.closed);
  setitimer(ITIMER_REAL, &never, NULL);
  sigaction(SIGALRM, &before, NULL);
  assert_true(signals > 0);
  assert_int_equal(feed.events_len, STORM_EVENTS);
  assert_int_equal(feed.ends, STORM_EVENTS - 1);
  assert_int_equal(feed.code, RUNNEL_EEND);
  feed_deinit(&feed);
  scene_close(&scene);
}

int runnel__test_environment(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(sockets_below_three, restore_standard),
      cmocka_unit_test_teardown(a_loop_of_its_own_below_three,
                                restore_standard),
      cmocka_unit_test(a_daemon_abandons_below_three),
      cmocka_unit_test(a_loop_that_is_stopped_and_run_again),
      cmocka_unit_test(a_storm_of_signals),
  };
  return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}
