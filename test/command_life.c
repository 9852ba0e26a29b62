/* The command among signals, pipes and peers that fail. */
#define _XOPEN_SOURCE 700

#include "command_life.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command_rig.h"

static const struct peer_step live[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                        PEER_CHUNK("id: 1\ndata: a\n\n"),
                                        PEER_STALL(), PEER_END()};
static const struct peer_step live_then_more[] = {
    PEER_READ(),  PEER_STREAM_CHUNKED(),     PEER_CHUNK("data: a\n\n"),
    PEER_WAIT(1), PEER_CHUNK("data: b\n\n"), PEER_STALL(),
    PEER_END()};
static const struct peer_step flood[] = {PEER_READ(), PEER_STREAM_TO_CLOSE(),
                                         PEER_FLOOD("data: 0123456789\n\n", 0),
                                         PEER_END()};
static const struct peer_step busy[] = {
    PEER_READ(), PEER_EMPTY("503 Service Unavailable", "Retry-After: 3000\r\n"),
    PEER_END()};
static const struct peer_step silent[] = {PEER_READ(), PEER_STALL(),
                                          PEER_END()};
static const struct peer_step none[] = {
    PEER_READ(), PEER_EMPTY("204 No Content", ""), PEER_END()};
static const struct peer_step missing[] = {
    PEER_READ(), PEER_EMPTY("404 Not Found", ""), PEER_END()};
static const struct peer_step end[] = {PEER_READ(), PEER_STREAM_CHUNKED(),
                                       PEER_CHUNK("data: a\n\n"),
                                       PEER_LAST_CHUNK(), PEER_END()};

void command_life_help(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(silent), 1);
  command_rig_run(&rig, 0, ARGS("--help"));
  assert_non_null(strstr(rig.result.out, "--max-events"));
  assert_string_equal(rig.result.err, "");
  command_rig_run(&rig, 0, ARGS("-h", "<U>"));
  command_rig_run(&rig, 0, ARGS("--version"));
  command_rig_out(&rig, "runnel <n>.<n>.<n>\nMbed TLS <n>.<n>.<n>\n");
  assert_int_equal(peer_count(rig.peer, PEER_ACCEPTED), 0);
  command_rig_close(&rig);
}

void command_life_flushes(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(live_then_more), 1);
  command_rig_start(&rig, ARGS("-fdata", "-n2", "<U>"));
  assert_int_equal(spawn_wait_for(rig.spawn, "a\n"), 0);
  peer_raise(rig.peer, 1);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  command_rig_out(&rig, "a\nb\n");
  command_rig_close(&rig);
}

static void signal_live(int number) {
  struct command_rig rig;
  command_rig_open(&rig, SCRIPTS(live), 1);
  command_rig_start(&rig, ARGS("-f", "json", "<U>"));
  assert_int_equal(spawn_wait_for(rig.spawn, "\"event\""), 0);
  spawn_signal(rig.spawn, number);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  command_rig_out(&rig,
                  "<l>\n{\"kind\":\"event\",\"stream\":0,\"type\":\"message\","
                  "\"data\":\"a\",\"id\":\"1\"}\n"
                  "{\"kind\":\"close\",\"stream\":0,\"code\":\"RUNNEL_OK\"}\n");
  assert_string_equal(rig.result.err, "");
  command_rig_close(&rig);
}

void command_life_interrupt(void **state) {
  (void)state;
  signal_live(SIGINT);
}

void command_life_terminate(void **state) {
  (void)state;
  signal_live(SIGTERM);
}

void command_life_signal_backing_off(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(busy), 1);
  command_rig_start(&rig, ARGS("<U>"));
  assert_int_equal(spawn_wait_for(rig.spawn, "retry 1 in 3"), 0);
  spawn_signal(rig.spawn, SIGTERM);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  command_rig_close(&rig);
}

void command_life_closed_pipe(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(flood), 1);
  command_rig_start(&rig, ARGS("-fdata", "<U>"));
  assert_int_equal(spawn_wait_for(rig.spawn, "0123456789"), 0);
  spawn_close_output(rig.spawn);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  assert_string_equal(rig.result.err, "");
  command_rig_close(&rig);
}

