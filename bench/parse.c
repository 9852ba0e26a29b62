/* How fast is the parser alone? GB/s, ns per event and events per second over
 * streams of varying lengths (fixed ones flatter branch prediction), beside
 * memcpy and memchr over the same bytes in the same run; then whether a large
 * event that comes byte by byte costs as much per byte as a small one.
 *
 *   parse [--json] [rounds]     medians of `rounds` rounds, default 5
 *
 * Each stream is fed from memory, 64 KiB at a time, as a link feeds it but for
 * the slack, which the public parser does without. Only parsing is timed, not
 * the copy into the buffer. Each event goes to a callback that adds its length
 * up. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runnel.h"

#define CORPUS_BYTES ((size_t)16 << 20)
#define READ_BYTES ((size_t)65536)
#define ROUNDS_MAX 101

struct corpus {
  const char *name;
  void (*write)(struct corpus *corpus); /* appends one event */
  char *bytes;
  size_t len;
  uint64_t events;
  uint64_t random;
};

struct figures {
  double parse_ns;
  double memcpy_ns;
  double memchr_ns;
};

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* A number from `least` to `most`. */
static size_t draw(struct corpus *corpus, size_t least, size_t most) {
  corpus->random ^= corpus->random << 13;
  corpus->random ^= corpus->random >> 7;
  corpus->random ^= corpus->random << 17;
  return least + corpus->random % (most - least + 1);
}

static void put(struct corpus *corpus, const char *text) {
  size_t len = strlen(text);
  memcpy(corpus->bytes + corpus->len, text, len);
  corpus->len += len;
}

static void fill(struct corpus *corpus, size_t len) {
  for (size_t i = 0; i < len; i++, corpus->len++)
    corpus->bytes[corpus->len] = (char)('a' + (corpus->len * 7 + i) % 26);
}

static void write_tiny(struct corpus *corpus) {
  put(corpus, "data: {\"delta\":\"");
  fill(corpus, draw(corpus, 1, 9));
  put(corpus, "\"}\n\n");
}

static void write_medium(struct corpus *corpus) {
  char id[32];
  snprintf(id, sizeof id, "id: %" PRIu64 "\n", corpus->events);
  put(corpus, id);
  put(corpus, "event: content\ndata: {");
  fill(corpus, draw(corpus, 200, 320));
  put(corpus, "}\n\n");
}

static void write_large(struct corpus *corpus) {
  put(corpus, "data: ");
  fill(corpus, draw(corpus, 14000, 18000));
  put(corpus, "\n\n");
}

static void write_multi(struct corpus *corpus) {
  for (int line = 0; line < 8; line++) {
    put(corpus, "data: ");
    fill(corpus, draw(corpus, 20, 120));
    put(corpus, "\n");
  }
  put(corpus, "\n");
}

static void write_crlf(struct corpus *corpus) {
  put(corpus, "event: token\r\ndata: {\"delta\":\"");
  fill(corpus, draw(corpus, 1, 40));
  put(corpus, "\"}\r\n\r\n");
}

static void make_corpus(struct corpus *corpus) {
  corpus->random = 88172645463325252u;
  corpus->bytes = malloc(CORPUS_BYTES + READ_BYTES);
  if (corpus->bytes == NULL)
    exit(1);
  while (corpus->len < CORPUS_BYTES) {
    corpus->write(corpus);
    corpus->events++;
  }
}

struct sum {
  uint64_t events;
  uint64_t bytes;
};

static void add_event(struct sum *sum, const struct runnel_event *event) {
  sum->events++;
  sum->bytes += event->data_len;
}

/* Through a pointer, as the library calls the application. */
static void (*volatile on_event)(struct sum *,
                                 const struct runnel_event *) = add_event;

static void drain(runnel_parser *parser, struct sum *sum) {
  void (*hear)(struct sum *, const struct runnel_event *) = on_event;
  const struct runnel_event *event;
  int kind;
  while ((kind = runnel_parser_next(parser, &event)) > 0)
    if (kind == RUNNEL_PARSED_EVENT)
      hear(sum, event);
  if (kind < 0) {
    fprintf(stderr, "parse: %s\n", runnel_err_name(kind));
    exit(1);
  }
}

static runnel_parser *new_parser(void) {
  struct runnel_parser_options options = RUNNEL_PARSER_OPTIONS_INIT;
  runnel_parser *parser;
  options.event_bytes_max = INT64_C(1) << 30;
  if (runnel_parser_new(&parser, &options) != RUNNEL_OK)
    exit(1);
  return parser;
}

/* Parses a corpus once, `step` bytes at a time; ns spent in the parser. */
static uint64_t parse_once(const struct corpus *corpus, size_t step) {
  static char buffer[READ_BYTES];
  runnel_parser *parser = new_parser();
  struct sum sum = {0};
  uint64_t spent = 0;
  for (size_t at = 0; at < corpus->len; at += step) {
    size_t len = corpus->len - at < step ? corpus->len - at : step;
    memcpy(buffer, corpus->bytes + at, len);
    uint64_t began = now_ns();
    runnel_parser_feed(parser, buffer, len);
    drain(parser, &sum);
    spent += now_ns() - began;
  }
  runnel_parser_free(parser);
  if (sum.events != corpus->events) {
    fprintf(stderr, "parse: %s: %" PRIu64 " events of %" PRIu64 "\n",
            corpus->name, sum.events, corpus->events);
    exit(1);
  }
  return spent;
}

