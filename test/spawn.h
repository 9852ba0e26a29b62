/* Runs a program under test: arguments, environment and standard input given;
 * standard output, standard error and the exit status caught. A watchdog kills
 * it, by its process id, when it never ends.
 *
 *   const char *argv[] = {RUNNEL_COMMAND, "--help", NULL};
 *   struct spawn_options options = {.argv = argv};
 *   struct spawn_result result;
 *   assert_int_equal(spawn_run(&result, &options), 0);
 *   assert_int_equal(result.status, 0);
 *   spawn_result_deinit(&result);
 *
 * Or in steps, with the test's own doings between them: spawn_start,
 * spawn_wait_for, spawn_signal, spawn_finish. Not thread-safe. */
#ifndef RUNNEL_TEST_SPAWN_H
#define RUNNEL_TEST_SPAWN_H

#include <stddef.h>

struct spawn; /* a running program */

struct spawn_options {
  const char *const *argv; /* NULL-ended; argv[0] without a slash: by PATH */
  const char *const *env;  /* NULL-ended, may be NULL: "NAME=value" is set,
                              "NAME" is removed; all else is inherited */
  const char *input;       /* standard input; NULL: /dev/null */
  size_t input_len;        /* 0: up to the NUL */
  int input_stays_open;    /* 1: no end of file after the input */
  const char *signal_text; /* once this appears in either output ... */
  int signal;              /* ... this signal is sent, one time */
  int watchdog_s;          /* from start to end; 0: 60 */
  int limit_files;         /* RLIMIT_NOFILE, soft and hard; 0: inherited */
};

struct spawn_result {
  int status;   /* exit status, or -1 when a signal ended it */
  int signal;   /* that signal, else 0 */
  int watchdog; /* 1: it was killed for not ending */
  char *out;    /* NUL-terminated */
  size_t out_len;
  char *err;
  size_t err_len;
};

/* Runs it to its end. 0, or -1 (it could not be started; nothing to free). */
int spawn_run(struct spawn_result *result, const struct spawn_options *options);
void spawn_result_deinit(struct spawn_result *result);

/* Starts it; NULL when it cannot be. Always followed by spawn_finish. */
struct spawn *spawn_start(const struct spawn_options *options);

/* Reads until the text was seen in standard output or error: 0; -1 when the
 * program closed both before, or the watchdog killed it. A second wait for the
 * same text is answered by the first appearance. */
int spawn_wait_for(struct spawn *spawn, const char *text);

/* Reads until standard output has that many whole lines. 0 or -1, as above. */
int spawn_wait_lines(struct spawn *spawn, size_t lines);

/* What came so far; valid until the next call. */
const char *spawn_out(const struct spawn *spawn);
const char *spawn_err(const struct spawn *spawn);

int spawn_pid(const struct spawn *spawn);
void spawn_signal(struct spawn *spawn, int signal);

/* Closes our end of its standard output: its next write meets a closed pipe. */
void spawn_close_output(struct spawn *spawn);

/* Has the program read that from its standard input (input_stays_open): 0, once
 * all was written; -1 when it closed its ends before. */
int spawn_write(struct spawn *spawn, const char *bytes, size_t len);

/* Ends its standard input (input_stays_open). */
void spawn_close_input(struct spawn *spawn);

/* Waits for its end and frees `spawn`. */
void spawn_finish(struct spawn *spawn, struct spawn_result *result);

#endif
