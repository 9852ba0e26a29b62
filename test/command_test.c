/* The `runnel` command, as a process against a scripted peer: tables of command
 * lines that are wrong and of answers that it meets, and its life
 * (command_life).
 *
 * RUNNEL_COMMAND is the program's path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command_life.h"
#include "command_text.h"
#include "peer.h"
#include "spawn.h"
#include "tempdir.h"

#include "command_usage_rows.h"

#include "command_scripts.h"

#include "command_rows.h"

#include "command_request_rows.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define ARGS_MAX 16

int runnel__test_command(void);

static char *dir; /* with the files that rows name */

static const struct {
  const char *name;
  const char *text;
} files[] = {
    {"badheader", "X-A: 1\nno colon\n"},
    {"hostheader", "X-B: 1\n\nHost: evil\n"},
    {"header", "X-From-File: one\n"},
    {"headers", "X-One: 1\r\n\r\nX-Two:2\nx-one:  3 "},
    {"garbage", "\x01\x02{"},
    {"empty", ""},
    {"list", "[\"http://h/\"]"},
    {"numbers", "{\"http://h/\": 5}"},
    {"hex", "{\"http://h/\": {\"hex\": \"6\"}}"},
    {"hexnewline", "{\"http://h/\": {\"hex\": \"610a\"}}"},
    {"ftp", "http://h/\nftp://h/\n"},
    {"newline", "{\"http://h/\": \"a\\nb\"}"},
    {"bom", "\xef\xbb\xbfhttp://h/\n"},
    {"space", "# comment\n\nhttp://h/ x\n"},
    {"body", "a\nb\r\n\n"},
};

struct command_line {
  const char *argv[ARGS_MAX + 1];
  char *owned[ARGS_MAX + 1];
};

static void fill(struct command_line *line, const char *const *args, size_t max,
                 int port) {
  memset(line, 0, sizeof *line);
  line->argv[0] = RUNNEL_COMMAND;
  for (size_t i = 0; i < max && args[i] != NULL; i++) {
    line->owned[i] = command_text(args[i], port, dir);
    line->argv[i + 1] = line->owned[i];
  }
}

static void empty(struct command_line *line) {
  for (size_t i = 0; i < COUNT(line->owned); i++)
    free(line->owned[i]);
}

static size_t lines_of(const char *text) {
  size_t lines = 0;
  for (; *text != '\0'; text++)
    lines += *text == '\n';
  return lines;
}

static void check_usage(void **state) {
  const struct usage_row *row = *state;
  static const struct peer_step quiet[] = {PEER_STALL(), PEER_END()};
  static const struct peer_step *const scripts[] = {quiet};
  struct peer_options peer_options = {.scripts = scripts, .scripts_len = 1};
  struct peer *peer = peer_new(&peer_options);
  struct command_line line;
  struct spawn_result result;
  assert_non_null(peer);
  fill(&line, row->args, COUNT(row->args), peer_port(peer));
  struct spawn_options options = {.argv = line.argv};
  assert_int_equal(spawn_run(&result, &options), 0);
  char *says = command_text(row->says, peer_port(peer), dir);
  if (result.status != 2 || !command_holds(says, result.err))
    print_error("wanted 2: %s\ngot %d: %s", says, result.status, result.err);
  assert_int_equal(result.status, 2);
  assert_true(command_holds(says, result.err));
  assert_string_equal(result.out, "");
  assert_int_equal(lines_of(result.err), 1);
  assert_memory_equal(result.err, "runnel: ", 8);
  assert_null(strstr(result.err, "ecret"));
  assert_int_equal(peer_count(peer, PEER_ACCEPTED), 0);
  spawn_result_deinit(&result);
  free(says);
  empty(&line);
  peer_free(peer);
}

static size_t scripts_of(const struct row *row) {
  size_t len = 0;
  while (len < COUNT(row->scripts) && row->scripts[len] != NULL)
    len++;
  return len;
}

static void check_said(const struct row *row, const struct spawn_result *result,
                       int port) {
  char *out = command_text(row->out, port, dir);
  char *err = command_text(row->err == NULL ? "" : row->err, port, dir);
  int said =
      row->err == NULL ? result->err_len == 0 : command_holds(err, result->err);
  int shown = out == NULL || command_matches(out, result->out);
  if (result->status != row->status || !said || !shown)
    print_error("status %d, standard output:\n%s\nstandard error:\n%s\n"
                "wanted %d and\n%s\nand\n%s\n",
                result->status, result->out, result->err, row->status,
                out == NULL ? "" : out, err);
  assert_true(shown);
  assert_true(said);
  assert_int_equal(result->status, row->status);
  assert_null(strstr(result->err, "token=x"));
  free(out);
  free(err);
}

