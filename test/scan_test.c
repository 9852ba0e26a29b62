/* Windows of line ends: every version says what a loop over the bytes says. */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/core/quick.h"
#include "../lib/core/scan.h"

static uint64_t slow_window(const char *at) {
  uint64_t ends = 0;
  for (int i = 0; i < RUNNEL__WINDOW; i++)
    if (at[i] == '\n' || at[i] == '\r')
      ends |= UINT64_C(1) << i;
  return ends;
}

static void check_window(const char *at) {
  uint64_t wanted = slow_window(at);
  assert_int_equal(runnel__window_plain(at), wanted);
#if defined(__x86_64__)
  assert_int_equal(runnel__window_sse2(at), wanted);
#elif defined(__aarch64__)
  assert_int_equal(runnel__window_neon(at), wanted);
#endif
}

static void check_stride(const char *at) {
  int wanted = slow_window(at) != 0 || slow_window(at + RUNNEL__WINDOW) != 0;
  assert_int_equal(runnel__stride_plain(at), wanted);
#if defined(__x86_64__)
  assert_int_equal(runnel__stride_sse2(at), wanted);
#elif defined(__aarch64__)
  assert_int_equal(runnel__stride_neon(at), wanted);
#endif
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi"))) static void check_avx2(const char *at) {
  uint64_t ends = runnel__window_avx2(at);
  assert_true(ends == slow_window(at));
}

__attribute__((target("avx2,bmi"))) static void
check_stride_avx2(const char *at) {
  int found = runnel__stride_avx2(at);
  assert_int_equal(found, slow_window(at) != 0 ||
                              slow_window(at + RUNNEL__WINDOW) != 0);
}
#endif

/* Each of the 256 bytes at each place, among bytes that are nearly line ends.
 */
static void each_byte_at_each_place(void **state) {
  (void)state;
  static const char near[] = {'\t', '\v', '\f', '\0', (char)0x8a, (char)0x8d};
  char bytes[RUNNEL__WINDOW + 1];
  for (int byte = 0; byte < 256; byte++) {
    for (int place = 0; place < RUNNEL__WINDOW; place++) {
      for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = near[i % sizeof near];
      bytes[place + 1] = (char)byte;
      check_window(bytes + 1);
#if defined(__x86_64__)
      if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
        check_avx2(bytes + 1);
#endif
    }
  }
}

/* A stride with one byte that is, or nearly is, a line end. */
static void a_stride_sees_each_of_its_bytes(void **state) {
  (void)state;
  static_assert(RUNNEL__STRIDE == 2 * RUNNEL__WINDOW,
                "two windows are held up");
  char bytes[RUNNEL__STRIDE + 1];
  for (int byte = 0; byte < 256; byte++) {
    for (int place = 0; place < RUNNEL__STRIDE; place++) {
      memset(bytes, 'x', sizeof bytes);
      bytes[place + 1] = (char)byte;
      check_stride(bytes + 1);
#if defined(__x86_64__)
      if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
        check_stride_avx2(bytes + 1);
#endif
    }
  }
}

static void random_windows(void **state) {
  (void)state;
  uint64_t random = 88172645463325252u;
  char bytes[RUNNEL__WINDOW];
  for (int round = 0; round < 100000; round++) {
    for (size_t i = 0; i < sizeof bytes; i++) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      bytes[i] = (char)(random >> 40 & 0x0f);
    }
    check_window(bytes);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
      check_avx2(bytes);
#endif
  }
}

static void a_line_end_is_found_wherever_it_is(void **state) {
  (void)state;
  char bytes[40];
  for (size_t len = 0; len < sizeof bytes; len++) {
    for (size_t place = 0; place <= len; place++) {
      for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i >= len ? '\n' : 'x'; /* behind the end: not to be seen */
      if (place < len)
        bytes[place] = place % 2 ? '\n' : '\r';
      assert_ptr_equal(runnel__scan_line_end(bytes, bytes + len),
                       bytes + place);
    }
  }
}

/* Without slack not a byte behind a slice is read: the sanitizer watches. */
static void no_read_behind_a_slice(void **state) {
  (void)state;
  static const char *const tails[] = {"\n",  "id\n\n", "id:\n\n",
                                      "d\r", "\r\n",   "data:\n\n"};
  for (size_t len = 60; len < 200; len++) {
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
      size_t tail = strlen(tails[i]);
      char *bytes = malloc(len);
      assert_non_null(bytes);
      memset(bytes, 'x', len);
      memcpy(bytes, "data:", 5);
      bytes[len - tail - 1] = '\n';
      memcpy(bytes + len - tail, tails[i], tail);
      runnel_parser *parser;
      const struct runnel_event *event;
      assert_int_equal(runnel_parser_new(&parser, NULL), RUNNEL_OK);
      assert_int_equal(runnel_parser_feed(parser, bytes, len), RUNNEL_OK);
      while (runnel_parser_next(parser, &event) > 0)
        continue;
      runnel_parser_free(parser);
      free(bytes);
    }
  }
}

static void the_best_is_the_widest(void **state) {
  (void)state;
  size_t len;
  const runnel__quick *all = runnel__quick_all(&len);
  assert_true(len >= 1);
  assert_true(runnel__quick_best() == all[len - 1]);
}

int runnel__test_scan(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_byte_at_each_place),
      cmocka_unit_test(a_stride_sees_each_of_its_bytes),
      cmocka_unit_test(random_windows),
      cmocka_unit_test(a_line_end_is_found_wherever_it_is),
      cmocka_unit_test(no_read_behind_a_slice),
      cmocka_unit_test(the_best_is_the_widest),
  };
  return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
