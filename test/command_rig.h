/* A peer, a folder and a running command, for tests in steps. Includes cmocka;
 * everything is asserted. */
#ifndef RUNNEL_TEST_COMMAND_RIG_H
#define RUNNEL_TEST_COMMAND_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peer.h"
#include "spawn.h"
#include "tempdir.h"

#define COMMAND_ARGS_MAX 16

struct command_rig {
  struct peer *peer;
  char *dir;
  struct spawn *spawn;
  const char *argv[COMMAND_ARGS_MAX + 2];
  char *owned[COMMAND_ARGS_MAX + 1];
  struct spawn_result result; /* valid after finish, until the next start */
};

/* A peer that plays one script per connection; `len` 1 to 4. */
void command_rig_open(struct command_rig *rig,
                      const struct peer_step *const *scripts, size_t len);
void command_rig_close(struct command_rig *rig);

/* Fills argv with the program and `args`, NULL-ended, <U>, <p> and <D> put in.
 */
void command_rig_args(struct command_rig *rig, const char *const *args);

void command_rig_start(struct command_rig *rig, const char *const *args);
void command_rig_finish(struct command_rig *rig);
/* Starts and finishes, and asserts the exit status. */
void command_rig_run(struct command_rig *rig, int status,
                     const char *const *args);

/* Asserts what standard output and error hold, whole and in part. */
void command_rig_out(const struct command_rig *rig, const char *pattern);
void command_rig_err(const struct command_rig *rig, const char *pattern);

/* The content of a file in the folder is what the pattern says. */
void command_rig_file(const struct command_rig *rig, const char *name,
                      const char *pattern);

/* NULL-ended arguments. */
#define ARGS(...)                                                              \
  (const char *const[]) { __VA_ARGS__, NULL }
#define SCRIPTS(...)                                                           \
  (const struct peer_step *const[]) { __VA_ARGS__ }

#endif
