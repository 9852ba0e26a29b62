/* What users and servers say never breaks a request (gate R8): thousands of
 * URLs, and every byte value in every text that becomes part of a request,
 * through the whole library in the virtual world. Whatever is refused leaves no
 * trace; whatever goes out is a head of exactly the lines that were meant. */
#include <stdio.h>
#include <string.h>

#include "lab.h"
#include "sim_request.h"

int runnel__test_wire(void);

#define URL "http://10.0.0.1/feed"

/* Request line, Host, Accept, Cache-Control, User-Agent, Accept-Encoding. */
#define USUAL_LINES 6

/* Lines of the head that was sent; fails if a byte stands where it may not. An
 * id goes back as it came (HTML standard 9.2.4), line ends and NUL, which none
 * can hold, excepted. */
static size_t count_lines(const struct sim_link *link) {
  size_t lines = 0;
  const char *line = link->sent;
  for (size_t i = 0; i < link->sent_len; i++) {
    unsigned char byte = (unsigned char)link->sent[i];
    int is_id = strncmp(line, "Last-Event-ID: ", 15) == 0;
    int is_control = byte < 0x20 || byte == 0x7f;
    if (byte == '\r' && link->sent[i + 1] == '\n') {
      lines++;
      i++;
      line = link->sent + i + 1;
    } else if (is_id ? strchr("\r\n", byte) != NULL
                     : is_control && byte != '\t') {
      fail_msg("byte 0x%02X went out in:\n%s", byte, link->sent);
    } else if (lines == 0 && (byte == '\t' || byte >= 0x7f)) {
      fail_msg("byte 0x%02X went out in the first line:\n%s", byte, link->sent);
    }
  }
  return lines - 1; /* the empty one */
}

/* A head of so many lines and nothing behind it. */
static void expect_head(const struct sim_link *link, size_t lines) {
  const char *end = strstr(link->sent, "\r\n\r\n");
  size_t first = strcspn(link->sent, "\r");
  size_t spaces = 0;
  for (size_t i = 0; i < first; i++)
    spaces += link->sent[i] == ' ';
  if (end != link->sent + link->sent_len - 4 || count_lines(link) != lines ||
      spaces != 2)
    fail_msg("not a head of %zu lines:\n%s", lines, link->sent);
  assert_int_equal(strncmp(link->sent + first - 9, " HTTP/1.1", 9), 0);
}

static void open_lab(struct lab *lab) {
  struct runnel_client_options options = RUNNEL_CLIENT_OPTIONS_INIT;
  options.dials_per_second_max = RUNNEL_NONE;
  options.origin_dials_per_second_max = RUNNEL_NONE;
  lab_open(lab, &options);
}

/* What was refused has left nothing: no stream, no dial, no callback. */
static void expect_nothing(struct lab *lab, const struct lab_feed *feed,
                           int code) {
  if (code != RUNNEL_EURL && code != RUNNEL_EINVAL && code != RUNNEL_ETOOBIG)
    fail_msg("refused with %s", runnel_err_name(code));
  assert_null(feed->stream);
  for (const char *c = feed->error_text; *c != '\0'; c++)
    assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
  sim_settle(&lab->sim);
  assert_int_equal(lab->sim.links_len + lab->sim.lookups_len, 0);
  assert_int_equal(feed->requests + feed->ends + feed->closes, 0);
}

static void end_feed(struct lab *lab, struct lab_feed *feed) {
  if (feed->stream == NULL)
    return;
  assert_int_equal(runnel_stream_close(feed->stream), RUNNEL_OK);
  sim_settle(&lab->sim);
  assert_int_equal(feed->closes, 1);
}

/* URLs ----------------------------------------------------------------------
 */

#define LABEL64                                                                \
  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"

/* A URL is as good as its worst part. `shown`: what of it goes out. */
struct part {
  const char *text;
  const char *shown; /* NULL: makes the URL one that must be refused */
};

static const struct part schemes[] = {
    {"http://", ""},  {"HTTP://", ""},  {"httpss://", NULL},
    {"ftp://", NULL}, {"http:/", NULL}, {"http:", NULL},
    {"//", NULL},     {"", NULL},       {" http://", NULL}};
static const struct part users[] = {{"", ""},
                                    {"u:p@", "Basic dTpw"},
                                    {"u@", "Basic dTo="},
                                    {"@", NULL},
                                    {":@", NULL},
                                    {"a@b@", NULL},
                                    {"u%0d%0aX:p@", NULL},
                                    {"u%3ax:p@", NULL},
                                    {"%zz@", NULL},
                                    {"u:p%00@", NULL}};