void command_life_closed_pipe_idle(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(live), 1);
  command_rig_start(&rig, ARGS("-fdata", "<U>"));
  assert_int_equal(spawn_wait_for(rig.spawn, "a\n"), 0);
  spawn_close_output(rig.spawn);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  assert_string_equal(rig.result.err, "");
  command_rig_close(&rig);
}

/* The test does not read, so the pipe fills, then the socket, and the peer's
 * system takes no more: the command waits in its write. */
void command_life_blocked_pipe(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(flood), 1);
  command_rig_start(&rig, ARGS("-fdata", "<U>"));
  assert_int_equal(peer_wait_count(rig.peer, PEER_BLOCKED, 1), 0);
  spawn_signal(rig.spawn, SIGTERM);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  command_rig_close(&rig);
}

void command_life_blocked_duration(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(flood), 1);
  command_rig_start(&rig, ARGS("-fdata", "--duration", "1", "<U>"));
  assert_int_equal(peer_wait_count(rig.peer, PEER_BLOCKED, 1), 0);
  /* Nothing is read before it ended by itself. */
  assert_int_equal(waitid(P_PID, (id_t)spawn_pid(rig.spawn), &(siginfo_t){0},
                          WEXITED | WNOWAIT),
                   0);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  assert_string_equal(rig.result.err, "");
  command_rig_close(&rig);
}

void command_life_blocked_lines(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(flood), 1);
  command_rig_start(&rig, ARGS("-fjson", "<U>"));
  assert_int_equal(peer_wait_count(rig.peer, PEER_BLOCKED, 1), 0);
  spawn_signal(rig.spawn, SIGTERM);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  assert_true(rig.result.out_len > 0);
  assert_int_equal(rig.result.out[rig.result.out_len - 1], '\n');
  command_rig_close(&rig);
}

/* The rule counts five seconds of real time. */
void command_life_steady(void **state) {
  static const struct peer_step lost[] = {
      PEER_READ(),  PEER_STREAM_CHUNKED(), PEER_CHUNK("data: a\n\n"),
      PEER_WAIT(1), PEER_RESET(),          PEER_END()};
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(lost, none), 2);
  command_rig_start(
      &rig, ARGS("-fdata", "--max-failures=1", "--retry-initial=30", "<U>"));
  assert_int_equal(spawn_wait_for(rig.spawn, "a\n"), 0);
  poll(NULL, 0, 5200);
  peer_raise(rig.peer, 1);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  command_rig_err(&rig, "(RUNNEL_ELOST); next attempt in 0.1 s\n");
  command_rig_close(&rig);
}

void command_life_full_disk(void **state) {
  struct command_rig rig;
  struct spawn_result result;
  (void)state;
  command_rig_open(&rig, SCRIPTS(end), 1);
  command_rig_args(&rig, ARGS("-fdata", "--no-reconnect", "<U>"));
  const char *argv[] = {"sh",        "-c",        "exec \"$@\" >/dev/full",
                        "sh",        rig.argv[0], rig.argv[1],
                        rig.argv[2], rig.argv[3], NULL};
  struct spawn_options options = {.argv = argv};
  assert_int_equal(spawn_run(&result, &options), 0);
  assert_int_equal(result.status, 1);
  assert_non_null(strstr(result.err, "cannot write standard output"));
  spawn_result_deinit(&result);
  command_rig_close(&rig);
}

void command_life_refused(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(end), 1);
  assert_int_equal(peer_refuse(rig.peer), 0);
  command_rig_run(&rig, 1, ARGS("--no-reconnect", "<U>?secret=x"));
  command_rig_err(&rig, "runnel: [0] <U>: connect 127.0.0.1:<p>: connection "
                        "refused (RUNNEL_ECONNECT); gave up\n");
  command_rig_run(
      &rig, 1,
      ARGS("-fjson", "-q", "--retry-initial", "5", "--max-failures=2", "<U>"));
  command_rig_out(
      &rig, "{\"kind\":\"error\",\"stream\":0,\"code\":\"RUNNEL_ECONNECT\","
            "\"message\":\"connect 127.0.0.1:<p>: connection refused\","
            "\"retry_in_ms\":<n>}\n"
            "{\"kind\":\"error\",\"stream\":0,\"code\":\"RUNNEL_ECONNECT\","
            "\"message\":\"connect 127.0.0.1:<p>: connection refused\","
            "\"retry_in_ms\":null}\n"
            "{\"kind\":\"close\",\"stream\":0,\"code\":\"RUNNEL_ECONNECT\"}\n");
  assert_string_equal(rig.result.err, "");
  command_rig_close(&rig);
}

