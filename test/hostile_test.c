/* Servers that want to exhaust their client (gate R13), in the virtual world:
 * each sends what never ends, in reads of several sizes, into memory that
 * counts. What the library holds at most stays within the option that bounds it
 * and 64 KiB for all else; and no byte is looked at again and again. pages.h
 * counts the pages that anybody looks into, of the reads and of what is kept:
 * at most twice for each page of a read that came (to keep it and to show it),
 * and an eighth for pages that two turns share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"
#include "pages.h"

int runnel__test_hostile(void);

#define URL "http://10.0.0.1/feed"
#define READ_BYTES_MAX 65536
/* Of a dribble: all of it would say no more. */
#define SHORT_READS 4096
#define ALLOWANCE 65536

#define EVENT_BYTES_MAX 262144
#define HEAD_BYTES_MAX 65536
#define ID_BYTES_MAX 1024
#define TYPE_BYTES_MAX 256
#define BODY_BYTES_MAX 16384

#define CHUNKED_HEAD LAB_OPEN_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const struct server {
  const char *name;
  const char *once; /* comes first, in a read of its own */
  const char *more; /* then this, for ever */
  size_t limit;     /* bytes that may be held, and ALLOWANCE */
  size_t received;  /* bytes after which the test stops */
  int code;         /* how it ends; RUNNEL_OK: not within these bytes */
  int comments;     /* somebody listens to them */
  int oversize;
  size_t pause_after;
} servers[] = {
    {"endless head", "HTTP/1.1 200 OK\r\n", "A: 0123456789\r\n", HEAD_BYTES_MAX,
     1 << 20, RUNNEL_EHTTP, 0, 0, 0},
    {"endless line of a head", "HTTP/1.1 200 OK\r\nA: ", "0123456789",
     HEAD_BYTES_MAX, 1 << 20, RUNNEL_EHTTP, 0, 0, 0},
    {"endless reason", "HTTP/1.1 200 ", "0123456789", HEAD_BYTES_MAX, 1 << 20,
     RUNNEL_EHTTP, 0, 0, 0},
    {"endless answers 1xx", "HTTP/1.1 100 x\r\n",
     "\r\nHTTP/1.1 102 y\r\nA: b\r\n", HEAD_BYTES_MAX, 1 << 20, RUNNEL_EHTTP, 0,
     0, 0},
    {"endless empty lines first", "\r\n", "\r\n", HEAD_BYTES_MAX, 1 << 20,
     RUNNEL_EHTTP, 0, 0, 0},
    {"endless chunk extension", CHUNKED_HEAD "5", ";a=b", 0, 1 << 20,
     RUNNEL_EHTTP, 0, 0, 0},
    {"endless trailers", CHUNKED_HEAD "0\r\n", "A: b\r\n", 0, 1 << 20,
     RUNNEL_EHTTP, 0, 0, 0},
    {"endless chunks of a byte", CHUNKED_HEAD "6\r\ndata: \r\n", "1\r\na\r\n",
     EVENT_BYTES_MAX, 4 << 20, RUNNEL_ETOOBIG, 0, 0, 0},
    {"a chunk of 2^64 - 1", CHUNKED_HEAD "ffffffffffffffff\r\n",
     "data: 0123456789\n\n", 0, 2 << 20, RUNNEL_OK, 0, 0, 0},
    {"endless error", "HTTP/1.1 500 x\r\n\r\n", "sorry ", BODY_BYTES_MAX,
     1 << 20, RUNNEL_ESTATUS, 0, 0, 0},
    {"endless line", LAB_OPEN_HEAD "\r\ndata: ", "0123456789", EVENT_BYTES_MAX,
     2 << 20, RUNNEL_ETOOBIG, 0, 0, 0},
    {"endless line, dropped", LAB_OPEN_HEAD "\r\ndata: ", "0123456789",
     EVENT_BYTES_MAX, 2 << 20, RUNNEL_OK, 0, RUNNEL_OVERSIZE_DROP, 0},
    {"endless data lines", LAB_OPEN_HEAD "\r\n", "data: 01234567\n",
     EVENT_BYTES_MAX, 2 << 20, RUNNEL_ETOOBIG, 0, 0, 0},
    {"a million empty data lines", LAB_OPEN_HEAD "\r\n", "data\n",
     EVENT_BYTES_MAX, 5000000, RUNNEL_ETOOBIG, 0, 0, 0},
    {"a million empty data lines, dropped", LAB_OPEN_HEAD "\r\n", "data\n",
     EVENT_BYTES_MAX, 5000000, RUNNEL_OK, 0, RUNNEL_OVERSIZE_DROP, 0},
    {"endless comment", LAB_OPEN_HEAD "\r\n:", "0123456789", 0, 2 << 20,
     RUNNEL_OK, 0, 0, 0},
    {"endless comment, listened to", LAB_OPEN_HEAD "\r\n:", "0123456789",
     EVENT_BYTES_MAX, 2 << 20, RUNNEL_OK, 1, 0, 0},
    {"endless comments, listened to", LAB_OPEN_HEAD "\r\n", ": a\n", 0, 2 << 20,
     RUNNEL_OK, 1, 0, 0},
    {"endless field nobody knows", LAB_OPEN_HEAD "\r\nfield", "0123456789", 0,
     2 << 20, RUNNEL_OK, 0, 0, 0},
    {"endless blank lines", LAB_OPEN_HEAD "\r\n", "\n", 0, 2 << 20, RUNNEL_OK,
     0, 0, 0},
    {"endless line ends of all kinds", LAB_OPEN_HEAD "\r\n", "\r\r\n\n", 0,
     2 << 20, RUNNEL_OK, 0, 0, 0},
    /* a NUL to come would make it none, so its end decides */
    {"endless id", LAB_OPEN_HEAD "\r\nid: ", "0123456789", ID_BYTES_MAX,
     1 << 20, RUNNEL_OK, 0, 0, 0},
    {"endless type", LAB_OPEN_HEAD "\r\nevent: ", "0123456789", TYPE_BYTES_MAX,
     1 << 20, RUNNEL_ETOOBIG, 0, 0, 0},
    {"endless retry", LAB_OPEN_HEAD "\r\nretry: ", "0123456789", 0, 1 << 20,
     RUNNEL_OK, 0, 0, 0},
    {"endless ids", LAB_OPEN_HEAD "\r\n", "id: 0123456789\n", ID_BYTES_MAX,
     2 << 20, RUNNEL_OK, 0, 0, 0},
    {"firehose", LAB_OPEN_HEAD "\r\n", "data: 0123456789\n\n", 0, 2 << 20,
     RUNNEL_OK, 0, 0, 0},
    {"firehose while paused", LAB_OPEN_HEAD "\r\n", "data: 0123456789\n\n",
     READ_BYTES_MAX, 2 << 20, RUNNEL_OK, 0, 0, 100},
};

