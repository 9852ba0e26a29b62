/* The command's --state. */
#define _XOPEN_SOURCE 700

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "command_life.h"
#include "command_rig.h"

#define STREAM(name, text)                                                     \
  static const struct peer_step name[] = {PEER_READ(), PEER_STREAM_CHUNKED(),  \
                                          PEER_CHUNK(text), PEER_LAST_CHUNK(), \
                                          PEER_END()}

STREAM(three, "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n");
STREAM(four, "id: 4\ndata: d\n\n");
STREAM(emptied, "id: 1\ndata: a\n\n"
                "id\ndata: b\n\n");
STREAM(odd, "id: a\xff\ndata: a\n\n");
STREAM(bare, "data: a\n\nid: 9\n\n");

void command_life_state_made(void **state) {
  struct command_rig rig;
  struct stat info;
  char path[512];
  (void)state;
  command_rig_open(&rig, SCRIPTS(three), 1);
  command_rig_run(&rig, 0,
                  ARGS("-fdata", "--no-reconnect", "--state", "<D>/s", "<U>"));
  command_rig_file(&rig, "s", "{\n  \"<U>\": \"3\"\n}\n");
  assert_int_equal(stat(tempdir_path(rig.dir, "s", path, sizeof path), &info),
                   0);
  assert_int_equal(info.st_mode & 07777, 0600);
  command_rig_close(&rig);
}

void command_life_state_resumes(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(three, four, four), 3);
  const char *const *args = ARGS("-fdata", "--no-reconnect", "--state", "<D>/s",
                                 "--last-event-id", "x", "<U>");
  command_rig_run(&rig, 0, args);
  assert_non_null(
      strstr(peer_request(rig.peer, 0)->head, "Last-Event-ID: x\r\n"));
  command_rig_run(&rig, 0, args);
  assert_non_null(
      strstr(peer_request(rig.peer, 1)->head, "Last-Event-ID: 3\r\n"));
  command_rig_run(&rig, 0, args);
  assert_non_null(
      strstr(peer_request(rig.peer, 2)->head, "Last-Event-ID: 4\r\n"));
  command_rig_close(&rig);
}

void command_life_state_keeps_others(void **state) {
  static const char before[] = "{\"http://other/\": \"o\"}";
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(four), 1);
  tempdir_write(rig.dir, "s", before, sizeof before - 1);
  command_rig_run(&rig, 0,
                  ARGS("-fdata", "--no-reconnect", "--state=<D>/s", "<U>"));
  command_rig_file(&rig, "s",
                   "{\n  \"http://other/\": \"o\",\n  \"<U>\": \"4\"\n}\n");
  command_rig_close(&rig);
}

/* The server took its ids back: the command line's is older. */
void command_life_state_empty_id(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(emptied), 1);
  const char *const *args = ARGS("-fdata", "--no-reconnect", "--state", "<D>/s",
                                 "--last-event-id", "x", "<U>");
  command_rig_run(&rig, 0, args);
  command_rig_file(&rig, "s", "{\n  \"<U>\": \"\"\n}\n");
  command_rig_run(&rig, 0, args);
  assert_null(strstr(peer_request(rig.peer, 1)->head, "Last-Event-ID"));
  command_rig_close(&rig);
}

void command_life_state_two_urls(void **state) {
  struct command_rig rig;
  char path[512];
  (void)state;
  command_rig_open(&rig, SCRIPTS(four), 1);
  command_rig_run(
      &rig, 0,
      ARGS("-fdata", "--no-reconnect", "--state=<D>/s", "<U>?a", "<U>?b"));
  char *text = file_read(tempdir_path(rig.dir, "s", path, sizeof path), NULL);
  assert_non_null(text);
  assert_non_null(strstr(text, "/feed?a\": \"4\""));
  assert_non_null(strstr(text, "/feed?b\": \"4\""));
  free(text);
  command_rig_close(&rig);
}

void command_life_state_block_without_data(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(bare), 1);
  command_rig_run(&rig, 0,
                  ARGS("-fdata", "--no-reconnect", "--state=<D>/s", "<U>"));
  command_rig_file(&rig, "s", "{\n  \"<U>\": \"9\"\n}\n");
  command_rig_close(&rig);
}

void command_life_state_last_of_n(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(three), 1);
  command_rig_run(&rig, 0, ARGS("-fdata", "-n2", "--state=<D>/s", "<U>"));
  command_rig_out(&rig, "a\nb\n");
  command_rig_file(&rig, "s", "{\n  \"<U>\": \"2\"\n}\n");
  command_rig_close(&rig);
}

void command_life_state_not_before_shown(void **state) {
  struct command_rig rig;
  struct spawn_result result;
  char path[512];
  (void)state;
  command_rig_open(&rig, SCRIPTS(three), 1);
  command_rig_args(&rig,
                   ARGS("-fdata", "--no-reconnect", "--state=<D>/s", "<U>"));
  const char *argv[] = {"sh",        "-c",        "exec \"$@\" >/dev/full",
                        "sh",        rig.argv[0], rig.argv[1],
                        rig.argv[2], rig.argv[3], rig.argv[4],
                        NULL};
  struct spawn_options options = {.argv = argv};
  assert_int_equal(spawn_run(&result, &options), 0);
  assert_int_equal(result.status, 1);
  assert_null(file_read(tempdir_path(rig.dir, "s", path, sizeof path), NULL));
  spawn_result_deinit(&result);
  command_rig_close(&rig);
}

