/* Gate R1: what comes of a stream does not depend on where its bytes are cut,
 * in any layer, nor on how its body is framed. Each vector goes through the
 * layers whole, byte by byte, and with one and two cuts everywhere, and must
 * read as the slow parser reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "split_run.h"
#include "vectors.h"

/* Two cuts are tried in streams up to this. */
#define TWO_CUTS_BYTES_MAX 200

/* A longer one is cut in some framings only. */
#define CUTS_BYTES_MAX 1000

/* Pairs of cuts that are tried of each stream in each framing: all, but in a
 * build for finding faults, which is many times slower, every so-manyeth. */
#ifdef NDEBUG
#define PAIRS_MAX SIZE_MAX
#else
#define PAIRS_MAX 500
#endif

#define QUICKS 4 /* at least as many ways of reading lines as there are */
#define SLICE_BYTES_MAX 65536 /* a framed vector */
#define PAYLOAD_SLICE_BYTES_MAX (4 << 20)

int runnel__test_split(void);

/* How a stream becomes what is fed. */
struct framing {
  const char *name;
  enum split_layer layer;
  const char *head;      /* with %zu, the stream's length */
  size_t chunk_len;      /* 0: not chunked */
  const char *size_line; /* the size, and what stands behind it */
  const char *trailers;
  int closely; /* cut twice too, and moved at every cut */
};

#define OK11 "HTTP/1.1 200 OK\r\n"

static const struct framing framings[] = {
    {"alone", SPLIT_STREAM, "", 0, "", "", 1},
    {"in one chunk", SPLIT_CHUNKS, "", SIZE_MAX, "%zx\r\n", "", 0},
    {"in chunks of a byte", SPLIT_CHUNKS, "", 1, "%zx\r\n", "", 0},
    {"in chunks of 11", SPLIT_CHUNKS, "", 11, "%zx\r\n", "", 1},
    {"in chunks with all there is", SPLIT_CHUNKS, "", 13,
     "00%zX;a=\"\\\"\";b\r\n", "A: b\r\nC:\r\n", 1},
    {"in a response", SPLIT_REPLY, OK11 "Transfer-Encoding: chunked\r\n\r\n",
     17, "%zx\r\n", "", 1},
    {"in a response behind another", SPLIT_REPLY,
     "HTTP/1.1 103 Early\r\nA: b\r\n\r\n" OK11
     "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
     29, "%zx;a\r\n", "A: b\r\n", 0},
    {"in a response of a length", SPLIT_REPLY,
     OK11 "Content-Length: %zu\r\n\r\n", 0, "", "", 1},
    {"in a response until its end", SPLIT_REPLY, "HTTP/1.0 200 OK\r\n\r\n", 0,
     "", "", 1},
};

#define FRAMINGS (sizeof framings / sizeof framings[0])

static void print_size(struct story_bytes *to, const char *format,
                       size_t size) {
  char text[256];
  int len = snprintf(text, sizeof text, format, size);
  assert_in_range(len, 0, sizeof text - 1);
  story_bytes_add(to, text, (size_t)len);
}

static void frame(struct story_bytes *to, const struct framing *framing,
                  const char *stream, size_t len) {
  to->len = 0;
  print_size(to, framing->head, len);
  if (framing->chunk_len == 0) {
    story_bytes_add(to, stream, len);
    return;
  }
  for (size_t at = 0; at < len;) {
    size_t size = len - at < framing->chunk_len ? len - at : framing->chunk_len;
    print_size(to, framing->size_line, size);
    story_bytes_add(to, stream + at, size);
    story_bytes_text(to, "\r\n");
    at += size;
  }
  story_bytes_text(to, "0\r\n");
  story_bytes_text(to, framing->trailers);
  story_bytes_text(to, "\r\n");
}

struct bench {
  struct split_rooms rooms;
  struct story_bytes bytes;  /* framed */
  struct story_bytes wanted; /* by the slow parser */
  struct story_bytes notes;
  const char *stream; /* its name */
  const struct framing *framing;
  size_t streams;
  size_t parses[SPLIT_LAYERS];
  size_t pairs_left_out;
};

static void bench_deinit(struct bench *bench) {
  split_rooms_deinit(&bench->rooms);
  story_bytes_free(&bench->bytes);
  story_bytes_free(&bench->wanted);
  story_bytes_free(&bench->notes);
}

static void report(struct bench *bench, const struct split_plan *plan) {
  struct story_bytes text = {0};
  story_bytes_text(&text, "wanted: ");
  story_escape(&text, bench->wanted.at, bench->wanted.len);
  story_bytes_text(&text, "\ngot:    ");
  story_escape(&text, bench->notes.at, bench->notes.len);
  story_bytes_text(&text, "\nof:     ");
  story_escape(&text, bench->bytes.at, bench->bytes.len);
  print_error("%s, %s, %s slack, quick %zu, step %zu%s, cuts:", bench->stream,
              bench->framing->name, plan->slack ? "with" : "no", plan->quick,
              plan->step, plan->move ? ", moved" : "");
  for (size_t i = 0; i < plan->cuts_len; i++)
    print_error(" %zu", plan->cuts[i]);
  print_error("\n%s\n", text.at);
  story_bytes_free(&text);
  fail();
}

static void try_plan(struct bench *bench, const struct split_plan *plan) {
  split_run(&bench->notes, &bench->rooms, bench->bytes.at, bench->bytes.len,
            plan);
  bench->parses[plan->layer]++;
  if (bench->notes.len != bench->wanted.len ||
      memcmp(bench->notes.at, bench->wanted.at, bench->wanted.len) != 0)
    report(bench, plan);
}