/* How the bytes come: sizes of the reads. One byte at a time is the dribble. */
static const size_t reads[] = {1, 100, 4096, READ_BYTES_MAX};

struct tally {
  size_t received;
  size_t pages; /* of reads that came; a read has one at the least */
};

/* One read, as a world gives it, from pages that count. 0: nobody listens. */
static int give_read(struct lab *lab, struct sim_link *link, char *block,
                     const char *bytes, size_t len) {
  if (!lab_has(lab, link) || !link->listens)
    return 0;
  pages_open(block);
  memcpy(block, bytes, len);
  memset(block + len, 0xa5, RUNNEL__SLACK_BYTES);
  pages_close(block);
  link->ears->bytes(link->owner, block, len);
  sim_settle(&lab->sim);
  return 1;
}

static void give_endlessly(struct lab *lab, struct sim_link *link,
                           const struct server *server, size_t read_len,
                           struct tally *tally) {
  static char text[2 * READ_BYTES_MAX];
  char *block = pages_new(READ_BYTES_MAX + RUNNEL__SLACK_BYTES, PAGES_INPUT);
  size_t more_len = strlen(server->more);
  size_t at = 0;
  size_t max = server->received;
  if (read_len < PAGES_BYTES && max > read_len * SHORT_READS)
    max = read_len * SHORT_READS;
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = server->more[i % more_len];
  int listens = give_read(lab, link, block, server->once, strlen(server->once));
  while (listens && tally->received < max) {
    listens = give_read(lab, link, block, text + at, read_len);
    if (!listens)
      break;
    at = (at + read_len) % more_len;
    tally->received += read_len;
    tally->pages += (read_len + PAGES_BYTES - 1) / PAGES_BYTES;
  }
  pages_free(block);
}