void command_life_state_bytes(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(odd), 1);
  const char *const *args =
      ARGS("-fdata", "--no-reconnect", "--state=<D>/s", "<U>");
  command_rig_run(&rig, 0, args);
  command_rig_file(&rig, "s",
                   "{\n  \"<U>\": {\n    \"hex\": \"61ff\"\n  }\n}\n");
  command_rig_run(&rig, 0, args);
  assert_non_null(
      strstr(peer_request(rig.peer, 1)->head, "Last-Event-ID: a\xff\r\n"));
  command_rig_close(&rig);
}

void command_life_state_empty_file(void **state) {
  struct command_rig rig;
  (void)state;
  command_rig_open(&rig, SCRIPTS(four), 1);
  tempdir_write(rig.dir, "s", "", 0);
  command_rig_run(&rig, 0,
                  ARGS("-fdata", "--no-reconnect", "--state=<D>/s", "<U>"));
  command_rig_file(&rig, "s", "{\n  \"<U>\": \"4\"\n}\n");
  command_rig_close(&rig);
}

/* Two links in a row, relative ones, to a file that is not there yet. */
void command_life_state_link(void **state) {
  struct command_rig rig;
  struct stat info;
  char path[512];
  char name[512];
  (void)state;
  command_rig_open(&rig, SCRIPTS(three, four), 2);
  tempdir_path(rig.dir, "folder", path, sizeof path);
  assert_int_equal(mkdir(path, 0700), 0);
  tempdir_path(rig.dir, "folder/second", path, sizeof path);
  assert_int_equal(symlink("../real", path), 0);
  tempdir_path(rig.dir, "s", path, sizeof path);
  assert_int_equal(symlink("folder/second", path), 0);
  const char *const *args =
      ARGS("-fdata", "--no-reconnect", "--state=<D>/s", "<U>");
  command_rig_run(&rig, 0, args);
  command_rig_file(&rig, "real", "{\n  \"<U>\": \"3\"\n}\n");
  command_rig_run(&rig, 0, args);
  command_rig_file(&rig, "real", "{\n  \"<U>\": \"4\"\n}\n");
  assert_int_equal(lstat(path, &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  tempdir_path(rig.dir, "folder/second", name, sizeof name);
  assert_int_equal(lstat(name, &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  unlink(name);
  rmdir(tempdir_path(rig.dir, "folder", name, sizeof name));
  command_rig_close(&rig);
}

void command_life_state_long_id(void **state) {
  struct command_rig rig;
  char text[2048];
  (void)state;
  command_rig_open(&rig, SCRIPTS(four), 1);
  int len = snprintf(text, sizeof text, "{\"http://h/?q\": \"%01100d\"}", 0);
  tempdir_write(rig.dir, "s", text, (size_t)len);
  command_rig_run(&rig, 2, ARGS("--state=<D>/s", "http://h/?q"));
  command_rig_err(&rig, "runnel: option --state: the id in <D>/s for http://h/ "
                        "is 1100 bytes long: over 1024\n");
  command_rig_close(&rig);
}

/* One event after the other, without an end; the id is its number. */
static enum peer_then count_up(struct peer_out *out,
                               const struct peer_request *request,
                               size_t connection, void *user) {
  (void)request;
  (void)connection;
  (void)user;
  for (int i = 1; i <= 20000; i++)
    peer_printf(out, "id: %d\ndata: %d\n\n", i, i);
  return PEER_THEN_STALL;
}

/* The state's id, 0 if there is no file. */
static long long read_state(const struct command_rig *rig) {
  char path[512];
  char *text = file_read(tempdir_path(rig->dir, "s", path, sizeof path), NULL);
  if (text == NULL)
    return 0;
  json_t *ids = json_loads(text, 0, NULL);
  free(text);
  assert_true(json_is_object(ids));
  assert_int_equal(json_object_size(ids), 1);
  const char *id =
      json_string_value(json_object_iter_value(json_object_iter(ids)));
  assert_non_null(id);
  long long number = strtoll(id, NULL, 10);
  json_decref(ids);
  return number;
}

/* Killed after some output, wherever it then is: the file is whole, and holds
 * nothing that was not written before. */
void command_life_state_killed(void **state) {
  static const struct peer_step counting[] = {
      PEER_READ(), PEER_STREAM_TO_CLOSE(), PEER_DO(count_up), PEER_END()};
  (void)state;
  for (size_t round = 1; round <= 12; round++) {
    struct command_rig rig;
    command_rig_open(&rig, SCRIPTS(counting), 1);
    command_rig_start(&rig, ARGS("-fdata", "--state=<D>/s", "<U>"));
    assert_int_equal(spawn_wait_lines(rig.spawn, round * round * 100), 0);
    spawn_signal(rig.spawn, SIGKILL);
    command_rig_finish(&rig);
    assert_int_equal(rig.result.signal, SIGKILL);
    long long shown = 0;
    for (size_t i = 0; i < rig.result.out_len; i++)
      shown += rig.result.out[i] == '\n';
    assert_true(read_state(&rig) <= shown);
    command_rig_close(&rig);
  }
}