static uint64_t copy_once(const struct corpus *corpus) {
  static char buffer[READ_BYTES];
  uint64_t began = now_ns();
  for (size_t at = 0; at + READ_BYTES <= corpus->len; at += READ_BYTES) {
    memcpy(buffer, corpus->bytes + at, READ_BYTES);
    __asm__ volatile("" : : "r"(buffer) : "memory");
  }
  return now_ns() - began;
}

static uint64_t search_once(const struct corpus *corpus) {
  const char *at = corpus->bytes;
  const char *end = corpus->bytes + corpus->len;
  volatile size_t lines = 0;
  size_t count = 0;
  uint64_t began = now_ns();
  while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
    at++;
    count++;
  }
  lines = count;
  (void)lines;
  return now_ns() - began;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int len) {
  qsort(values, (size_t)len, sizeof values[0], by_value);
  return values[len / 2];
}

static struct figures measure(const struct corpus *corpus, int rounds) {
  double parse[ROUNDS_MAX], copy[ROUNDS_MAX], search[ROUNDS_MAX];
  for (int i = 0; i < rounds; i++) {
    parse[i] = (double)parse_once(corpus, READ_BYTES);
    copy[i] = (double)copy_once(corpus);
    search[i] = (double)search_once(corpus);
  }
  struct figures figures = {median(parse, rounds), median(copy, rounds),
                            median(search, rounds)};
  return figures;
}

static void report(const struct corpus *corpus, const struct figures *figures,
                   int json) {
  double bytes = (double)corpus->len;
  double events = (double)corpus->events;
  if (json)
    printf("{\"corpus\":\"%s\",\"gb_per_s\":%.3f,\"ns_per_event\":%.2f,"
           "\"memcpy_gb_per_s\":%.3f,\"memchr_gb_per_s\":%.3f}\n",
           corpus->name, bytes / figures->parse_ns, figures->parse_ns / events,
           bytes / figures->memcpy_ns, bytes / figures->memchr_ns);
  else
    printf("%-8s %8.2f %12.1f %12.2f %12.2f %12.2f\n", corpus->name,
           bytes / figures->parse_ns, figures->parse_ns / events,
           1e3 * events / figures->parse_ns, bytes / figures->memcpy_ns,
           bytes / figures->memchr_ns);
}

/* ns per byte of one event of `len` bytes that comes byte by byte. */
static double piecewise(size_t len) {
  struct corpus corpus = {.name = "piecewise", .events = 1, .random = 1};
  corpus.bytes = malloc(len + 16);
  if (corpus.bytes == NULL)
    exit(1);
  put(&corpus, "data:");
  fill(&corpus, len);
  put(&corpus, "\n\n");
  char byte[1];
  runnel_parser *parser = new_parser();
  struct sum sum = {0};
  uint64_t began = now_ns();
  for (size_t at = 0; at < corpus.len; at++) {
    byte[0] = corpus.bytes[at];
    runnel_parser_feed(parser, byte, 1);
    drain(parser, &sum);
  }
  double spent = (double)(now_ns() - began);
  runnel_parser_free(parser);
  free(corpus.bytes);
  return spent / (double)len;
}

int main(int argc, char **argv) {
  struct corpus corpora[] = {{.name = "tiny", .write = write_tiny},
                             {.name = "medium", .write = write_medium},
                             {.name = "large", .write = write_large},
                             {.name = "multi", .write = write_multi},
                             {.name = "crlf", .write = write_crlf}};
  int json = argc > 1 && strcmp(argv[1], "--json") == 0;
  int rounds = argc > 1 + json ? (int)strtol(argv[1 + json], NULL, 10) : 5;
  if (rounds < 1 || rounds > ROUNDS_MAX) {
    fprintf(stderr, "usage: parse [--json] [rounds, 1 to %d]\n", ROUNDS_MAX);
    return 2;
  }
  if (!json)
    printf("%-8s %8s %12s %12s %12s %12s\n", "stream", "GB/s", "ns/event",
           "M events/s", "memcpy GB/s", "memchr GB/s");
  for (size_t i = 0; i < sizeof corpora / sizeof corpora[0]; i++) {
    make_corpus(&corpora[i]);
    struct figures figures = measure(&corpora[i], rounds);
    report(&corpora[i], &figures, json);
    free(corpora[i].bytes);
  }
  double small = piecewise((size_t)1 << 20);
  double big = piecewise((size_t)64 << 20);
  if (json)
    printf("{\"piecewise_ns_per_byte\":{\"1MiB\":%.2f,\"64MiB\":%.2f}}\n",
           small, big);
  else
    printf("byte by byte: %.1f ns/byte in 1 MiB, %.1f in 64 MiB: %.2f times\n",
           small, big, big / small);
  return 0;
}
