/* Chunked framing: every answer is held against llhttp's on the same bytes.
 * Ours may refuse what llhttp lets pass, never the other way round; what both
 * accept has the same body and the same end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <llhttp.h>

#include "../lib/core/chunk.h"

#define BYTES_MAX 512

/* What a reader made of a framing. */
struct outcome {
  enum { MORE, DONE, BAD } end;
  size_t body_len;
  char body[BYTES_MAX];
};

static void add_body(struct outcome *outcome, const char *at, size_t len) {
  memcpy(outcome->body + outcome->body_len, at, len);
  outcome->body_len += len;
}

static int note_body(llhttp_t *parser, const char *at, size_t len) {
  add_body(parser->data, at, len);
  return 0;
}

static int note_complete(llhttp_t *parser) {
  ((struct outcome *)parser->data)->end = DONE;
  return HPE_PAUSED;
}

static struct outcome ask_llhttp(const char *bytes, size_t len) {
  static const char head[] = "HTTP/1.1 200 OK\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n";
  struct outcome outcome = {.end = MORE};
  llhttp_settings_t settings;
  llhttp_t parser;
  llhttp_settings_init(&settings);
  settings.on_body = note_body;
  settings.on_message_complete = note_complete;
  llhttp_init(&parser, HTTP_RESPONSE, &settings);
  parser.data = &outcome;
  assert_int_equal(llhttp_execute(&parser, head, sizeof head - 1), HPE_OK);
  llhttp_errno_t err = llhttp_execute(&parser, bytes, len);
  if (err != HPE_OK && outcome.end != DONE)
    outcome.end = BAD;
  return outcome;
}

/* Reads slices of at most `step` bytes. */
static struct outcome ask_ours(const char *bytes, size_t len, size_t step) {
  struct outcome outcome = {.end = MORE};
  struct runnel__chunk chunk = {0};
  uint64_t left = 0;
  const char *why = NULL;
  for (size_t at = 0; at < len && outcome.end == MORE; at += step) {
    struct runnel__str slice = {bytes + at, len - at < step ? len - at : step};
    while (slice.len > 0 && outcome.end == MORE) {
      if (left > 0) {
        size_t take = slice.len < left ? slice.len : (size_t)left;
        add_body(&outcome, slice.at, take);
        slice.at += take;
        slice.len -= take;
        left -= take;
        continue;
      }
      enum runnel__chunk_read read = runnel__chunk_read(&chunk, &slice, &why);
      if (read == RUNNEL__CHUNK_DATA)
        left = chunk.size;
      else if (read != RUNNEL__CHUNK_MORE)
        outcome.end = read == RUNNEL__CHUNK_DONE ? DONE : BAD;
    }
  }
  if (outcome.end == BAD)
    assert_non_null(why);
  return outcome;
}

static void fail_on(const char *what, const char *bytes, size_t len) {
  print_error("%s: ", what);
  for (size_t i = 0; i < len; i++)
    print_error("\\x%02x", (unsigned char)bytes[i]);
  fail();
}

/* Extensions other than plain names: llhttp 8.1 refuses some, we and 9 do not.
 */
static int has_extension(const char *bytes, size_t len) {
  return memchr(bytes, ';', len) != NULL;
}

static void compare(const char *bytes, size_t len) {
  struct outcome ours = ask_ours(bytes, len, len > 0 ? len : 1);
  for (size_t step = 1; step <= 3; step++) {
    struct outcome cut = ask_ours(bytes, len, step);
    if (cut.end != ours.end || cut.body_len != ours.body_len ||
        memcmp(cut.body, ours.body, ours.body_len) != 0)
      fail_on("a cut changes it", bytes, len);
  }
  if (ours.end == BAD)
    return;
  struct outcome theirs = ask_llhttp(bytes, len);
  if (theirs.end == BAD && has_extension(bytes, len))
    return;
  if (theirs.end != ours.end || theirs.body_len != ours.body_len ||
      memcmp(theirs.body, ours.body, ours.body_len) != 0)
    fail_on("llhttp reads it otherwise", bytes, len);
}

