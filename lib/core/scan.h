/* Where lines of an event stream end (HTML standard 9.2.5: LF, CRLF, CR), by
 * the widest steps that the machine has: AVX2 where it is there at run time,
 * SSE2 on any x86-64, NEON on AArch64, eight bytes in a word elsewhere. All say
 * the same; a test holds each against the plain one.
 *
 * All but the last function are always inlined into their callers, so that a
 * caller built for AVX2 gets the instructions and not a call. */
#ifndef RUNNEL_CORE_SCAN_H
#define RUNNEL_CORE_SCAN_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Bytes that a window covers; all of them are read. */
#define RUNNEL__WINDOW 64

/* Bytes that a long step covers; all of them are read. */
#define RUNNEL__STRIDE 128

#define RUNNEL__INLINE static inline __attribute__((always_inline))

/* Bit i of a window: byte i is CR or LF. */
typedef uint64_t (*runnel__scan_window)(const char *at);

/* 1 if one of a stride's bytes is CR or LF. */
typedef int (*runnel__scan_stride)(const char *at);

#define RUNNEL__BYTES(byte) (UINT64_C(0x0101010101010101) * (byte))

/* 0x80 in each byte of `word` that is zero, exactly. */
RUNNEL__INLINE uint64_t runnel__zero_bytes(uint64_t word) {
  const uint64_t low = RUNNEL__BYTES(0x7f);
  return ~(((word & low) + low) | word | low);
}

/* 0x80 in each byte of `word` that is CR or LF. */
RUNNEL__INLINE uint64_t runnel__end_bytes(uint64_t word) {
  return runnel__zero_bytes(word ^ RUNNEL__BYTES('\n')) |
         runnel__zero_bytes(word ^ RUNNEL__BYTES('\r'));
}

/* Eight bytes a step. The product gathers the eight top bits in the top byte.
 */
RUNNEL__INLINE uint64_t runnel__window_plain(const char *at) {
  uint64_t ends = 0;
  for (int i = 0; i < RUNNEL__WINDOW / 8; i++) {
    uint64_t word;
    memcpy(&word, at + i * 8, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t bits =
        (runnel__end_bytes(word) >> 7) * UINT64_C(0x0102040810204080) >> 56;
    ends |= bits << (i * 8);
  }
  return ends;
}

RUNNEL__INLINE int runnel__stride_plain(const char *at) {
  uint64_t ends = 0;
  for (int i = 0; i < RUNNEL__STRIDE / 8; i++) {
    uint64_t word;
    memcpy(&word, at + i * 8, sizeof word);
    ends |= runnel__end_bytes(word);
  }
  return ends != 0;
}

#if defined(__x86_64__)

RUNNEL__INLINE uint64_t runnel__window_sse2(const char *at) {
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i cr = _mm_set1_epi8('\r');
  uint64_t ends = 0;
  for (int i = 0; i < 4; i++) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at + i);
    __m128i hits =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, lf), _mm_cmpeq_epi8(bytes, cr));
    ends |= (uint64_t)(uint32_t)_mm_movemask_epi8(hits) << (16 * i);
  }
  return ends;
}

RUNNEL__INLINE int runnel__stride_sse2(const char *at) {
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i cr = _mm_set1_epi8('\r');
  __m128i hits = _mm_setzero_si128();
  for (int i = 0; i < RUNNEL__STRIDE / 16; i++) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at + i);
    hits = _mm_or_si128(hits, _mm_cmpeq_epi8(bytes, lf));
    hits = _mm_or_si128(hits, _mm_cmpeq_epi8(bytes, cr));
  }
  return _mm_movemask_epi8(hits) != 0;
}

#define RUNNEL__AVX2 __attribute__((target("avx2,bmi"), always_inline))

/* Each byte's lower half looks up the line end that has it: equal bytes are
 * line ends. A byte with the top bit looks up 0. */
RUNNEL__AVX2 static inline __m256i runnel__ends_avx2(const char *at) {
  const __m256i ends =
      _mm256_setr_epi8(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\n', 0, 0, '\r', 0, 0, 1,
                       0, 0, 0, 0, 0, 0, 0, 0, 0, '\n', 0, 0, '\r', 0, 0);
  __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
  return _mm256_cmpeq_epi8(bytes, _mm256_shuffle_epi8(ends, bytes));
}

RUNNEL__AVX2 static inline uint64_t runnel__window_avx2(const char *at) {
  __m256i low = runnel__ends_avx2(at);
  __m256i high = runnel__ends_avx2(at + 32);
  return (uint64_t)(uint32_t)_mm256_movemask_epi8(low) |
         (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

RUNNEL__AVX2 static inline int runnel__stride_avx2(const char *at) {
  __m256i hits = runnel__ends_avx2(at);
  for (int i = 1; i < RUNNEL__STRIDE / 32; i++)
    hits = _mm256_or_si256(hits, runnel__ends_avx2(at + 32 * i));
  return _mm256_movemask_epi8(hits) != 0;
}

#elif defined(__aarch64__)

/* Each byte keeps its own bit of eight; pairwise sums gather them. */
RUNNEL__INLINE uint64_t runnel__window_neon(const char *at) {
  static const uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                     1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bit = vld1q_u8(places);
  uint8x16_t hits[4];
  for (int i = 0; i < 4; i++) {
    uint8x16_t bytes = vld1q_u8((const uint8_t *)at + 16 * i);
    hits[i] = vandq_u8(vorrq_u8(vceqq_u8(bytes, vdupq_n_u8('\n')),
                                vceqq_u8(bytes, vdupq_n_u8('\r'))),
                       bit);
  }
  uint8x16_t sum =
      vpaddq_u8(vpaddq_u8(hits[0], hits[1]), vpaddq_u8(hits[2], hits[3]));
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

RUNNEL__INLINE int runnel__stride_neon(const char *at) {
  uint8x16_t hits = vdupq_n_u8(0);
  for (int i = 0; i < RUNNEL__STRIDE / 16; i++) {
    uint8x16_t bytes = vld1q_u8((const uint8_t *)at + 16 * i);
    hits = vorrq_u8(hits, vorrq_u8(vceqq_u8(bytes, vdupq_n_u8('\n')),
                                   vceqq_u8(bytes, vdupq_n_u8('\r'))));
  }
  return vmaxvq_u8(hits) != 0;
}

#endif

/* What every machine of the kind that this is built for has. */
#if defined(__x86_64__)
#define RUNNEL__STRIDE_COMMON runnel__stride_sse2
#elif defined(__aarch64__)
#define RUNNEL__STRIDE_COMMON runnel__stride_neon
#else
#define RUNNEL__STRIDE_COMMON runnel__stride_plain
#endif

/* The first CR or LF in [at, end), or `end`. Reads nothing past `end`. */
static inline char *runnel__scan_line_end(char *at, char *end) {
  while (end - at >= RUNNEL__STRIDE && !RUNNEL__STRIDE_COMMON(at))
    at += RUNNEL__STRIDE - (uintptr_t)at % RUNNEL__WINDOW; /* even from here */
  while (end - at >= 8) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    if (runnel__end_bytes(word) != 0)
      break;
    at += 8;
  }
  while (at < end && *at != '\n' && *at != '\r')
    at++;
  return at;
}

#endif
