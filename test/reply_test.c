/* The reply's verdicts, as a table that every lens walks: whole, byte by byte,
 * at every single cut, and with each allocation failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/core/reply.h"
#include "reply_rows.h"

#define TRANSCRIPT_BYTES 4096
#define HEAD_BYTES 65536

int runnel__test_reply(void);

static const struct row {
  const char *bytes;
  size_t len;
  const char *transcript;
  int no_body;
} rows[] = {
#define ROW(bytes, transcript) {bytes, sizeof(bytes) - 1, transcript, 0},
#define HEAD_ROW(bytes, transcript) {bytes, sizeof(bytes) - 1, transcript, 1},
    REPLY_ROWS(ROW) REPLY_HEAD_ROWS(HEAD_ROW)
#undef ROW
#undef HEAD_ROW
};

#define ROWS (sizeof rows / sizeof rows[0])

/* An allocator that counts, and fails from allocation `fail_at` on, or there
 * once. */
struct meter {
  long live;
  long count;
  long fail_at; /* 0: never */
  int once;
};

static int must_fail(struct meter *meter) {
  meter->count++;
  if (meter->fail_at == 0)
    return 0;
  return meter->once ? meter->count == meter->fail_at
                     : meter->count >= meter->fail_at;
}

static void *meter_alloc(size_t size, void *ctx) {
  struct meter *meter = ctx;
  if (must_fail(meter))
    return NULL;
  meter->live++;
  return malloc(size);
}

static void *meter_realloc(void *memory, size_t size, void *ctx) {
  return must_fail(ctx) ? NULL : realloc(memory, size);
}

static void meter_free(void *memory, void *ctx) {
  ((struct meter *)ctx)->live--;
  free(memory);
}

struct scribe {
  char text[TRANSCRIPT_BYTES];
  size_t len;
  int in_body;
  int done;
};

static void note(struct scribe *scribe, const char *bytes, size_t len) {
  assert_true(scribe->len + len < sizeof scribe->text);
  memcpy(scribe->text + scribe->len, bytes, len);
  scribe->len += len;
  scribe->text[scribe->len] = '\0';
}

static void note_text(struct scribe *scribe, const char *text) {
  note(scribe, text, strlen(text));
}

static void note_head(struct scribe *scribe,
                      const struct runnel__reply *reply) {
  char status[16];
  size_t len;
  const struct runnel_header *headers = runnel__reply_headers(reply, &len);
  (void)snprintf(status, sizeof status, "%d ", runnel__reply_status(reply));
  note_text(scribe, status);
  for (size_t i = 0; i < len; i++) {
    note_text(scribe, headers[i].name);
    note_text(scribe, "=");
    note_text(scribe, headers[i].value);
    note_text(scribe, i + 1 < len ? "," : ", ");
  }
  note_text(scribe, "[");
  scribe->in_body = 1;
}

static void note_last(struct scribe *scribe, const struct runnel__reply *reply,
                      int item) {
  if (scribe->in_body)
    note_text(scribe, "] ");
  if (item == RUNNEL__REPLY_END)
    note_text(scribe, "end");
  else if (item == RUNNEL_ELOST)
    note_text(scribe, "lost");
  else if (item == RUNNEL_ENOMEM)
    note_text(scribe, "no memory");
  else {
    assert_int_equal(item, RUNNEL_EHTTP);
    note_text(scribe, "error: ");
    note_text(scribe, runnel__reply_why(reply));
  }
  scribe->done = 1;
}

/* Feeds a copy in memory of its own, so that a read past its end is seen, then
 * takes everything that comes of it. */
static void feed(struct scribe *scribe, struct runnel__reply *reply,
                 struct runnel__mem *mem, const char *bytes, size_t len) {
  char *copy = malloc(len == 0 ? 1 : len);
  assert_non_null(copy);
  if (len > 0)
    memcpy(copy, bytes, len);
  runnel__reply_feed(reply, copy, len);
  for (;;) {
    char *body = NULL;
    size_t body_len = 0;
    int item = runnel__reply_next(reply, mem, &body, &body_len);
    if (item == RUNNEL__REPLY_MORE)
      break;
    if (item == RUNNEL__REPLY_HEAD) {
      note_head(scribe, reply);
    } else if (item == RUNNEL__REPLY_BODY) {
      assert_true(body_len > 0 && body >= copy &&
                  body + body_len <= copy + len);
      note(scribe, body, body_len);
    } else {
      char *again = NULL;
      assert_int_equal(runnel__reply_next(reply, mem, &again, &body_len), item);
      note_last(scribe, reply, item);
      break;
    }
  }
  size_t left;
  (void)runnel__reply_left(reply, &left);
  if (!scribe->done)
    assert_int_equal(left, 0);
  free(copy);
}

