/* A peer, a folder and a running command. */
#include "command_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_text.h"

void command_rig_open(struct command_rig *rig,
                      const struct peer_step *const *scripts, size_t len) {
  struct peer_options options = {.scripts = scripts, .scripts_len = len};
  memset(rig, 0, sizeof *rig);
  rig->peer = peer_new(&options);
  assert_non_null(rig->peer);
  rig->dir = tempdir_make();
}

static void forget(struct command_rig *rig) {
  spawn_result_deinit(&rig->result);
  memset(&rig->result, 0, sizeof rig->result);
  for (size_t i = 0; i <= COMMAND_ARGS_MAX; i++) {
    free(rig->owned[i]);
    rig->owned[i] = NULL;
  }
}

void command_rig_close(struct command_rig *rig) {
  forget(rig);
  peer_free(rig->peer);
  tempdir_remove(rig->dir);
}

void command_rig_args(struct command_rig *rig, const char *const *args) {
  forget(rig);
  memset(rig->argv, 0, sizeof rig->argv);
  rig->argv[0] = RUNNEL_COMMAND;
  for (size_t i = 0; args[i] != NULL; i++) {
    assert_true(i < COMMAND_ARGS_MAX);
    rig->owned[i] = command_text(args[i], peer_port(rig->peer), rig->dir);
    rig->argv[i + 1] = rig->owned[i];
  }
}

void command_rig_start(struct command_rig *rig, const char *const *args) {
  command_rig_args(rig, args);
  struct spawn_options options = {.argv = rig->argv};
  rig->spawn = spawn_start(&options);
  assert_non_null(rig->spawn);
}

void command_rig_finish(struct command_rig *rig) {
  spawn_finish(rig->spawn, &rig->result);
  rig->spawn = NULL;
  assert_false(rig->result.watchdog);
}

void command_rig_run(struct command_rig *rig, int status,
                     const char *const *args) {
  command_rig_start(rig, args);
  command_rig_finish(rig);
  if (rig->result.status != status)
    print_error("status %d: %s%s", rig->result.status, rig->result.out,
                rig->result.err);
  assert_int_equal(rig->result.status, status);
}

static void check(const struct command_rig *rig, const char *pattern,
                  const char *text, int whole) {
  char *wanted = command_text(pattern, peer_port(rig->peer), rig->dir);
  int good =
      whole ? command_matches(wanted, text) : command_holds(wanted, text);
  if (!good)
    print_error("wanted:\n%s\ngot:\n%s\n", wanted, text);
  free(wanted);
  assert_true(good);
}

void command_rig_out(const struct command_rig *rig, const char *pattern) {
  check(rig, pattern, rig->result.out, 1);
}

void command_rig_err(const struct command_rig *rig, const char *pattern) {
  check(rig, pattern, rig->result.err, 0);
}

void command_rig_file(const struct command_rig *rig, const char *name,
                      const char *pattern) {
  char path[512];
  char *text = file_read(tempdir_path(rig->dir, name, path, sizeof path), NULL);
  assert_non_null(text);
  check(rig, pattern, text, 1);
  free(text);
}
