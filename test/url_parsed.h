/* What the tests of URLs share. */
#ifndef RUNNEL_TEST_URL_PARSED_H
#define RUNNEL_TEST_URL_PARSED_H

#include "../lib/core/url.h"

/* How the refusal of a host such as 127.1 goes on. */
#define IS_ODD                                                                 \
  "\" is an IPv4 address in an odd form; write four decimal numbers"

/* Fails the test if the URL is refused. */
static inline struct runnel__url url_parsed(const char *text) {
  struct runnel__url url;
  char why[RUNNEL__WHY_BYTES];
  if (runnel__url_parse(&url, runnel__str_of(text), why) != RUNNEL_OK)
    fail_msg("%s: %s", text, why);
  return url;
}

#endif
