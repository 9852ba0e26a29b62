/* One step at a time: a step is a well-formed sequence or a maximal subpart of
 * an ill-formed one, so that repair and check share one table of boundaries. */
#include "utf8.h"

#include <string.h>

static const char REPLACEMENT[] = "\xef\xbf\xbd";
#define REPLACEMENT_LEN (sizeof REPLACEMENT - 1)

/* Bytes that must follow `lead`, and the bounds of the first of them; -1: no
 * lead byte. */
static int need_after(unsigned char lead, unsigned char *low,
                      unsigned char *high) {
  *low = 0x80;
  *high = 0xbf;
  if (lead < 0x80)
    return 0;
  if (lead < 0xc2 || lead > 0xf4)
    return -1;
  if (lead < 0xe0)
    return 1;
  if (lead < 0xf0) {
    *low = lead == 0xe0 ? 0xa0 : 0x80;
    *high = lead == 0xed ? 0x9f : 0xbf;
    return 2;
  }
  *low = lead == 0xf0 ? 0x90 : 0x80;
  *high = lead == 0xf4 ? 0x8f : 0xbf;
  return 3;
}

/* Bytes of the step at `bytes` (len > 0); *good: it is well-formed. */
static size_t step_len(const char *bytes, size_t len, int *good) {
  unsigned char low, high;
  int need = need_after((unsigned char)bytes[0], &low, &high);
  size_t taken = 1;
  while (need > 0 && taken < len) {
    unsigned char byte = (unsigned char)bytes[taken];
    if (byte < low || byte > high)
      break;
    low = 0x80;
    high = 0xbf;
    taken++;
    need--;
  }
  *good = need == 0;
  return taken;
}

int runnel__utf8_valid(const char *bytes, size_t len) {
  int good = 1;
  for (size_t i = 0; i < len && good;)
    i += step_len(bytes + i, len - i, &good);
  return good;
}

size_t runnel__utf8_fixed_len(const char *bytes, size_t len) {
  size_t fixed = 0;
  for (size_t i = 0; i < len;) {
    int good;
    size_t step = step_len(bytes + i, len - i, &good);
    fixed += good ? step : REPLACEMENT_LEN;
    i += step;
  }
  return fixed;
}

size_t runnel__utf8_fix(char *dst, const char *bytes, size_t len) {
  char *to = dst;
  for (size_t i = 0; i < len;) {
    int good;
    size_t step = step_len(bytes + i, len - i, &good);
    size_t put = good ? step : REPLACEMENT_LEN;
    memcpy(to, good ? bytes + i : REPLACEMENT, put);
    to += put;
    i += step;
  }
  return (size_t)(to - dst);
}
