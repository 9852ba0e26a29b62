/* Redirects, through the whole library in the virtual world (gate R7): five
 * codes x where they lead x what the request carries, checked on the wire of
 * the second request, the third, and the next attempt's first. */
#include <stdio.h>
#include <string.h>

#include "lab.h"
#include "sim_request.h"

int runnel__test_redirect(void);

#define FROM "http://10.0.0.1/feed"
#define FROM_HTTPS "https://10.0.0.1/feed"

static const int codes[] = {301, 302, 303, 307, 308};

enum relation { SAME, OTHER_PORT, OTHER_HOST, TO_HTTPS };

static const struct {
  const char *location;
  const char *host; /* of the second request */
  const char *line; /* what follows the method */
} relations[] = {
    [SAME] = {"/next?x#y", "10.0.0.1", " /next?x HTTP/1.1\r\n"},
    [OTHER_PORT] = {"http://10.0.0.1:81/next", "10.0.0.1:81",
                    " /next HTTP/1.1\r\n"},
    [OTHER_HOST] = {"//10.0.0.2", "10.0.0.2", " / HTTP/1.1\r\n"},
    [TO_HTTPS] = {"https://10.0.0.1/next", "10.0.0.1", " /next HTTP/1.1\r\n"},
};

/* What the first request carries; `secret`: not for another origin. */
static const struct {
  struct runnel_header header;
  int secret;
} kinds[] = {
    {{"Authorization", "Bearer abc", 0}, 1},
    {{"Cookie", "a=b", 0}, 1},
    {{"X-Api-Key", "abc", 0}, 1},
    {{"x-access-token", "abc", 0}, 1},
    {{"X-Plain", "abc", 0}, 0},
    {{"X-Marked", "abc", RUNNEL_SENSITIVE}, 1},
    {{"Accept", "text/event-stream, */*", 0}, 0},
};

static const struct mode {
  const char *method;
  const char *body;
  int redirect_body;
} modes[] = {{"GET", NULL, 0},
             {"POST", "x=y", 0},
             {"POST", "x=y", 1},
             {"POST", NULL, 0},
             {"PUT", "x=y", 1}};

struct trip {
  struct lab lab;
  struct lab_feed feed;
  struct runnel_header headers[LEN(kinds) + 1];
};

static void open_trip(struct trip *trip, const char *url,
                      const struct mode *mode) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  *trip = (struct trip){0};
  for (size_t i = 0; i < LEN(kinds); i++)
    trip->headers[i] = kinds[i].header;
  trip->headers[LEN(kinds)] =
      (struct runnel_header){"Content-Type", "text/x", 0};
  options.headers = trip->headers;
  options.headers_len = LEN(kinds) + (mode->body != NULL);
  options.method = mode->method;
  options.body = mode->body;
  options.body_len = mode->body == NULL ? 0 : strlen(mode->body);
  options.end = RUNNEL_END_RESUME;
  options.redirect_body = mode->redirect_body;
  options.replay_unanswered = 1;
  options.last_event_id = "7";
  lab_open(&trip->lab, NULL);
  lab_feed_open(&trip->feed, &trip->lab, url, &options);
}

static void give_redirect(struct trip *trip, struct sim_link *link, int code,
                          const char *location) {
  char answer[256];
  snprintf(answer, sizeof answer,
           "HTTP/1.1 %d x\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", code,
           location);
  lab_say(&trip->lab, link, answer);
}

static void expect_field(const char *request, const char *name,
                         const char *wanted) {
  char value[128];
  sim_request_field(value, sizeof value, request, name);
  if (strcmp(value, wanted) != 0)
    fail_msg("%s is \"%s\", not \"%s\", in:\n%s", name, value, wanted, request);
}

static void expect_line(const char *request, const char *method,
                        const char *rest) {
  char line[128];
  snprintf(line, sizeof line, "%s%s", method, rest);
  assert_int_equal(strncmp(request, line, strlen(line)), 0);
}

/* The fields of a request that lies on this side, or that side, of an origin's
 * border; `body`: what it still has of one. */
