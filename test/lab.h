/* The whole library on a virtual world (sim.h), for tests that walk tables: a
 * client whose memory is counted, subscriptions that write down what they hear,
 * and a peer in a few calls.
 *
 *   struct lab lab;
 *   struct lab_feed feed = {0};
 *   lab_open(&lab, NULL);
 *   lab_feed_open(&feed, &lab, "http://10.0.0.1/", NULL);
 *   struct sim_link *link = lab_dial(&lab);
 *   lab_say(&lab, link, "HTTP/1.1 404 x\r\n\r\n");
 *   assert_int_equal(feed.status, 404);
 *   lab_close(&lab);                      checks that nothing is left */
#ifndef RUNNEL_TEST_LAB_H
#define RUNNEL_TEST_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/stream/client.h"
#include "runnel.h"
#include "sim.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

#define LAB_OPEN_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

struct lab {
  struct sim sim;
  runnel_client *client;
  int closed;
  size_t blocks; /* of the library's, not given back */
  size_t bytes;  /* in them, as they were asked for */
  size_t bytes_peak;
  int in_pages; /* blocks of a page or more come from pages.h */
};

/* A subscription. Zero it, set the doings, open it. */
struct lab_feed {
  /* Doings, all optional. */
  void (*on_request)(struct lab_feed *feed, runnel_request *request);
  int asks;           /* has an on_request */
  int comments_heard; /* has an on_comment */
  size_t pause_after; /* pauses after that many events */

  /* What was heard. */
  struct lab *lab;
  runnel_stream *stream; /* NULL: refused, or closed */
  char error_text[RUNNEL_ERROR_TEXT_BYTES];
  size_t requests;
  size_t opens;
  size_t events;
  size_t comments;
  size_t ends;
  size_t closes;
  int close_code;
  int why;        /* of the last request */
  char data[256]; /* of the events, each followed by '|', as far as it fits */
  /* The last end. */
  int code;
  int phase;
  int status;
  int retry;
  int64_t delay_ms;
  uint64_t failures;
  size_t headers_len;
  char text[256];
  char body[256];
};

/* A client on a world. `options` may be NULL; its allocator is set. */
void lab_open(struct lab *lab, struct runnel_client_options *options);

/* Closes what is open; checks that all was given back. */
void lab_close(struct lab *lab);

/* Opens `url`; returns what runnel_stream_open does. `options` may be NULL;
 * URL, user and callbacks are set. Nothing has happened yet. */
int lab_feed_try(struct lab_feed *feed, struct lab *lab, const char *url,
                 const struct runnel_stream_options *options);

/* The same, must be RUNNEL_OK; then lets it begin. */
void lab_feed_open(struct lab_feed *feed, struct lab *lab, const char *url,
                   const struct runnel_stream_options *options);

/* The youngest link; NULL: none. */
struct sim_link *lab_link(struct lab *lab);

/* Answers the look-up, if one is under way, with 10.0.0.1, and brings the
 * youngest connect up, and secures it; its request is in link->sent then. NULL:
 * none. */
struct sim_link *lab_dial(struct lab *lab);

/* Puts bytes into the link's socket, and lets happen what follows. Nothing if
 * the link was hung up. */
void lab_give(struct lab *lab, struct sim_link *link, const char *bytes,
              size_t len);
void lab_give_each(struct lab *lab, struct sim_link *link, const char *bytes,
                   size_t len); /* byte by byte */
void lab_say(struct lab *lab, struct sim_link *link, const char *text);
void lab_end(struct lab *lab, struct sim_link *link, int code);

/* To the next alarm. */
void lab_tick(struct lab *lab);

/* 1: the link is still there. A link that was hung up may not be looked at. */
int lab_has(const struct lab *lab, const struct sim_link *link);

#endif