static void set_options(struct runnel_stream_options *options,
                        const struct server *server) {
  *options = (struct runnel_stream_options)RUNNEL_STREAM_OPTIONS_INIT;
  options->event_bytes_max = EVENT_BYTES_MAX;
  options->id_bytes_max = ID_BYTES_MAX;
  options->type_bytes_max = TYPE_BYTES_MAX;
  options->head_bytes_max = HEAD_BYTES_MAX;
  options->error_body_bytes_max = BODY_BYTES_MAX;
  options->oversize = server->oversize;
}

static void check_end(const struct server *server, const struct lab_feed *feed,
                      size_t read_len, size_t received) {
  int is_short = received < server->received && read_len < PAGES_BYTES;
  if (server->pause_after > 0)
    assert_int_equal(runnel_stream_state(feed->stream), RUNNEL_STATE_PAUSED);
  if (feed->ends == 0 && (is_short || server->code == RUNNEL_OK))
    return;
  if (feed->code != server->code)
    fail_msg("%s, reads of %zu: %s: %s", server->name, read_len,
             runnel_err_name(feed->code), feed->text);
}

/* One server, one size of read. */
static void meet(const struct server *server, size_t read_len, int shows) {
  struct lab lab = {.in_pages = 1};
  struct lab_feed feed = {.comments_heard = server->comments,
                          .pause_after = server->pause_after};
  struct runnel_stream_options options;
  struct tally tally = {0};
  set_options(&options, server);
  pages_begin();
  lab_open(&lab, NULL);
  lab_feed_open(&feed, &lab, URL, &options);
  give_endlessly(&lab, lab_dial(&lab), server, read_len, &tally);
  check_end(server, &feed, read_len, tally.received);
  size_t input = pages_looks[PAGES_INPUT];
  size_t kept = pages_looks[PAGES_KEPT];
  if (lab.bytes_peak > server->limit + ALLOWANCE)
    fail_msg("%s, reads of %zu: %zu bytes held at most", server->name, read_len,
             lab.bytes_peak);
  size_t most = 2 * tally.pages + tally.pages / 8 + 8;
  if (input > most || kept > most)
    fail_msg("%s, reads of %zu: of %zu pages that came, %zu were looked at and "
             "%zu kept ones",
             server->name, read_len, tally.pages, input, kept);
  if (shows)
    print_message("hostile: %s: peak %zu KiB (limit %zu), per page received "
                  "%.2f looks at reads, %.2f at what is kept\n",
                  server->name, (lab.bytes_peak + 1023) / 1024,
                  server->limit / 1024, (double)input / (double)tally.pages,
                  (double)kept / (double)tally.pages);
  lab_close(&lab);
  pages_end();
}

static void servers_that_never_end(void **state) {
  (void)state;
  for (size_t i = 0; i < LEN(servers); i++)
    for (size_t k = 0; k < LEN(reads); k++)
      meet(&servers[i], reads[k], reads[k] == READ_BYTES_MAX);
}

/* Round and round: an attempt follows ten, then it is over. */
static void endless_redirects(void **state) {
  (void)state;
  struct lab lab = {0};
  struct lab_feed feed = {0};
  size_t hops = 0;
  lab_open(&lab, NULL);
  lab_feed_open(&feed, &lab, URL, NULL);
  for (struct sim_link *link; (link = lab_dial(&lab)) != NULL; hops++)
    lab_say(&lab, link,
            "HTTP/1.1 302 x\r\nLocation: /again\r\n"
            "Content-Length: 0\r\n\r\n");
  assert_int_equal(hops, 11);
  assert_int_equal(feed.code, RUNNEL_EREDIRECT);
  assert_int_equal(feed.closes, 1);
  assert_true(lab.bytes_peak <= ALLOWANCE);
  lab_close(&lab);
}

/* Bytes that come just fast enough: the head's clock is absolute, and so is an
 * error body's; a body's is fed by each byte. */