void command_life_no_host(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(end), 1);
  command_rig_run(&rig, 1, ARGS("--no-reconnect", "http://no-host.invalid/"));
  command_rig_err(&rig, "runnel: [0] http://no-host.invalid/: ");
  command_rig_err(&rig, "(RUNNEL_ERESOLVE); gave up\n");
  command_rig_close(&rig);
}

void command_life_idle_timeout(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(live, none), 2);
  command_rig_run(
      &rig, 0,
      ARGS("-fdata", "--idle-timeout", "50", "--retry-initial", "1", "<U>"));
  command_rig_out(&rig, "a\n");
  command_rig_err(&rig, "(RUNNEL_EIDLE); retry 1 in 0.1 s\n");
  command_rig_close(&rig);
}

void command_life_open_timeout(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(silent), 1);
  command_rig_run(
      &rig, 1,
      ARGS("-fjson", "-q", "--open-timeout=50", "--no-reconnect", "<U>"));
  command_rig_out(
      &rig,
      "{\"kind\":\"error\",\"stream\":0,\"code\":\"RUNNEL_ETIMEDOUT\","
      "\"message\":\"<s>\",\"retry_in_ms\":null}\n"
      "{\"kind\":\"close\",\"stream\":0,\"code\":\"RUNNEL_ETIMEDOUT\"}\n");
  command_rig_close(&rig);
}

void command_life_unix_socket(void **state) {
  struct command_rig rig;
  struct spawn_result result;
  char path[512];
  (void)state;
  command_rig_open(&rig, SCRIPTS(end), 1);
  tempdir_path(rig.dir, "s", path, sizeof path);
  struct peer_options peer_options = {
      .scripts = SCRIPTS(end), .scripts_len = 1, .unix_path = path};
  struct peer *peer = peer_new(&peer_options);
  assert_non_null(peer);
  const char *argv[] = {RUNNEL_COMMAND,
                        "-fdata",
                        "--no-reconnect",
                        "--unix-socket",
                        path,
                        "http://name.test/feed",
                        NULL};
  struct spawn_options options = {.argv = argv};
  assert_int_equal(spawn_run(&result, &options), 0);
  assert_int_equal(result.status, 0);
  assert_string_equal(result.out, "a\n");
  assert_non_null(strstr(peer_request(peer, 0)->head, "Host: name.test\r\n"));
  spawn_result_deinit(&result);
  peer_free(peer);
  command_rig_close(&rig);
}

void command_life_descriptors(void **state) {
  struct command_rig rig;
  struct spawn_result result;
  const char *argv[64] = {RUNNEL_COMMAND};
  (void)state;
  command_rig_open(&rig, SCRIPTS(end), 1);
  command_rig_args(&rig, ARGS("<U>"));
  for (size_t i = 1; i < 60; i++)
    argv[i] = rig.argv[1];
  struct spawn_options options = {.argv = argv, .limit_files = 40};
  assert_int_equal(spawn_run(&result, &options), 0);
  assert_int_equal(result.status, 2);
  assert_non_null(strstr(result.err, "ulimit -n"));
  assert_int_equal(peer_count(rig.peer, PEER_ACCEPTED), 0);
  spawn_result_deinit(&result);
  command_rig_close(&rig);
}

void command_life_two_streams(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(end, none), 2);
  assert_int_equal(peer_refuse(rig.peer), 0);
  command_rig_run(&rig, 1,
                  ARGS("-fjson", "-q", "--no-reconnect", "<U>", "<U>"));
  assert_non_null(strstr(rig.result.out, "\"stream\":0,\"code\":\"RUNNEL_EC"));
  assert_non_null(strstr(rig.result.out, "\"stream\":1,\"code\":\"RUNNEL_EC"));
  command_rig_close(&rig);
}

void command_life_expect_one_failed(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(missing, none), 2);
  command_rig_run(&rig, 1, ARGS("-fdata", "<U>", "<U>"));
  assert_non_null(strstr(rig.result.err, "(RUNNEL_ESTATUS); gave up"));
  command_rig_close(&rig);
}