static void expect_request(const char *request, const struct mode *mode,
                           int crossed, int became_get) {
  const char *body = became_get || mode->body == NULL ? "" : mode->body;
  char length[32] = "";
  for (size_t i = 0; i < LEN(kinds); i++)
    expect_field(request, kinds[i].header.name,
                 crossed && kinds[i].secret ? "" : kinds[i].header.value);
  if (*body != '\0')
    snprintf(length, sizeof length, "%zu", strlen(body));
  else if (!became_get && strcmp(mode->method, "GET") != 0)
    snprintf(length, sizeof length, "0");
  expect_field(request, "Content-Length", length);
  expect_field(request, "Content-Type", *body != '\0' ? "text/x" : "");
  expect_field(request, "Last-Event-ID", "7");
  assert_string_equal(strstr(request, "\r\n\r\n") + 4, body);
}

static int turns_into_get(int code, const struct mode *mode) {
  int is_post = strcmp(mode->method, "POST") == 0;
  return code == 303 ? strcmp(mode->method, "GET") != 0 : code < 303 && is_post;
}

/* Losing the last hop's connection: the next attempt is as the first. */
static void expect_original_again(struct trip *trip, struct sim_link *link,
                                  const struct mode *mode) {
  lab_end(&trip->lab, link, RUNNEL_ELOST);
  assert_int_equal(trip->feed.ends, 1);
  assert_int_equal(trip->feed.code, RUNNEL_ELOST);
  lab_tick(&trip->lab);
  link = lab_dial(&trip->lab);
  assert_string_equal(link->name, "10.0.0.1:80");
  expect_line(link->sent, mode->method, " /feed HTTP/1.1\r\n");
  expect_request(link->sent, mode, 0, 0);
}

