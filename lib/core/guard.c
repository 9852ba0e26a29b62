/* Strict grammar of head lines; see guard.h. */
#include "guard.h"

#include "chars.h"

const char *runnel__guard_start(struct runnel__str bytes) {
  struct runnel__str starts[] = {RUNNEL__STR("HTTP/1."), RUNNEL__STR("\r\n")};
  for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
    size_t len = bytes.len < starts[i].len ? bytes.len : starts[i].len;
    if (memcmp(bytes.at, starts[i].at, len) == 0)
      return NULL;
  }
  return "the answer is not HTTP/1.0 or HTTP/1.1";
}

const char *runnel__guard_status_line(struct runnel__str line, int *status,
                                      int *minor) {
  const char *at = line.at;
  if (line.len < 8 || memcmp(at, "HTTP/1.", 7) != 0 ||
      (at[7] != '0' && at[7] != '1'))
    return "the answer is not HTTP/1.0 or HTTP/1.1";
  if (line.len < 12 || at[8] != ' ' || !runnel__is_digit(at[9]) ||
      !runnel__is_digit(at[10]) || !runnel__is_digit(at[11]) ||
      (line.len > 12 && at[12] != ' '))
    return "the status line holds no status of three digits";
  if (at[9] < '1' || at[9] > '5')
    return "the status is not between 100 and 599";
  for (size_t i = 12; i < line.len; i++)
    if (!runnel__is_field_byte(at[i]))
      return "the status line holds a control character";
  *status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
  *minor = at[7] - '0';
  return NULL;
}

const char *runnel__guard_field_line(struct runnel__str line) {
  size_t i = 0;
  if (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t'))
    return "a header line is folded";
  while (i < line.len && runnel__is_tchar(line.at[i]))
    i++;
  if (i == 0 || i == line.len || line.at[i] != ':')
    return "a header line does not begin with a name and a colon";
  for (; i < line.len; i++)
    if (!runnel__is_field_byte(line.at[i]))
      return "a header's value holds a control character";
  return NULL;
}
