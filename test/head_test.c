/* Request heads: what is written, what is refused (faults U3, U10, U11), what a
 * redirect leaves out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/core/head.h"

int runnel__test_head(void);

static void tokens_and_values(void **state) {
  (void)state;
  for (int byte = 0; byte < 256; byte++) {
    char why[RUNNEL__WHY_BYTES] = "";
    char text[] = {'a', (char)byte, 'b'};
    struct runnel__str str = {text, sizeof text};
    struct runnel__str name = RUNNEL__STR("X-Name");
    int is_token = byte > 0x20 && byte < 0x7f &&
                   strchr("\"(),/:;<=>?@[\\]{}", byte) == NULL;
    int is_value = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    assert_int_equal(runnel__head_token(str), is_token);
    assert_int_equal(runnel__head_check(str, RUNNEL__STR("v"), why),
                     is_token ? RUNNEL_OK : RUNNEL_EINVAL);
    for (const char *c = why; *c != '\0'; c++)
      assert_true(*c >= 0x20 && *c < 0x7f);
    /* alone, first and last too */
    for (size_t from = 0; from < 2; from++)
      for (size_t len = 1; from + len <= sizeof text; len++) {
        struct runnel__str part = {text + from, len};
        if (from == 1 || len > 1)
          assert_int_equal(runnel__head_check(name, part, why),
                           is_value ? RUNNEL_OK : RUNNEL_EINVAL);
      }
    if (!is_value)
      assert_string_equal(
          why, "the value of header \"X-Name\" holds a control character");
  }
  assert_int_equal(runnel__head_token(RUNNEL__STR("")), 0);
}

static void names(void **state) {
  (void)state;
  static const struct {
    const char *name;
    const char *why; /* "": accepted */
  } rows[] = {
      {"Accept", ""},
      {"Cache-Control", ""},
      {"User-Agent", ""},
      {"Authorization", ""},
      {"Cookie", ""},
      {"Content-Type", ""},
      {"Hosts", ""},
      {"", "a header's name is empty"},
      {"A B",
       "a header's name holds the byte 0x20, which is not allowed there"},
      {"A:", "a header's name holds the byte 0x3A, which is not allowed there"},
      {"\xc3\xa4",
       "a header's name holds the byte 0xC3, which is not allowed there"},
      {"Host", "header \"Host\" is runnel's own and cannot be set"},
      {"hOST", "header \"hOST\" is runnel's own and cannot be set"},
  };
  static const char *const owned[] = {
      "host",
      "Content-Length",
      "TRANSFER-ENCODING",
      "connection",
      "trailer",
      "Keep-Alive",
      "te",
      "Upgrade",
      "Expect",
      "Last-Event-ID",
      "Proxy-Authorization",
      "accept-encoding",
  };
  char why[RUNNEL__WHY_BYTES];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    why[0] = '\0';
    int err =
        runnel__head_check(runnel__str_of(rows[i].name), RUNNEL__STR(""), why);
    assert_int_equal(err, rows[i].why[0] == '\0' ? RUNNEL_OK : RUNNEL_EINVAL);
    assert_string_equal(why, rows[i].why);
  }
  for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
    assert_int_equal(
        runnel__head_check(runnel__str_of(owned[i]), RUNNEL__STR("v"), why),
        RUNNEL_EINVAL);
  char name[400];
  memset(name, 'n', sizeof name);
  assert_int_equal(runnel__head_check((struct runnel__str){name, sizeof name},
                                      RUNNEL__STR("\r"), why),
                   RUNNEL_EINVAL);
}