static void expect_refused(struct trip *trip, const char *why) {
  struct lab_feed *feed = &trip->feed;
  assert_int_equal(feed->code, RUNNEL_EREDIRECT);
  assert_int_equal(feed->retry, 0);
  assert_int_equal(feed->closes, 1);
  assert_int_equal(trip->lab.sim.links_made, 1);
  if (strstr(feed->text, why) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", feed->text, why);
}

/* Returns how many fields were looked at on the wire. */
static size_t walk(int code, enum relation relation, const struct mode *mode) {
  struct trip trip;
  int became_get = turns_into_get(code, mode);
  int crosses = relation != SAME;
  open_trip(&trip, FROM, mode);
  struct sim_link *link = lab_dial(&trip.lab);
  expect_request(link->sent, mode, 0, 0);
  give_redirect(&trip, link, code, relations[relation].location);
  if (crosses && mode->body != NULL && !became_get && !mode->redirect_body) {
    expect_refused(&trip, "another origin would be sent the body");
  } else {
    link = lab_dial(&trip.lab);
    expect_line(link->sent, became_get ? "GET" : mode->method,
                relations[relation].line);
    expect_field(link->sent, "Host", relations[relation].host);
    expect_request(link->sent, mode, crosses, became_get);
    /* The way back restores nothing, nor does a way on. */
    give_redirect(&trip, link, 307, relation == TO_HTTPS ? FROM_HTTPS : FROM);
    link = lab_dial(&trip.lab);
    expect_field(link->sent, "Host", "10.0.0.1");
    expect_request(link->sent, mode, crosses, became_get);
    assert_int_equal(trip.feed.ends, 0);
    expect_original_again(&trip, link, mode);
  }
  lab_close(&trip.lab);
  return LEN(kinds);
}

static void every_code_and_origin(void **state) {
  (void)state;
  size_t fields = 0;
  for (size_t i = 0; i < LEN(codes); i++)
    for (size_t k = 0; k < LEN(relations); k++)
      for (size_t m = 0; m < LEN(modes); m++)
        fields += walk(codes[i], (enum relation)k, &modes[m]);
  print_message("redirect: %zu combinations with the kinds of header\n",
                fields);
}

/* Not even within one host, or to the same port. */
static void https_never_leads_to_http(void **state) {
  (void)state;
  static const char *const locations[] = {
      "http://10.0.0.1/next", "http://10.0.0.1:443/", "http://10.0.0.2/"};
  for (size_t i = 0; i < LEN(codes); i++)
    for (size_t k = 0; k < LEN(locations); k++) {
      struct trip trip;
      open_trip(&trip, FROM_HTTPS, &modes[0]);
      struct sim_link *link = lab_dial(&trip.lab);
      give_redirect(&trip, link, codes[i], locations[k]);
      expect_refused(&trip, "from https to http");
      lab_close(&trip.lab);
    }
}

/* Userinfo belongs to its origin: kept there, never taken along, and not
 * accepted from a Location. */
static void userinfo_stays_at_home(void **state) {
  (void)state;
  static const struct mode bare = {"GET", NULL, 0};
  static const struct {
    const char *location;
    const char *value;
  } rows[] = {{"/next", "Basic dTpw"},
              {"http://10.0.0.1:80/", "Basic dTpw"},
              {"http://10.0.0.1:81/", ""},
              {"http://10.0.0.2/", ""}};
  for (size_t i = 0; i < LEN(codes); i++)
    for (size_t k = 0; k < LEN(rows); k++) {
      struct trip trip = {0};
      lab_open(&trip.lab, NULL);
      lab_feed_open(&trip.feed, &trip.lab, "http://u:p@10.0.0.1/feed", NULL);
      struct sim_link *link = lab_dial(&trip.lab);
      expect_field(link->sent, "Authorization", "Basic dTpw");
      give_redirect(&trip, link, codes[i], rows[k].location);
      link = lab_dial(&trip.lab);
      expect_field(link->sent, "Authorization", rows[k].value);
      give_redirect(&trip, link, codes[i], FROM);
      link = lab_dial(&trip.lab);
      expect_field(link->sent, "Authorization", rows[k].value);
      lab_close(&trip.lab);
    }
  for (size_t i = 0; i < LEN(codes); i++) {
    struct trip trip;
    open_trip(&trip, FROM, &bare);
    give_redirect(&trip, lab_dial(&trip.lab), codes[i], "http://u:p@10.0.0.1/");
    expect_refused(&trip, "Location holds userinfo");
    lab_close(&trip.lab);
  }
}

/* A Location that cannot be followed is final (H6). */
static void bad_locations(void **state) {
  (void)state;
  static const struct {
    const char *fields;
    const char *why;
  } rows[] = {
      {"", "no Location"},
      {"Location:\r\n", "an empty Location"},
      {"Location: /a\r\nLocation: /b\r\n", "two different Locations"},
      {"Location: ftp://h/\r\n", "scheme \"ftp\""},
      {"Location: javascript:x\r\n", "scheme \"javascript\""},
      {"Location: http://\r\n", "no host"},
      {"Location: http://h:0/\r\n", "port 0"},
      {"Location: //127.1/\r\n", "odd form"},
      {"Location: /a b\r\n", "byte 0x20"},
      {"Location: /a\tb\r\n", "byte 0x09"},
      {"Location: /\xc3\xbc\r\n", "byte 0xC3"},
      {"Location: \\\\evil\r\n", "byte 0x5C"},
  };
  static const struct mode get = {"GET", NULL, 0};
  for (size_t i = 0; i < LEN(codes); i++)
    for (size_t k = 0; k < LEN(rows); k++) {
      struct trip trip;
      char answer[256];
      open_trip(&trip, FROM, &get);
      snprintf(answer, sizeof answer,
               "HTTP/1.1 %d x\r\n%sContent-Length: 0\r\n\r\n", codes[i],
               rows[k].fields);
      lab_say(&trip.lab, lab_dial(&trip.lab), answer);
      expect_refused(&trip, rows[k].why);
      lab_close(&trip.lab);
    }
}

/* Two Locations that say the same are one; over 8 KiB is none. */
static void odd_locations(void **state) {
  (void)state;
  static const struct mode get = {"GET", NULL, 0};
  static char answer[9300];
  struct trip trip;
  open_trip(&trip, FROM, &get);
  lab_say(&trip.lab, lab_dial(&trip.lab),
          "HTTP/1.1 302 x\r\nlocation: /a\r\nLOCATION: /a\r\n\r\n");
  expect_line(lab_dial(&trip.lab)->sent, "GET", " /a HTTP/1.1\r\n");
  lab_close(&trip.lab);
  open_trip(&trip, FROM, &get);
  snprintf(answer, sizeof answer,
           "HTTP/1.1 302 x\r\nLocation: /%09000d\r\nContent-Length: 0\r\n\r\n",
           0);
  lab_say(&trip.lab, lab_dial(&trip.lab), answer);
  expect_refused(&trip, "over 8192 bytes");
  lab_close(&trip.lab);
}

int runnel__test_redirect(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_code_and_origin),
      cmocka_unit_test(https_never_leads_to_http),
      cmocka_unit_test(userinfo_stays_at_home),
      cmocka_unit_test(bad_locations),
      cmocka_unit_test(odd_locations),
  };
  return cmocka_run_group_tests_name("redirect", tests, NULL, NULL);
}