static void dribbles_meet_a_clock(void **state) {
  (void)state;
  static const struct {
    const char *once;
    int64_t ms; /* until it is over */
    int code;
  } rows[] = {{"H", 30000, RUNNEL_EHTTP},
              {"HTTP/1.1 200 ", 30000, RUNNEL_ETIMEDOUT},
              {"HTTP/1.1 200 x\r\nA: ", 30000, RUNNEL_ETIMEDOUT},
              {"HTTP/1.1 500 x\r\n\r\n", 2000, RUNNEL_ESTATUS},
              {LAB_OPEN_HEAD "\r\n:", 600000, RUNNEL_OK}};
  for (size_t i = 0; i < LEN(rows); i++) {
    struct lab lab = {0};
    struct lab_feed feed = {0};
    struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
    options.idle_ms_max = 1000;
    lab_open(&lab, NULL);
    lab_feed_open(&feed, &lab, URL, &options);
    struct sim_link *link = lab_dial(&lab);
    int64_t began_ms = lab.sim.now_ms;
    lab_say(&lab, link, rows[i].once);
    while (feed.ends == 0 && lab.sim.now_ms < began_ms + 600000) {
      int64_t next_ms = lab.sim.now_ms + 500;
      while (sim_tick(&lab.sim, next_ms))
        ;
      lab.sim.now_ms = next_ms;
      lab_say(&lab, link, "x");
    }
    assert_int_equal(feed.code, rows[i].code);
    assert_true(lab.sim.now_ms - began_ms <= rows[i].ms + 500);
    lab_close(&lab);
  }
}

/* Many streams of a client: what all hold is bounded together. */
static void many_cut_events(void **state) {
  (void)state;
  enum { STREAMS = 64 };
  static struct lab_feed feeds[STREAMS];
  static char piece[32768];
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  struct lab lab = {0};
  size_t failed = 0;
  options.held_bytes_max = 1 << 20;
  options.dials_max = RUNNEL_NONE;
  memset(piece, 'x', sizeof piece);
  memset(feeds, 0, sizeof feeds);
  lab_open(&lab, &options);
  size_t empty = lab.bytes;
  for (size_t i = 0; i < STREAMS; i++) {
    lab_feed_open(&feeds[i], &lab, URL, NULL);
    lab_say(&lab, lab_dial(&lab), LAB_OPEN_HEAD "\r\ndata: ");
  }
  struct sim_link *links[STREAMS];
  memcpy(links, lab.sim.links, sizeof links);
  for (size_t round = 0; round < 4; round++)
    for (size_t i = 0; i < STREAMS; i++)
      lab_give(&lab, links[i], piece, sizeof piece);
  for (size_t i = 0; i < STREAMS; i++) {
    failed += feeds[i].ends > 0;
    if (feeds[i].ends > 0) {
      assert_int_equal(feeds[i].code, RUNNEL_ENOMEM);
      assert_int_equal(feeds[i].retry, 1);
    }
  }
  assert_true(failed > 0 && failed < STREAMS);
  assert_true(lab.bytes_peak <= empty + (1 << 20) + STREAMS * 4096);
  lab_close(&lab);
}

/* What a stream costs that is open and has nothing to do (M4). */
static void open_streams_are_small(void **state) {
  (void)state;
  enum { STREAMS = 1000, STREAM_BYTES_MAX = 4096 };
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  struct lab lab = {0};
  struct lab_feed *feeds = calloc(STREAMS, sizeof *feeds);
  assert_non_null(feeds);
  options.dials_per_second_max = RUNNEL_NONE;
  options.origin_dials_per_second_max = RUNNEL_NONE;
  lab_open(&lab, &options);
  size_t empty = lab.bytes;
  for (size_t i = 0; i < STREAMS; i++) {
    lab_feed_open(&feeds[i], &lab, "http://feeds.example.com/feed/1", NULL);
    lab_say(&lab, lab_dial(&lab),
            CHUNKED_HEAD "1a\r\nid: 12345678\ndata: "
                         "event\n\n\r\n");
    assert_string_equal(feeds[i].data, "event|");
  }
  size_t each =
      (lab.bytes - empty) / STREAMS - sizeof(struct sim_link); /* the world's */
  print_message("hostile: an open stream holds %zu bytes\n", each);
  assert_true(each <= STREAM_BYTES_MAX);
  lab_close(&lab);
  free(feeds);
}

int runnel__test_hostile(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(servers_that_never_end),
      cmocka_unit_test(endless_redirects),
      cmocka_unit_test(dribbles_meet_a_clock),
      cmocka_unit_test(many_cut_events),
      cmocka_unit_test(open_streams_are_small),
  };
  return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
