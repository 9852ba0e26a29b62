/* Gate R15: descriptors and ports run out under many streams. Nobody spins:
 * attempts and turns of the loop are counted, against the seconds that the gate
 * pauses. Streams that are open stay so and get their events; the others come
 * by themselves once there is room. Row M2 of the fault matrix. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cave.h"
#include "scene.h"

#define STREAMS_MAX 200
#define STARVE_MS 3000
#define RETRY_MS 50    /* far less than the gate's pause of 1 s */
#define RELIEF_MS 5000 /* until all are back; 2 s on an idle machine */
#define TURNS_A_SECOND 100

static const struct peer_step before_and_after[] = {
    PEER_READ(),  PEER_STREAM_CHUNKED(),         PEER_CHUNK("data: before\n\n"),
    PEER_WAIT(1), PEER_CHUNK("data: after\n\n"), PEER_STALL(),
    PEER_END()};
static const struct peer_step *const scripts[] = {before_and_after};

static struct {
  struct host host;
  struct feed feeds[STREAMS_MAX];
  size_t len;
  char url[64];
} crowd;

static int64_t now_ms(void) { return (int64_t)(uv_hrtime() / 1000000); }

static void open_crowd(size_t len, int port) {
  snprintf(crowd.url, sizeof crowd.url, "http://127.0.0.1:%d/", port);
  crowd.len = len;
  host_open(&crowd.host, NULL);
  for (size_t i = 0; i < len; i++) {
    crowd.feeds[i] = (struct feed){.close_after = 2, .delay_ms = RETRY_MS};
    feed_open(&crowd.feeds[i], &crowd.host, crowd.url, NULL);
  }
}

/* Runs on while there is not enough for all; the numbers stay small. */
static void starve(void) {
  int64_t began_ms = now_ms(), seconds;
  uint64_t turns = 0, attempts;
  for (; now_ms() - began_ms < STARVE_MS; turns++)
    host_turn(&crowd.host);
  seconds = (now_ms() - began_ms) / 1000 + 2; /* the first, and a part of one */
  attempts = runnel_client_stats(crowd.host.client)->attempts;
  print_message("             %llu attempts, %llu turns in %d ms\n",
                (unsigned long long)attempts, (unsigned long long)turns,
                STARVE_MS);
  assert_true(attempts <= crowd.len * (uint64_t)seconds);
  assert_true(turns <= (uint64_t)seconds * TURNS_A_SECOND);
}

/* How many are open; each of the others failed for `native`. */
static size_t check_crowd(int native) {
  size_t open = 0;
  for (size_t i = 0; i < crowd.len; i++) {
    const struct feed *feed = &crowd.feeds[i];
    open += feed->opens > 0;
    if (feed->opens == 0 && feed->ends == 0)
      continue; /* the gate never let it through */
    if (feed->ends > 0) {
      assert_int_equal(feed->code, RUNNEL_ERESOURCE);
      assert_int_equal(feed->native, native);
      assert_true(feed->retry);
    }
  }
  return open;
}

static size_t count_closed(void) {
  size_t closed = 0;
  for (size_t i = 0; i < crowd.len; i++)
    closed += crowd.feeds[i].closed;
  return closed;
}

/* All that were open got both events over the one connection. */
static void close_crowd(void) {
  host_close(&crowd.host);
  for (size_t i = 0; i < crowd.len; i++) {
    struct feed *feed = &crowd.feeds[i];
    assert_int_equal(feed->events_len, 2);
    assert_int_equal(feed->opens, 1);
    assert_int_equal(feed->closed, 1);
    feed_deinit(feed);
  }
}

static void wait_for_all(void) {
  int64_t relieved_ms = now_ms();
  HOST_UNTIL(&crowd.host, count_closed() == crowd.len);
  print_message("             all back after %lld ms\n",
                (long long)(now_ms() - relieved_ms));
  assert_true(now_ms() - relieved_ms < RELIEF_MS);
}

/* Descriptors -------------------------------------------------------------- */

/* The peer in a process of its own, whose descriptors are not ours: it tells
 * its port, raises its level at the first byte, and ends at the end. */
struct server {
  pid_t pid;
  int port;
  int control;
};

static void be_the_server(int tell, int control) {
  struct peer_options options = {.scripts = scripts, .scripts_len = 1};
  struct peer *peer = peer_new(&options);
  int port = peer == NULL ? 0 : peer_port(peer);
  char byte;
  if (write(tell, &port, sizeof port) != (ssize_t)sizeof port || peer == NULL)
    _exit(1);
  while (read(control, &byte, 1) == 1)
    peer_raise(peer, 1);
  peer_free(peer);
  _exit(0);
}

static void start_server(struct server *server) {
  int tell[2], control[2];
  assert_int_equal(pipe(tell), 0);
  assert_int_equal(pipe(control), 0);
  fflush(NULL);
  server->pid = fork();
  assert_true(server->pid >= 0);
  if (server->pid == 0) {
    close(tell[0]);
    close(control[1]);
    be_the_server(tell[1], control[0]);
  }
  close(tell[1]);
  close(control[0]);
  assert_int_equal(read(tell[0], &server->port, sizeof server->port),
                   (ssize_t)sizeof server->port);
  close(tell[0]);
  server->control = control[1];
}

static void stop_server(struct server *server) {
  int status = -1;
  close(server->control);
  assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
  assert_int_equal(status, 0);
}

#define DESCRIPTORS 64

static struct rlimit usual;

static int restore_limit(void **state) {
  (void)state;
  return setrlimit(RLIMIT_NOFILE, &usual);
}

static void two_hundred_streams_and_64_descriptors(void **state) {
  (void)state;
  struct server server;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
  struct rlimit few = {DESCRIPTORS, usual.rlim_max};
  start_server(&server);
  open_crowd(STREAMS_MAX, server.port);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  starve();
  size_t open = check_crowd(EMFILE);
  assert_in_range(open, 1, DESCRIPTORS);
  assert_int_equal(write(server.control, "r", 1), 1);
  HOST_UNTIL(&crowd.host, count_closed() >= open); /* unhurt */
  assert_int_equal(restore_limit(NULL), 0);
  wait_for_all();
  close_crowd();
  stop_server(&server);
}

/* Ports -------------------------------------------------------------------- */

#define PORTS 10
#define PORT_STREAMS 40

static void set_ports(int first, int last) {
  cave_run("echo %d %d >/proc/sys/net/ipv4/ip_local_port_range", first, last);
}

static void forty_streams_and_ten_ports(void **state) {
  (void)state;
  static struct cave cave;
  struct peer_options options = {.scripts = scripts, .scripts_len = 1};
  cave_enter(&cave);
  struct peer *peer = peer_new(&options);
  assert_non_null(peer);
  set_ports(40000, 40000 + PORTS - 1);
  open_crowd(PORT_STREAMS, peer_port(peer));
  starve();
  size_t open = check_crowd(EADDRNOTAVAIL);
  assert_in_range(open, 1, PORTS);
  peer_raise(peer, 1);
  HOST_UNTIL(&crowd.host, count_closed() >= open);
  set_ports(40000, 60999);
  wait_for_all();
  close_crowd();
  peer_free(peer);
  cave_leave(&cave);
}

int runnel__test_starve(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(two_hundred_streams_and_64_descriptors,
                                restore_limit),
      cmocka_unit_test_teardown(forty_streams_and_ten_ports, cave_teardown),
  };
  return cmocka_run_group_tests_name("starve", tests, NULL, NULL);
}