static const struct {
  const char *bytes;
  int end;
  const char *body;
} rows[] = {
    {"0\r\n\r\n", DONE, ""},
    {"1\r\na\r\n0\r\n\r\n", DONE, "a"},
    {"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", DONE, "abcde"},
    {"00003\r\nabc\r\n000\r\n\r\n", DONE, "abc"},
    {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", DONE,
     "01234567890123456789"},
    {"1;x\r\na\r\n0;y=z\r\n\r\n", DONE, "a"},
    {"1;x=\"a;b\"\r\na\r\n0\r\n\r\n", DONE, "a"},
    {"0\r\nA: b\r\nC: d\r\n\r\n", DONE, ""},
    {"ffffffffffffffff\r\nab", MORE, "ab"},
    {"10000000000000000\r\n", BAD, ""},
    {"00000000000000000000000001\r\na\r\n", MORE, "a"},
    {"", MORE, ""},
    {"1", MORE, ""},
    {"1\r", MORE, ""},
    {"1\r\n", MORE, ""},
    {"1\r\na", MORE, "a"},
    {"1\r\na\r\n", MORE, "a"},
    {"-1\r\n", BAD, ""},
    {"+1\r\n", BAD, ""},
    {"0x1\r\n", BAD, ""},
    {" 1\r\n", BAD, ""},
    {"1 \r\n", BAD, ""},
    {"1\t;x\r\n", BAD, ""},
    {"1\n", BAD, ""},
    {"1\r\r\n", BAD, ""},
    {"\r\n1\r\n", BAD, ""},
    {";x\r\n", BAD, ""},
    {"g\r\n", BAD, ""},
    {"1\r\nab", BAD, "a"},
    {"1\r\na\n", BAD, "a"},
    {"1\r\na\r1", BAD, "a"},
    {"1;\x01\r\n", BAD, ""},
    {"1;\x80\r\n", BAD, ""},
    {"0\r\n: b\r\n\r\n", BAD, ""},
    {"0\r\n A: b\r\n\r\n", BAD, ""},
    {"0\r\nA b\r\n\r\n", BAD, ""},
    {"0\r\nA: b\n\r\n", BAD, ""},
    {"0\r\n\n", BAD, ""},
};

static void written_framings(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    size_t len = strlen(rows[i].bytes);
    struct outcome got = ask_ours(rows[i].bytes, len, len + 1);
    if ((int)got.end != rows[i].end || got.body_len != strlen(rows[i].body) ||
        memcmp(got.body, rows[i].body, got.body_len) != 0)
      fail_on("not as written", rows[i].bytes, len);
    for (size_t cut = 0; cut <= len; cut++)
      compare(rows[i].bytes, cut);
  }
}

static size_t draw(uint64_t *random, size_t below) {
  *random ^= *random << 13;
  *random ^= *random >> 7;
  *random ^= *random << 17;
  return (size_t)(*random % below);
}

/* A sound framing of random chunks, with now and then a byte put in its place,
 * taken out, or changed. */
static size_t write_framing(uint64_t *random, char *bytes) {
  static const char odd[] = "\r\n0123456789abcdefABCDEF;:=\" \tgx\x01\x7f\x80";
  size_t len = 0;
  for (size_t chunks = draw(random, 4); chunks > 0; chunks--) {
    size_t size = 1 + draw(random, 20);
    len += (size_t)sprintf(bytes + len,
                           draw(random, 2) ? "%zx%s\r\n" : "%zX%s\r\n", size,
                           draw(random, 4) ? "" : ";e=v");
    for (size_t i = 0; i < size; i++)
      bytes[len++] = (char)('a' + i % 26);
    len += (size_t)sprintf(bytes + len, "\r\n");
  }
  len += (size_t)sprintf(bytes + len,
                         draw(random, 3) ? "0\r\n\r\n" : "0\r\nT: v\r\n\r\n");
  for (size_t faults = draw(random, 3); faults > 0 && len > 1; faults--) {
    size_t place = draw(random, len);
    if (draw(random, 3) == 0) {
      memmove(bytes + place, bytes + place + 1, len - place - 1);
      len--;
    } else {
      bytes[place] = odd[draw(random, sizeof odd - 1)];
    }
  }
  return len;
}

static void random_framings(void **state) {
  (void)state;
  uint64_t random = 88172645463325252u;
  int accepted = 0;
  for (int round = 0; round < 200000; round++) {
    char bytes[BYTES_MAX];
    size_t len = write_framing(&random, bytes);
    compare(bytes, len);
    accepted += ask_ours(bytes, len, len).end == DONE;
  }
  print_message("200000 framings, %d of them whole\n", accepted);
  assert_true(accepted > 50000);
}

static void lines_and_trailers_are_bounded(void **state) {
  (void)state;
  static char bytes[40000];
  static const struct {
    const char *start;
    size_t most;
  } limits[] = {{"1;", RUNNEL__CHUNK_LINE_BYTES_MAX},
                {"0\r\nA: ", RUNNEL__TRAILERS_BYTES_MAX + 3}};
  for (size_t i = 0; i < 2; i++) {
    for (size_t over = 0; over < 2; over++) {
      struct runnel__chunk chunk = {0};
      struct runnel__str slice = {bytes, limits[i].most + over};
      const char *why;
      memset(bytes, 'x', sizeof bytes);
      memcpy(bytes, limits[i].start, strlen(limits[i].start));
      assert_int_equal(runnel__chunk_read(&chunk, &slice, &why),
                       over ? RUNNEL__CHUNK_BAD : RUNNEL__CHUNK_MORE);
    }
  }
}

int runnel__test_chunk(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(written_framings),
      cmocka_unit_test(random_framings),
      cmocka_unit_test(lines_and_trailers_are_bounded),
  };
  return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