static void secrets(void **state) {
  (void)state;
  static const struct {
    struct runnel_header header;
    int secret;
  } rows[] = {
      {{"Authorization", "v", 0}, 1},
      {{"cookie", "v", 0}, 1},
      {{"PROXY-AUTHORIZATION", "v", 0}, 1},
      {{"X-Api-Key", "v", 0}, 1},
      {{"apikey", "v", 0}, 1},
      {{"Token", "v", 0}, 1},
      {{"X-Auth-Token", "v", 0}, 1},
      {{"client-SECRET", "v", 0}, 1},
      {{"X-Auth", "v", 0}, 1},
      {{"X-Session", "v", 0}, 1},
      {{"X-Signature", "v", 0}, 1},
      {{"X-Plain", "v", RUNNEL_SENSITIVE}, 1},
      {{"X-Plain", "v", 0}, 0},
      {{"Cookies", "v", 0}, 0},
      {{"Tokens", "v", 0}, 0},
      {{"X-Authorization", "v", 0}, 0},
      {{"Accept", "v", 0}, 0},
      {{"Content-Type", "v", 0}, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_int_equal(runnel__head_secret(&rows[i].header), rows[i].secret);
}

static struct runnel__url parse(const char *text) {
  struct runnel__url url;
  char why[RUNNEL__WHY_BYTES];
  if (runnel__url_parse(&url, runnel__str_of(text), why) != RUNNEL_OK)
    fail_msg("%s: %s", text, why);
  return url;
}

static void expect_head(const struct runnel__head *head, const char *wanted) {
  struct runnel__mem mem;
  struct runnel__buf out = {0};
  runnel__mem_init(&mem, NULL, UINT64_MAX);
  assert_int_equal(runnel__head_write(&out, &mem, head), RUNNEL_OK);
  assert_string_equal(out.at, wanted);
  assert_int_equal(out.len, strlen(wanted));
  runnel__buf_free(&out, &mem);
}

#define PLAIN                                                                  \
  "Accept: text/event-stream\r\nCache-Control: no-cache\r\n"                   \
  "User-Agent: runnel/0.1\r\nAccept-Encoding: identity\r\n"

static void plain(void **state) {
  (void)state;
  struct runnel__url url = parse("http://H.example.:81/a?b#c");
  struct runnel__head head = {.method = RUNNEL__STR("GET"), .url = &url};
  expect_head(&head,
              "GET /a?b HTTP/1.1\r\nHost: H.example:81\r\n" PLAIN "\r\n");
  url = parse("http://[::1]?q");
  expect_head(&head, "GET /?q HTTP/1.1\r\nHost: [::1]\r\n" PLAIN "\r\n");
  head.last_event_id = RUNNEL__STR("a \xc3\xa4 7");
  expect_head(&head, "GET /?q HTTP/1.1\r\nHost: [::1]\r\n" PLAIN
                     "Last-Event-ID: a \xc3\xa4 7\r\n\r\n");
}

static void lengths(void **state) {
  (void)state;
  static const struct {
    const char *method;
    int has_body;
    uint64_t body_len;
    const char *field;
  } rows[] = {
      {"GET", 0, 0, ""},
      {"HEAD", 0, 0, ""},
      {"DELETE", 0, 0, ""},
      {"OPTIONS", 0, 0, ""},
      {"TRACE", 0, 0, ""},
      {"POST", 0, 0, "Content-Length: 0\r\n"},
      {"PUT", 0, 0, "Content-Length: 0\r\n"},
      {"get", 0, 0, "Content-Length: 0\r\n"},
      {"POST", 1, 0, "Content-Length: 0\r\n"},
      {"POST", 1, 17, "Content-Length: 17\r\n"},
      {"GET", 1, 5, "Content-Length: 5\r\n"},
      {"PUT", 1, UINT64_MAX, "Content-Length: 18446744073709551615\r\n"},
  };
  struct runnel__url url = parse("http://h/");
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char wanted[512];
    struct runnel__head head = {.method = runnel__str_of(rows[i].method),
                                .url = &url,
                                .has_body = rows[i].has_body,
                                .body_len = rows[i].body_len};
    (void)snprintf(wanted, sizeof wanted,
                   "%s / HTTP/1.1\r\nHost: h\r\n" PLAIN "%s\r\n",
                   rows[i].method, rows[i].field);
    expect_head(&head, wanted);
  }
}

static void fields(void **state) {
  (void)state;
  static const struct runnel_header headers[] = {
      {"aCCept", " x/y\t", 0},    {"Cache-Control", "", 0},
      {"USER-AGENT", "me", 0},    {"X-Api-Key", "k", 0},
      {"X-A", "\t a \t b ", 0},   {"X-S", "s", RUNNEL_SENSITIVE},
      {"Content-Type", "a/b", 0}, {"X-A", "again", 0},
  };
  struct runnel__url url = parse("http://h/");
  struct runnel__head head = {.method = RUNNEL__STR("GET"),
                              .url = &url,
                              .headers = headers,
                              .headers_len = sizeof headers / sizeof *headers};
  expect_head(&head, "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: "
                     "identity\r\naCCept: x/y\r\nCache-Control: "
                     "\r\nUSER-AGENT: me\r\nX-Api-Key: k\r\nX-A: a \t "
                     "b\r\nX-S: s\r\nContent-Type: a/b\r\nX-A: again\r\n\r\n");
  head.cross_origin = 1;
  head.drop_content = 1;
  expect_head(&head, "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: "
                     "identity\r\naCCept: x/y\r\nCache-Control: "
                     "\r\nUSER-AGENT: me\r\nX-A: a \t b\r\nX-A: again\r\n\r\n");
}

static void sensitive_default_comes_back(void **state) {
  (void)state;
  static const struct runnel_header headers[] = {
      {"User-Agent", "secret", RUNNEL_SENSITIVE}};
  struct runnel__url url = parse("http://h/");
  struct runnel__head head = {.method = RUNNEL__STR("GET"),
                              .url = &url,
                              .headers = headers,
                              .headers_len = 1,
                              .cross_origin = 1};
  expect_head(&head, "GET / HTTP/1.1\r\nHost: h\r\n" PLAIN "\r\n");
}

static void basic(void **state) {
  (void)state;
  static const struct {
    const char *url, *basic;
  } rows[] = {
      {"http://Aladdin:open%20sesame@h/", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
      {"http://u@h/", "dTo="},
      {"http://:p@h/", "OnA="},
      {"http://ab:@h/", "YWI6"},
      {"http://%ff%FE:%3a%2f@h/", "//46Oi8="},
      {"http://te%40st:1%25%C2%A3@h/", "dGVAc3Q6MSXCow=="},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char wanted[512];
    struct runnel__url url = parse(rows[i].url);
    struct runnel__head head = {.method = RUNNEL__STR("GET"), .url = &url};
    (void)snprintf(wanted, sizeof wanted,
                   "GET / HTTP/1.1\r\nHost: h\r\n" PLAIN
                   "Authorization: Basic %s\r\n\r\n",
                   rows[i].basic);
    expect_head(&head, wanted);
  }
  static const struct runnel_header own[] = {{"authorization", "Bearer x", 0}};
  struct runnel__url url = parse("http://u:p@h/");
  struct runnel__head head = {.method = RUNNEL__STR("GET"), .url = &url};
  head.headers = own;
  head.headers_len = 1;
  expect_head(&head, "GET / HTTP/1.1\r\nHost: h\r\n" PLAIN
                     "authorization: Bearer x\r\n\r\n");
  head.cross_origin = 1;
  expect_head(&head, "GET / HTTP/1.1\r\nHost: h\r\n" PLAIN "\r\n");
}

static int allocations_left;

static void *scarce_alloc(size_t size, void *ctx) {
  (void)ctx;
  return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *scarce_realloc(void *memory, size_t size, void *ctx) {
  (void)ctx;
  return allocations_left-- > 0 ? realloc(memory, size) : NULL;
}

static void plain_free(void *memory, void *ctx) {
  (void)ctx;
  free(memory);
}

static void no_memory(void **state) {
  (void)state;
  const struct runnel_alloc hooks = {scarce_alloc, scarce_realloc, plain_free,
                                     NULL};
  char id[5000];
  memset(id, 'i', sizeof id);
  struct runnel__url url = parse("http://u:p@h/");
  struct runnel__head head = {.method = RUNNEL__STR("GET"),
                              .url = &url,
                              .last_event_id = {id, sizeof id}};
  int err = RUNNEL_ENOMEM;
  for (int k = 0; err != RUNNEL_OK; k++) {
    struct runnel__mem mem;
    struct runnel__buf out = {0};
    runnel__mem_init(&mem, &hooks, UINT64_MAX);
    allocations_left = k;
    err = runnel__head_write(&out, &mem, &head);
    assert_true(err == RUNNEL_OK || err == RUNNEL_ENOMEM);
    assert_int_equal(out.len > 0, err == RUNNEL_OK);
    runnel__buf_free(&out, &mem);
    assert_int_equal(mem.held, 0);
    assert_true(k < 20);
  }
}

int runnel__test_head(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tokens_and_values),
      cmocka_unit_test(names),
      cmocka_unit_test(secrets),
      cmocka_unit_test(plain),
      cmocka_unit_test(lengths),
      cmocka_unit_test(fields),
      cmocka_unit_test(sensitive_default_comes_back),
      cmocka_unit_test(basic),
      cmocka_unit_test(no_memory),
  };
  return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
