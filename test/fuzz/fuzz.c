/* See fuzz.h. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint8_t fuzz_byte(struct fuzz_input *input) {
  if (input->len == 0)
    return 0;
  input->len--;
  return *input->at++;
}

uint64_t fuzz_number(struct fuzz_input *input, size_t bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes; i++)
    number = number << 8 | fuzz_byte(input);
  return number;
}

const uint8_t *fuzz_bytes(struct fuzz_input *input, size_t len, size_t *taken) {
  const uint8_t *at = input->at;
  *taken = len < input->len ? len : input->len;
  input->at += *taken;
  input->len -= *taken;
  return at;
}

uint64_t fuzz_draw(uint64_t *seed) {
  uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* Short slices and long ones, so that both ends of a field get cut. */
size_t *fuzz_cuts(uint64_t seed, size_t len, size_t *cuts_len) {
  size_t *cuts = malloc((len + 1) * sizeof *cuts);
  size_t mean = (size_t)1 << fuzz_draw(&seed) % 9;
  FUZZ_CHECK(cuts != NULL, "no memory");
  *cuts_len = 0;
  for (size_t at = 0; at < len;) {
    at += 1 + fuzz_draw(&seed) % mean;
    if (at < len)
      cuts[(*cuts_len)++] = at;
  }
  return cuts;
}

void fuzz_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("fuzz: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  abort();
}
