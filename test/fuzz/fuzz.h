/* What the fuzz targets share: an input that is taken byte by byte, and a check
 * that ends the process, so that libFuzzer keeps the input.
 *
 * A target is one file; its first bytes are choices (limits, cuts, faults), the
 * rest is what the library reads. An input that is too short chooses 0. */
#ifndef RUNNEL_TEST_FUZZ_H
#define RUNNEL_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct fuzz_input {
  const uint8_t *at; /* the caller's */
  size_t len;        /* not taken yet */
};

/* 0 when there is none left. */
uint8_t fuzz_byte(struct fuzz_input *input);

/* Big-endian, of `bytes` bytes, 1 to 8. */
uint64_t fuzz_number(struct fuzz_input *input, size_t bytes);

/* Up to `len` bytes; *taken: how many. */
const uint8_t *fuzz_bytes(struct fuzz_input *input, size_t len, size_t *taken);

/* The next draw of a generator (splitmix64). */
uint64_t fuzz_draw(uint64_t *seed);

/* Cuts `len` bytes into slices by what is drawn from `seed`: ascending ends,
 * the last one below `len`, to be freed. */
size_t *fuzz_cuts(uint64_t seed, size_t len, size_t *cuts_len);

/* Ends the process with one line. */
__attribute__((format(printf, 1, 2), noreturn)) void
fuzz_fail(const char *format, ...);

#define FUZZ_CHECK(holds, ...)                                                 \
  do {                                                                         \
    if (!(holds))                                                              \
      fuzz_fail(__VA_ARGS__);                                                  \
  } while (0)

#endif
