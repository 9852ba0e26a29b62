/* Names and texts of codes, all from the one map in runnel.h. */
#include "runnel.h"

static const struct {
  int code;
  const char *name;
  const char *text;
} errors[] = {
#define ROW(name, value, text) {(value), "RUNNEL_" #name, (text)},
    RUNNEL_ERR_MAP(ROW)
#undef ROW
};

const char *runnel_err_name(int code) {
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (errors[i].code == code)
      return errors[i].name;
  return "RUNNEL_UNKNOWN";
}

const char *runnel_strerror(int code) {
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (errors[i].code == code)
      return errors[i].text;
  return "unknown error";
}

const char *runnel_state_name(int state) {
  static const char *const names[] = {
      [RUNNEL_STATE_HELD] = "held",
      [RUNNEL_STATE_QUEUED] = "queued",
      [RUNNEL_STATE_RESOLVING] = "resolving",
      [RUNNEL_STATE_CONNECTING] = "connecting",
      [RUNNEL_STATE_HANDSHAKING] = "handshaking",
      [RUNNEL_STATE_WAITING_HEAD] = "waiting_head",
      [RUNNEL_STATE_OPEN] = "open",
      [RUNNEL_STATE_PAUSED] = "paused",
      [RUNNEL_STATE_BACKING_OFF] = "backing_off",
      [RUNNEL_STATE_CLOSING] = "closing",
  };
  if (state < 0 || state >= (int)(sizeof names / sizeof names[0]))
    return "unknown";
  return names[state];
}

#define TEXT(number) #number
#define DIGITS(number) TEXT(number)

const char *runnel_version(void) {
  return DIGITS(RUNNEL_VERSION_MAJOR) "." DIGITS(
      RUNNEL_VERSION_MINOR) "." DIGITS(RUNNEL_VERSION_PATCH);
}
