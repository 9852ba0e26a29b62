/* The command's header files, which change while it runs. */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command_life.h"
#include "command_rig.h"

/* An answer that waits, so that the file can change before the next attempt. */
static const struct peer_step first[] = {PEER_READ(), PEER_WAIT(1),
                                         PEER_STREAM_CHUNKED(),
                                         PEER_LAST_CHUNK(), PEER_END()};
static const struct peer_step none[] = {
    PEER_READ(), PEER_EMPTY("204 No Content", ""), PEER_END()};

/* Renamed into place: the command may read it at any time, and must never find
 * it half written. */
static void write_file(const struct command_rig *rig, const char *text) {
  char fresh[512], path[512];
  tempdir_write(rig->dir, "h.new", text, strlen(text));
  tempdir_path(rig->dir, "h.new", fresh, sizeof fresh);
  tempdir_path(rig->dir, "h", path, sizeof path);
  assert_int_equal(rename(fresh, path), 0);
}

/* With the file's first content, up to the first request. */
static void begin(struct command_rig *rig, const char *text,
                  const char *const *args) {
  static const struct peer_step *const scripts[] = {first, none};
  command_rig_open(rig, scripts, 2);
  write_file(rig, text);
  command_rig_start(rig, args);
  assert_int_equal(peer_wait_count(rig->peer, PEER_REQUESTS, 1), 0);
}

static int sent(const struct command_rig *rig, size_t request,
                const char *line) {
  return strstr(peer_request(rig->peer, request)->head, line) != NULL;
}

static size_t count_of(const char *text, const char *part) {
  size_t count = 0;
  while ((text = strstr(text, part)) != NULL) {
    count++;
    text += strlen(part);
  }
  return count;
}

void command_life_header_file_changes(void **state) {
  struct command_rig rig;
  (void)state;
  begin(&rig, "X-A: 1\nX-B: 2\n",
        ARGS("-H", "@<D>/h", "--retry-initial=1", "<U>"));
  write_file(&rig, "X-A: 3\n");
  peer_raise(rig.peer, 1);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  assert_true(sent(&rig, 0, "X-A: 1\r\n"));
  assert_true(sent(&rig, 0, "X-B: 2\r\n"));
  assert_true(sent(&rig, 1, "X-A: 3\r\n"));
  assert_false(sent(&rig, 1, "X-B"));
  command_rig_close(&rig);
}

void command_life_header_file_dropped(void **state) {
  struct command_rig rig;
  (void)state;
  begin(&rig, "x-a: file\n",
        ARGS("-H", "X-A: one", "-H", "@<D>/h", "-H", "X-A: two",
             "--retry-initial=1", "<U>"));
  write_file(&rig, "X-B: 1\n");
  peer_raise(rig.peer, 1);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  assert_true(sent(&rig, 0, "x-a: file\r\n"));
  assert_false(sent(&rig, 0, "one"));
  assert_true(sent(&rig, 1, "x-a: one, two\r\n"));
  assert_true(sent(&rig, 1, "X-B: 1\r\n"));
  command_rig_close(&rig);
}

void command_life_header_file_gone(void **state) {
  struct command_rig rig;
  char path[512];
  (void)state;
  begin(&rig, "X-A: 1\n",
        ARGS("-H", "@<D>/h", "--retry-initial=1", "--retry-max=20", "<U>"));
  unlink(tempdir_path(rig.dir, "h", path, sizeof path));
  peer_raise(rig.peer, 1);
  assert_int_equal(spawn_wait_for(rig.spawn, "; retry 2 in "), 0);
  assert_int_equal(peer_count(rig.peer, PEER_REQUESTS), 1);
  write_file(&rig, "X-A: 2\n");
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  command_rig_err(&rig, "runnel: [0] <U>: cannot read header file <D>/h: No "
                        "such file or directory (RUNNEL_EINVAL); retry <n> in");
  assert_true(sent(&rig, 1, "X-A: 2\r\n"));
  command_rig_close(&rig);
}

/* JSON has a line for each attempt, standard error one for all. */
void command_life_header_file_refused(void **state) {
  static const char refused[] =
      "runnel: [0] <U>: header file <D>/h, line 2: header \"Host\" is runnel's "
      "own and cannot be set (RUNNEL_EINVAL); retry ";
  struct command_rig rig;
  (void)state;
  begin(&rig, "X-A: 1\n",
        ARGS("-fjson", "-H", "@<D>/h", "--retry-initial=1", "--retry-max=5",
             "<U>"));
  write_file(&rig, "X-A: 1\nHost: secret\n");
  peer_raise(rig.peer, 1);
  assert_int_equal(spawn_wait_lines(rig.spawn, 6), 0);
  write_file(&rig, "X-A: 2\n");
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 0);
  command_rig_err(&rig, refused);
  assert_int_equal(count_of(rig.result.err, "header file"), 1);
  assert_null(strstr(rig.result.err, "secret"));
  assert_true(count_of(rig.result.out, "\"error\"") >= 3);
  assert_true(sent(&rig, 1, "X-A: 2\r\n"));
  command_rig_close(&rig);
}

void command_life_header_file_fifo(void **state) {
  struct command_rig rig;
  char path[512];
  (void)state;
  begin(&rig, "X-A: 1\n",
        ARGS("-H", "@<D>/h", "--retry-initial=1", "--max-failures=2", "<U>"));
  tempdir_path(rig.dir, "h", path, sizeof path);
  unlink(path);
  assert_int_equal(mkfifo(path, 0600), 0);
  peer_raise(rig.peer, 1);
  command_rig_finish(&rig);
  assert_int_equal(rig.result.status, 1);
  command_rig_err(&rig, "header file <D>/h is no regular file any more "
                        "(RUNNEL_EINVAL); gave up\n");
  command_rig_close(&rig);
}