static const struct part hosts[] = {
    {"h", "h"},
    {"10.0.0.9", "10.0.0.9"},
    {"[::1]", "[::1]"},
    {"a.B-c.example.", "a.B-c.example"},
    {"xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"", NULL},
    {"127.1", NULL},
    {"0x7f.1", NULL},
    {"010.0.0.1", NULL},
    {"2130706433", NULL},
    {"1.2.3.256", NULL},
    {"[::1", NULL},
    {"[::1::2]", NULL},
    {"[fe80::1%25eth0]", NULL},
    {"[v1.a]", NULL},
    {"a..b", NULL},
    {"h%41", NULL},
    {"b\xc3\xbc", NULL},
    {"h\\x", NULL},
    {"a,b", NULL},
    {LABEL64, NULL}};
static const struct part ports[] = {
    {"", ""},       {":", ""},        {":80", ""},    {":8080", ":8080"},
    {":0", NULL},   {":65536", NULL}, {":+80", NULL}, {":-1", NULL},
    {":80a", NULL}, {":80:90", NULL}};
static const struct part tails[] = {
    {"", "/"},          {"/", "/"},     {"?q", "/?q"},   {"/a?b#c", "/a?b"},
    {"#@evil", "/"},    {"/@x", "/@x"}, {"/a b", NULL},  {"/a\r\nX: y", NULL},
    {"/a\nX: y", NULL}, {"/\t", NULL},  {"/\x7f", NULL}, {"/\\x", NULL},
    {"/\xc3\xbc", NULL}};

static void expect_url(struct lab *lab, const struct part *const parts[5]) {
  char line[128];
  char host[128];
  char text[128];
  const struct sim_link *link = lab_dial(lab);
  assert_non_null(link);
  expect_head(link, USUAL_LINES + (parts[1]->shown[0] != '\0'));
  snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", parts[4]->shown);
  assert_int_equal(strncmp(link->sent, line, strlen(line)), 0);
  snprintf(host, sizeof host, "%s%s", parts[2]->shown, parts[3]->shown);
  sim_request_field(text, sizeof text, link->sent, "Host");
  assert_string_equal(text, host);
  sim_request_field(text, sizeof text, link->sent, "Authorization");
  assert_string_equal(text, parts[1]->shown);
}

/* 1: it was accepted. */
static size_t try_url(struct lab *lab, const struct part *const parts[5]) {
  struct lab_feed feed = {0};
  char url[256];
  int good = 1;
  size_t len = 0;
  for (size_t i = 0; i < 5; i++) {
    len += (size_t)snprintf(url + len, sizeof url - len, "%s", parts[i]->text);
    good &= parts[i]->shown != NULL;
  }
  int code = lab_feed_try(&feed, lab, url, NULL);
  if ((code == RUNNEL_OK) != good)
    fail_msg("%s: %s", url, runnel_err_name(code));
  if (!good) {
    assert_int_equal(code, RUNNEL_EURL);
    assert_int_not_equal(feed.error_text[0], '\0');
    expect_nothing(lab, &feed, code);
    return 0;
  }
  sim_settle(&lab->sim);
  expect_url(lab, parts);
  end_feed(lab, &feed);
  return 1;
}

/* Every pair of bad parts would say no more than each alone: one part at a time
 * takes all its values, the others their good ones. */
static void urls_of_good_and_bad_parts(void **state) {
  (void)state;
  static const struct {
    const struct part *parts;
    size_t len;
  } all[5] = {{schemes, LEN(schemes)},
              {users, LEN(users)},
              {hosts, LEN(hosts)},
              {ports, LEN(ports)},
              {tails, LEN(tails)}};
  size_t at[5] = {0};
  size_t tried = 0;
  size_t good = 0;
  struct lab lab = {0};
  open_lab(&lab);
  for (;;) {
    const struct part *parts[5];
    int bad = 0;
    for (size_t i = 0; i < 5; i++) {
      parts[i] = &all[i].parts[at[i]];
      bad += parts[i]->shown == NULL;
    }
    if (bad <= 1) {
      good += try_url(&lab, parts);
      tried++;
    }
    size_t i = 0;
    while (i < 5 && ++at[i] == all[i].len)
      at[i++] = 0;
    if (i == 5)
      break;
  }
  print_message("wire: %zu URLs, %zu of them good\n", tried, good);
  assert_true(tried >= 600 && good >= 200);
  lab_close(&lab);
}

/* Each byte in each text ----------------------------------------------------
 */

enum text {
  PATH,
  QUERY,
  FRAGMENT,
  HOST,
  USER,
  PASSWORD,
  PORT,
  HEADER_NAME,
  HEADER_VALUE,
  METHOD,
  FIRST_ID,
  UNIX_PATH,
  SET_NAME, /* in on_request from here */
  SET_VALUE,
  SET_URL,
  SET_METHOD,
  SET_ID, /* between two attempts */
  TEXTS
};

/* What goes around the byte: it comes first, last, or between. */
static const struct {
  const char *before;
  const char *after;
} places[] = {{"", "x"}, {"x", ""}, {"x", "x"}};

struct attempt_text {
  struct lab_feed feed;
  enum text which;
  char text[16];
  size_t len;
  int code; /* of the call that was given the text */
};

static const char *url_with(enum text which, const char *text, char *url,
                            size_t size) {
  static const char *const formats[TEXTS] = {
      [PATH] = "http://10.0.0.1/%s",       [QUERY] = "http://10.0.0.1/?%s",
      [FRAGMENT] = "http://10.0.0.1/#%s",  [HOST] = "http://%s/feed",
      [USER] = "http://%s:p@10.0.0.1/",    [PASSWORD] = "http://u:%s@10.0.0.1/",
      [PORT] = "http://10.0.0.1:%s8/feed", [SET_URL] = "http://10.0.0.1/%s"};
  if (formats[which] == NULL)
    return URL;
  snprintf(url, size, formats[which], text);
  return url;
}

static void change_request(struct lab_feed *feed, runnel_request *request) {
  struct attempt_text *attempt = (struct attempt_text *)(void *)feed;
  char url[64];
  if (attempt->which == SET_NAME)
    attempt->code = runnel_request_set_header(request, attempt->text, "v", 0);
  else if (attempt->which == SET_VALUE)
    attempt->code = runnel_request_set_header(request, "N", attempt->text, 0);
  else if (attempt->which == SET_METHOD)
    attempt->code = runnel_request_set_method(request, attempt->text);
  else if (attempt->which == SET_URL)
    attempt->code = runnel_request_set_url(
        request, url_with(SET_URL, attempt->text, url, sizeof url));
}

static int open_with(struct lab *lab, struct attempt_text *attempt) {
  struct runnel_stream_options options = RUNNEL_STREAM_OPTIONS_INIT;
  struct runnel_header header = {"N", "v", 0};
  char url[64];
  if (attempt->which == HEADER_NAME)
    header.name = attempt->text;
  if (attempt->which == HEADER_VALUE)
    header.value = attempt->text;
  if (attempt->which == HEADER_NAME || attempt->which == HEADER_VALUE) {
    options.headers = &header;
    options.headers_len = 1;
  }
  if (attempt->which == METHOD)
    options.method = attempt->text;
  if (attempt->which == UNIX_PATH)
    options.unix_path = attempt->text;
  if (attempt->which == FIRST_ID) {
    options.last_event_id = attempt->text;
    options.last_event_id_len = attempt->len;
  }
  if (attempt->which >= SET_NAME && attempt->which < SET_ID)
    attempt->feed.on_request = change_request;
  const char *at =
      attempt->which == SET_URL
          ? URL
          : url_with(attempt->which, attempt->text, url, sizeof url);
  return lab_feed_try(&attempt->feed, lab, at, &options);
}

/* A byte may give a URL another shape, so that it has userinfo, or none. A
 * method that is not GET has a length: 0. */
static size_t lines_of(const struct attempt_text *attempt,
                       const struct sim_link *link) {
  char basic[64];
  switch (attempt->which) {
  case HEADER_NAME:
  case HEADER_VALUE:
  case METHOD:
  case FIRST_ID:
  case SET_ID:
    return USUAL_LINES + 1;
  case SET_NAME:
  case SET_VALUE:
  case SET_METHOD:
    return USUAL_LINES + (attempt->code == RUNNEL_OK);
  default:
    sim_request_field(basic, sizeof basic, link->sent, "Authorization");
    return USUAL_LINES + (basic[0] != '\0');
  }
}

/* 1: it went out. */
static size_t try_text(struct lab *lab, enum text which, int byte,
                       size_t place) {
  struct attempt_text attempt = {.which = which};
  attempt.len =
      (size_t)snprintf(attempt.text, sizeof attempt.text, "%s%c%s",
                       places[place].before, byte, places[place].after);
  int code = open_with(lab, &attempt);
  if (code != RUNNEL_OK) {
    expect_nothing(lab, &attempt.feed, code);
    return 0;
  }
  if (which == SET_ID) {
    attempt.code = runnel_stream_set_last_event_id(attempt.feed.stream,
                                                   attempt.text, attempt.len);
    if (attempt.code != RUNNEL_OK) {
      end_feed(lab, &attempt.feed);
      return 0;
    }
  }
  sim_settle(&lab->sim);
  const struct sim_link *link = lab_dial(lab);
  assert_non_null(link);
  expect_head(link, lines_of(&attempt, link));
  end_feed(lab, &attempt.feed);
  return attempt.code == RUNNEL_OK;
}

/* What may go out at the least and at the most, of 3 x 256; a text is cut at
 * NUL where it has no length. */
static const struct {
  const char *name;
  size_t least;
  size_t most;
} counts[TEXTS] = {
    [PATH] = {"path", 280, 285},
    [QUERY] = {"query", 280, 285},
    [FRAGMENT] = {"fragment", 280, 285},
    [HOST] = {"host", 190, 240},
    [USER] = {"user", 260, 285},
    [PASSWORD] = {"password", 260, 285},
    [PORT] = {"port", 3, 12},
    [HEADER_NAME] = {"header name", 229, 234},
    [HEADER_VALUE] = {"header value", 672, 676},
    [METHOD] = {"method", 229, 234},
    [FIRST_ID] = {"first id", 759, 759},
    [UNIX_PATH] = {"unix path", 767, 768},
    [SET_NAME] = {"set name", 229, 234},
    [SET_VALUE] = {"set value", 672, 676},
    [SET_URL] = {"set url", 280, 285},
    [SET_METHOD] = {"set method", 229, 234},
    [SET_ID] = {"set id", 759, 759},
};

static void every_byte_in_every_text(void **state) {
  (void)state;
  for (enum text which = 0; which < TEXTS; which++) {
    struct lab lab = {0};
    size_t out = 0;
    open_lab(&lab);
    for (int byte = 0; byte < 256; byte++)
      for (size_t place = 0; place < LEN(places); place++)
        out += try_text(&lab, which, byte, place);
    if (out < counts[which].least || out > counts[which].most)
      fail_msg("%s: %zu of 768 went out", counts[which].name, out);
    lab_close(&lab);
  }
}

/* What servers say ----------------------------------------------------------
 */

/* An id comes back as it was, whatever it holds. */
static void every_byte_in_a_servers_id(void **state) {
  (void)state;
  for (int byte = 0; byte < 256; byte++) {
    struct lab lab = {0};
    struct lab_feed feed = {0};
    char body[64];
    char id[16];
    char text[16];
    int len = snprintf(id, sizeof id, "x%cy", byte);
    int is_cut = byte == '\n' || byte == '\r';
    open_lab(&lab);
    lab_feed_open(&feed, &lab, URL, NULL);
    struct sim_link *link = lab_dial(&lab);
    lab_say(&lab, link, LAB_OPEN_HEAD "\r\n");
    int body_len = snprintf(body, sizeof body, "id: x%cy\ndata: a\n\n", byte);
    lab_give(&lab, link, body, (size_t)body_len);
    lab_end(&lab, link, RUNNEL_OK);
    lab_tick(&lab);
    link = lab_dial(&lab);
    sim_request_field(text, sizeof text, link->sent, "Last-Event-ID");
    assert_string_equal(text, byte == 0 ? "" : is_cut ? "x" : id);
    assert_int_equal(len, 3);
    expect_head(link, USUAL_LINES + (byte != 0));
    lab_close(&lab);
  }
}

/* A Location leads to a URL, or nowhere. */
static void every_byte_in_a_location(void **state) {
  (void)state;
  static const char *const formats[] = {"%s", "/%s", "/?%s", "//%s/",
                                        "http:%s"};
  size_t followed = 0;
  for (size_t i = 0; i < LEN(formats); i++)
    for (int byte = 0; byte < 256; byte++) {
      struct lab lab = {0};
      struct lab_feed feed = {0};
      char location[32] = "x_y";
      char answer[128];
      int len = snprintf(answer, sizeof answer, "HTTP/1.1 307 x\r\nLocation: ");
      open_lab(&lab);
      lab_feed_open(&feed, &lab, URL, NULL);
      snprintf(location, sizeof location, formats[i], "x_y");
      len += snprintf(answer + len, sizeof answer - (size_t)len, "%s\r\n\r\n",
                      location);
      *strchr(answer, '_') = (char)byte;
      lab_give(&lab, lab_dial(&lab), answer, (size_t)len);
      struct sim_link *link = feed.ends == 0 ? lab_dial(&lab) : NULL;
      if (link != NULL && lab.sim.links_made == 2) {
        expect_head(link, USUAL_LINES);
        followed++;
      }
      lab_close(&lab);
    }
  assert_true(followed > 300 && followed < 4 * 100);
}

int runnel__test_wire(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(urls_of_good_and_bad_parts),
      cmocka_unit_test(every_byte_in_every_text),
      cmocka_unit_test(every_byte_in_a_servers_id),
      cmocka_unit_test(every_byte_in_a_location),
  };
  return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
