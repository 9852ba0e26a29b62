/* Where a line of an event stream ends (HTML standard 9.2.5: LF, CRLF, CR).
 *
 * Eight bytes a step, in plain C; the one place for wider steps. Every byte is
 * looked at once per search, and no search looks past `end`. */
#ifndef RUNNEL_CORE_SCAN_H
#define RUNNEL_CORE_SCAN_H

#include <stdint.h>
#include <string.h>

/* Not 0 if one of the eight bytes is `byte`. */
static inline uint64_t runnel__scan_has(uint64_t word, unsigned char byte) {
  uint64_t diff = word ^ (UINT64_C(0x0101010101010101) * byte);
  return (diff - UINT64_C(0x0101010101010101)) & ~diff &
         UINT64_C(0x8080808080808080);
}

/* The first CR or LF in [at, end), or `end`. */
static inline char *runnel__scan_line_end(char *at, char *end) {
  while (end - at >= 8) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    if ((runnel__scan_has(word, '\n') | runnel__scan_has(word, '\r')) != 0)
      break;
    at += 8;
  }
  while (at < end && *at != '\n' && *at != '\r')
    at++;
  return at;
}

#endif