/* `cut` 0: whole; SIZE_MAX: byte by byte; else in two there. */
static void play(struct scribe *scribe, const struct row *row, size_t cut,
                 struct meter *meter) {
  const struct runnel_alloc hooks = {meter_alloc, meter_realloc, meter_free,
                                     meter};
  struct runnel__mem mem;
  runnel__mem_init(&mem, &hooks, 1 << 20);
  *scribe = (struct scribe){0};
  struct runnel__reply *reply =
      runnel__reply_new(&mem, row->no_body, HEAD_BYTES);
  if (reply == NULL) {
    note_last(scribe, NULL, RUNNEL_ENOMEM);
    return;
  }
  size_t step = cut == SIZE_MAX ? 1 : cut == 0 ? row->len : cut;
  size_t at = 0;
  do {
    size_t len = row->len - at < step ? row->len - at : step;
    feed(scribe, reply, &mem, row->bytes + at, len);
    at += len;
    step = cut == SIZE_MAX ? 1 : row->len;
  } while (at < row->len && !scribe->done);
  if (!scribe->done)
    note_last(scribe, reply, runnel__reply_finish(reply));
  runnel__reply_forget(reply, &mem);
  assert_int_equal(mem.held, 0);
  runnel__reply_free(reply, &mem);
}

static void expect_row(const struct row *row, size_t cut) {
  struct scribe scribe;
  struct meter meter = {0};
  play(&scribe, row, cut, &meter);
  assert_string_equal(scribe.text, row->transcript);
  assert_int_equal(meter.live, 0);
}

static void rows_whole(void **state) {
  (void)state;
  for (size_t i = 0; i < ROWS; i++)
    expect_row(&rows[i], 0);
}

static void rows_byte_by_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < ROWS; i++)
    expect_row(&rows[i], SIZE_MAX);
}

static void rows_at_every_cut(void **state) {
  (void)state;
  for (size_t i = 0; i < ROWS; i++)
    for (size_t cut = 1; cut < rows[i].len; cut++)
      expect_row(&rows[i], cut);
}

/* Every allocation of every row fails, once and from there on: the outcome is
 * the row's, or "no memory" after a beginning of it. */
static void rows_without_memory(void **state) {
  (void)state;
  for (size_t i = 0; i < 2 * ROWS; i++) {
    const struct row *row = &rows[i / 2];
    struct meter meter;
    long k = 0;
    do {
      struct scribe scribe;
      meter = (struct meter){.fail_at = ++k, .once = i % 2};
      play(&scribe, row, SIZE_MAX, &meter);
      assert_int_equal(meter.live, 0);
      if (meter.count >= k)
        assert_non_null(strstr(scribe.text, "no memory"));
      else
        assert_string_equal(scribe.text, row->transcript);
    } while (meter.count >= k);
  }
}

/* Generated answers: front, `count` times the middle, back. */
static void expect_many(const char *front, const char *middle, size_t count,
                        const char *back, const char *transcript) {
  size_t len = strlen(front) + count * strlen(middle) + strlen(back);
  char *bytes = malloc(len + 1);
  assert_non_null(bytes);
  char *at = bytes + sprintf(bytes, "%s", front);
  for (size_t i = 0; i < count; i++)
    at += sprintf(at, "%s", middle);
  (void)sprintf(at, "%s", back);
  const struct row row = {bytes, len, transcript, 0};
  expect_row(&row, 0);
  expect_row(&row, SIZE_MAX);
  for (size_t cut = 1; cut < len; cut += len / 16 + 1)
    expect_row(&row, cut);
  free(bytes);
}

/* H19: limits, and exactly at them. */
static void limits(void **state) {
  (void)state;
  const char *over = "error: the response head is over its limit";
  size_t room = HEAD_BYTES - strlen(OK11) - strlen("A: \r\n\r\n");
  struct scribe scribe;
  struct meter meter = {0};
  char *big = malloc(2 * HEAD_BYTES);
  assert_non_null(big);
  for (size_t i = 0; i < 2; i++) {
    size_t len = (size_t)sprintf(big, "%sA: ", OK11);
    memset(big + len, 'b', room + i);
    len += room + i;
    len += (size_t)sprintf(big + len, "\r\n\r\n");
    const struct row row = {big, len, over, 1};
    if (i == 1) {
      expect_row(&row, 0);
      expect_row(&row, SIZE_MAX);
      continue;
    }
    struct runnel__mem mem;
    runnel__mem_init(&mem, NULL, UINT64_MAX);
    struct runnel__reply *reply = runnel__reply_new(&mem, 1, HEAD_BYTES);
    char *body;
    size_t body_len;
    runnel__reply_feed(reply, big, len);
    assert_int_equal(runnel__reply_next(reply, &mem, &body, &body_len),
                     RUNNEL__REPLY_HEAD);
    assert_int_equal(runnel__reply_header(reply, RUNNEL__STR("a"), NULL).len,
                     room);
    runnel__reply_free(reply, &mem);
  }
  free(big);
  (void)scribe;
  (void)meter;
  expect_many(OK11, "x", HEAD_BYTES, "", over);
  expect_many("", "HTTP/1.1 100 x\r\nA: bbbbbbbbbbbbbbb\r\n\r\n", 8,
              OK11 "\r\n", "200 [] end");
  expect_many("", "HTTP/1.1 100 x\r\n\r\n", 9, OK11 "\r\n",
              "error: over 8 responses 1xx");
  expect_many(OK11, ":", HEAD_BYTES, "", over);
  expect_many("X", "x", HEAD_BYTES, "", NOT_HTTP);
  expect_many("HTTP/1.1 103 x\r\n", "A:\r\n", 256, "\r\n" OK11 "\r\n",
              "200 [] end");
  expect_many("HTTP/1.1 103 x\r\n", "A:\r\n", 256, "\r\n" OK11 "B:\r\n\r\n",
              "error: the response head has over 256 fields");
  expect_many(OK11, "A:\r\n", 257, "\r\n",
              "error: the response head has over 256 fields");
  expect_many(CHUNKED "1;", "x", 4096 - 4, "\r\na\r\n0\r\n\r\n", CH "[a] end");
  expect_many(CHUNKED "1;", "x", 4096 - 3, "\r\na\r\n0\r\n\r\n",
              CH "[] error: a chunk's size line is over its limit");
  expect_many(CHUNKED, "0", 4097, "\r\n",
              CH "[] error: a chunk's size line is over its limit");
  expect_many(CHUNKED "0\r\n", "A:b\r\n", 3276, "\r\n", CH "[] end");
  expect_many(CHUNKED "0\r\n", "A:b\r\n", 3277, "\r\n",
              CH "[] error: the trailers are over their limit");
}