/* Slices of one size (0: one slice), with each way of reading, each slack,
 * moved and not. */
static void try_steps(struct bench *bench, struct split_plan plan,
                      size_t step) {
  plan.step = step;
  for (plan.quick = 0; plan.quick < QUICKS; plan.quick++)
    for (plan.slack = 0; plan.slack <= 1; plan.slack++)
      for (plan.move = 0; plan.move <= 1; plan.move++)
        try_plan(bench, &plan);
}

/* What a number says beside the cuts, so that each way meets each place. */
static void choose(struct split_plan *plan, size_t number) {
  plan->quick = number % QUICKS;
  plan->slack = number / QUICKS % 2 == 0;
  plan->move = number / QUICKS / 2 % 4 == 0;
}

static void try_one_cut(struct bench *bench, struct split_plan plan) {
  size_t cut;
  plan.cuts = &cut;
  plan.cuts_len = 1;
  for (cut = 1; cut < bench->bytes.len; cut++) {
    choose(&plan, cut);
    try_plan(bench, &plan);
    plan.move = !plan.move;
    if (bench->framing->closely)
      try_plan(bench, &plan);
  }
}

/* Every so-manyeth pair of cuts, each stream beginning elsewhere. */
static void try_two_cuts(struct bench *bench, struct split_plan plan) {
  size_t len = bench->bytes.len, cuts[2], number = bench->streams;
  size_t pairs = len < 3 ? 0 : (len - 1) * (len - 2) / 2;
  size_t every = pairs / PAIRS_MAX + 1;
  plan.cuts = cuts;
  plan.cuts_len = 2;
  for (cuts[0] = 1; cuts[0] < len; cuts[0]++) {
    for (cuts[1] = cuts[0] + 1; cuts[1] < len; cuts[1]++) {
      if (number++ % every != 0) {
        bench->pairs_left_out++;
        continue;
      }
      choose(&plan, number / every);
      try_plan(bench, &plan);
    }
  }
}

static void try_vector(const struct vector *vector, void *user) {
  struct bench *bench = user;
  size_t len = vector->in_len;
  bench->streams++;
  bench->stream = vector->name;
  split_run_slow(&bench->wanted, vector->in, len, &vector->rules);
  for (size_t i = 0; i < FRAMINGS; i++) {
    bench->framing = &framings[i];
    struct split_plan plan = {.layer = framings[i].layer,
                              .rules = &vector->rules};
    frame(&bench->bytes, &framings[i], vector->in, len);
    try_steps(bench, plan, 0);
    try_steps(bench, plan, 1);
    if (framings[i].closely || len <= CUTS_BYTES_MAX)
      try_one_cut(bench, plan);
    if (framings[i].closely && len <= TWO_CUTS_BYTES_MAX)
      try_two_cuts(bench, plan);
  }
}

static void test_vectors(void **state) {
  (void)state;
  struct bench bench = {0};
  split_rooms_init(&bench.rooms, SLICE_BYTES_MAX);
  vectors_all(try_vector, &bench);
  assert_true(bench.streams >= 400);
  print_message("%zu streams; parses: %zu alone, %zu in chunks, %zu in "
                "responses; %zu pairs of cuts left out\n",
                bench.streams, bench.parses[SPLIT_STREAM],
                bench.parses[SPLIT_CHUNKS], bench.parses[SPLIT_REPLY],
                bench.pairs_left_out);
  bench_deinit(&bench);
}

/* One event with data of that many bytes, in reads of the usual sizes. */
static void try_payload(struct bench *bench, size_t len) {
  static const size_t steps[] = {0, 65536, 16384, 4096, 1448};
  const struct runnel__parser_rules rules = {
      .event_bytes_max = 1 << 20, .id_bytes_max = 1, .type_bytes_max = 1};
  struct story_bytes stream = {0};
  char name[64];
  (void)snprintf(name, sizeof name, "a payload of %zu bytes", len);
  bench->streams++;
  bench->stream = name;
  story_bytes_text(&stream, "data: ");
  for (size_t i = 0; i < len; i++)
    story_bytes_add(&stream, "x", 1);
  story_bytes_text(&stream, "\n\n");
  split_run_slow(&bench->wanted, stream.at, stream.len, &rules);
  for (size_t i = 0; i < FRAMINGS; i++) {
    if (!framings[i].closely)
      continue;
    bench->framing = &framings[i];
    struct split_plan plan = {.layer = framings[i].layer, .rules = &rules};
    frame(&bench->bytes, &framings[i], stream.at, stream.len);
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
      choose(&plan, i + k);
      plan.step = steps[k];
      try_plan(bench, &plan);
    }
  }
  story_bytes_free(&stream);
}

/* Around the sizes of buffers that readers have. */
static void test_payload_sizes(void **state) {
  static const size_t lens[] = {
      1,    128,  512,  1023, 1024,  1025,  2048,  3999,  4094,   4096,   4098,
      6144, 8189, 8192, 8195, 12288, 16384, 32768, 65536, 262144, 1 << 20};
  (void)state;
  struct bench bench = {0};
  split_rooms_init(&bench.rooms, PAYLOAD_SLICE_BYTES_MAX);
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
    try_payload(&bench, lens[i]);
  print_message("%zu payloads\n", bench.streams);
  bench_deinit(&bench);
}

int runnel__test_split(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vectors),
      cmocka_unit_test(test_payload_sizes),
  };
  return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
