/* Classes of bytes, of ASCII alone: the locale must not decide what a header or
 * a URL is (RFC 9110 5.6.2, 5.5). */
#ifndef RUNNEL_CORE_CHARS_H
#define RUNNEL_CORE_CHARS_H

#include <string.h>

static inline int runnel__is_digit(char c) { return c >= '0' && c <= '9'; }

static inline int runnel__is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline int runnel__is_alnum(char c) {
  return runnel__is_alpha(c) || runnel__is_digit(c);
}

/* The digit's value, or -1. */
static inline int runnel__hex_value(char c) {
  if (runnel__is_digit(c))
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* tchar: what a token is made of. */
static inline int runnel__is_tchar(char c) {
  return runnel__is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* C0 controls and DEL; HTAB is one. */
static inline int runnel__is_control(char c) {
  return (unsigned char)c < 0x20 || c == 0x7f;
}

/* What a field value or a reason phrase may hold: HTAB, SP, VCHAR, obs-text. */
static inline int runnel__is_field_byte(char c) {
  return c == '\t' || !runnel__is_control(c);
}

#endif