/* Each byte value, in a name, a value and a reason. */
static void every_byte(void **state) {
  (void)state;
  for (int byte = 0; byte < 256; byte++) {
    char c = (char)byte;
    int is_text = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    int is_token =
        byte > 0x20 && byte < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
    const struct {
      const char *front, *back;
      int good;
    } places[] = {{OK11 "A", "B: c\r\n\r\n", is_token || byte == ':'},
                  {OK11 "A: b", "c\r\n\r\n", is_text},
                  {"HTTP/1.1 200 O", "K\r\n\r\n", is_text}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
      char bytes[64];
      struct scribe scribe;
      struct meter meter = {0};
      size_t front = strlen(places[i].front);
      size_t back = strlen(places[i].back);
      memcpy(bytes, places[i].front, front);
      bytes[front] = c;
      memcpy(bytes + front + 1, places[i].back, back);
      const struct row row = {bytes, front + 1 + back, "", 1};
      play(&scribe, &row, 0, &meter);
      assert_int_equal(strncmp(scribe.text, "200 ", 4) == 0, places[i].good);
      assert_int_equal(strncmp(scribe.text, "error: ", 7) == 0,
                       !places[i].good);
    }
  }
}

/* What is kept over a pause: the bytes left can be put elsewhere. */
static void left_can_be_moved(void **state) {
  (void)state;
  char first[] = CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nrest";
  char second[sizeof first];
  struct runnel__mem mem;
  runnel__mem_init(&mem, NULL, UINT64_MAX);
  struct runnel__reply *reply = runnel__reply_new(&mem, 0, HEAD_BYTES);
  char *body;
  size_t len;
  runnel__reply_feed(reply, first, sizeof first - 1);
  assert_int_equal(runnel__reply_status(reply), 0);
  assert_int_equal(runnel__reply_next(reply, &mem, &body, &len),
                   RUNNEL__REPLY_HEAD);
  assert_int_equal(runnel__reply_status(reply), 200);
  size_t count;
  assert_null(runnel__reply_header(reply, RUNNEL__STR("x"), &count).at);
  assert_int_equal(count, 0);
  runnel__reply_forget(reply, &mem);
  assert_int_equal(mem.held, 0);
  assert_int_equal(runnel__reply_status(reply), 200);
  assert_int_equal(runnel__reply_next(reply, &mem, &body, &len),
                   RUNNEL__REPLY_BODY);
  char *left = runnel__reply_left(reply, &len);
  memcpy(second, left, len);
  memset(first, 'x', sizeof first);
  runnel__reply_moved(reply, second);
  assert_int_equal(runnel__reply_next(reply, &mem, &body, &len),
                   RUNNEL__REPLY_BODY);
  assert_memory_equal(body, "de", len);
  assert_int_equal(runnel__reply_next(reply, &mem, &body, &len),
                   RUNNEL__REPLY_END);
  left = runnel__reply_left(reply, &len);
  assert_memory_equal(left, "rest", len);
  assert_int_equal(runnel__reply_finish(reply), RUNNEL__REPLY_END);
  runnel__reply_free(reply, &mem);
  runnel__reply_free(NULL, &mem);
}

int runnel__test_reply(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_whole),
      cmocka_unit_test(rows_byte_by_byte),
      cmocka_unit_test(rows_at_every_cut),
      cmocka_unit_test(rows_without_memory),
      cmocka_unit_test(limits),
      cmocka_unit_test(every_byte),
      cmocka_unit_test(left_can_be_moved),
  };
  return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