static void check_sent(const struct row *row, struct peer *peer) {
  size_t count = (size_t)peer_count(peer, PEER_REQUESTS);
  if (row->requests != 0)
    assert_int_equal(count, row->requests);
  if (row->head == NULL && row->absent == NULL && row->body == NULL)
    return;
  assert_true(count > 0);
  const struct peer_request *request = peer_request(peer, count - 1);
  char *head =
      command_text(row->head == NULL ? "" : row->head, peer_port(peer), dir);
  if (strstr(request->head, head) == NULL)
    print_error("not there: %s\nin %s", head, request->head);
  assert_non_null(strstr(request->head, head));
  free(head);
  if (row->absent != NULL)
    assert_null(strstr(request->head, row->absent));
  if (row->body == NULL)
    return;
  assert_int_equal(request->body_len, strlen(row->body));
  assert_memory_equal(request->body, row->body, request->body_len);
}

static void check_row(void **state) {
  const struct row *row = *state;
  struct peer_options peer_options = {.scripts = row->scripts,
                                      .scripts_len = scripts_of(row)};
  struct peer *peer = peer_new(&peer_options);
  struct command_line line;
  struct spawn_result result;
  assert_non_null(peer);
  fill(&line, row->args, COUNT(row->args), peer_port(peer));
  char *input = command_text(row->input, peer_port(peer), dir);
  struct spawn_options options = {.argv = line.argv, .input = input};
  assert_int_equal(spawn_run(&result, &options), 0);
  check_said(row, &result, peer_port(peer));
  check_sent(row, peer);
  spawn_result_deinit(&result);
  free(input);
  empty(&line);
  peer_free(peer);
}

static void write_urls(int port) {
  char *text = command_text("# two\n<U>\n\n<U>", port, dir);
  tempdir_write(dir, "urls", text, strlen(text));
  free(text);
}

/* The file names the peer's port, so it is written for this row alone. */
static void check_url_file(void **state) {
  static const struct peer_step *const scripts[] = {one};
  struct peer_options peer_options = {.scripts = scripts, .scripts_len = 1};
  struct peer *peer = peer_new(&peer_options);
  struct spawn_result result;
  char path[512];
  (void)state;
  assert_non_null(peer);
  write_urls(peer_port(peer));
  const char *argv[] = {RUNNEL_COMMAND,
                        "-fdata",
                        TRY,
                        "--url-file",
                        tempdir_path(dir, "urls", path, sizeof path),
                        NULL};
  struct spawn_options options = {.argv = argv};
  assert_int_equal(spawn_run(&result, &options), 0);
  assert_int_equal(result.status, 0);
  assert_string_equal(result.out, "a\na\n");
  assert_int_equal(peer_count(peer, PEER_REQUESTS), 2);
  spawn_result_deinit(&result);
  peer_free(peer);
}

/* As many as the library lets pass. */
static void write_many_headers(void) {
  char text[4096];
  size_t len = 0;
  for (int i = 0; i < 100; i++)
    len +=
        (size_t)snprintf(text + len, sizeof text - len, "X-Number-%d: 1\n", i);
  tempdir_write(dir, "manyheaders", text, len);
}

static int make_files(void **state) {
  (void)state;
  dir = tempdir_make();
  write_many_headers();
  for (size_t i = 0; i < COUNT(files); i++)
    tempdir_write(dir, files[i].name, files[i].text, strlen(files[i].text));
  return 0;
}

static int remove_files(void **state) {
  (void)state;
  tempdir_remove(dir);
  return 0;
}

#define LIFE_TEST(name, text) {text, command_life_##name, NULL, NULL, NULL},

static const struct CMUnitTest life[] = {
    {"--url-file", check_url_file, NULL, NULL, NULL}, COMMAND_LIFE(LIFE_TEST)};

int runnel__test_command(void) {
  static struct CMUnitTest tests[COUNT(usage_rows) + COUNT(rows) +
                                 COUNT(request_rows) + COUNT(life)];
  size_t len = 0;
  for (size_t i = 0; i < COUNT(usage_rows); i++)
    tests[len++] = (struct CMUnitTest){usage_rows[i].says, check_usage, NULL,
                                       NULL, (void *)(uintptr_t)&usage_rows[i]};
  for (size_t i = 0; i < COUNT(rows); i++)
    tests[len++] = (struct CMUnitTest){rows[i].name, check_row, NULL, NULL,
                                       (void *)(uintptr_t)&rows[i]};
  for (size_t i = 0; i < COUNT(request_rows); i++)
    tests[len++] =
        (struct CMUnitTest){request_rows[i].name, check_row, NULL, NULL,
                            (void *)(uintptr_t)&request_rows[i]};
  for (size_t i = 0; i < COUNT(life); i++)
    tests[len++] = life[i];
  return _cmocka_run_group_tests("command", tests, len, make_files,
                                 remove_files);
}
