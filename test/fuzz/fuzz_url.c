/* URLs and Locations against libcurl's URL API: what runnel accepts, libcurl
 * must accept, with the same scheme, host, port, userinfo, path and query; what
 * both resolve must come out the same, up to the known differences below, each
 * of which the slow reading of RFC 3986 in this file decides instead. That
 * reading is always compared.
 *
 * Input: the URL up to the first line feed, then the Location. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "../../lib/core/url.h"
#include "../story_text.h"
#include "fuzz.h"

#define TEXT_BYTES (3 * RUNNEL__URL_BYTES_MAX)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK;
}

/* Parts ------------------------------------------------------------------- */

/* One part of libcurl's; "" if there is none. */
static char *part_of(CURLU *handle, CURLUPart what, unsigned flags) {
  char *text = NULL;
  if (curl_url_get(handle, what, &text, flags) != CURLUE_OK)
    text = NULL;
  return text;
}

static void check_part(CURLU *handle, CURLUPart what, struct runnel__str ours,
                       const char *name) {
  char *theirs = part_of(handle, what, CURLU_DEFAULT_PORT);
  FUZZ_CHECK(runnel__str_eq(runnel__str_of(theirs), ours),
             "%s: \"%.*s\", libcurl's is \"%s\"", name, (int)ours.len, ours.at,
             theirs != NULL ? theirs : "");
  curl_free(theirs);
}

/* libcurl writes IPv6 in its canonical form and in brackets. */
static void check_host(CURLU *handle, const struct runnel__url *url) {
  char *theirs = part_of(handle, CURLUPART_HOST, 0);
  FUZZ_CHECK(theirs != NULL, "libcurl sees no host");
  struct runnel__str host = runnel__str_of(theirs);
  struct runnel__addr addr;
  if (url->literal) {
    if (host.len > 0 && host.at[0] == '[')
      host = (struct runnel__str){host.at + 1, host.len - 2};
    FUZZ_CHECK(runnel__addr_parse(&addr, host) && addr.v6 == url->addr.v6 &&
                   memcmp(addr.ip, url->addr.ip, sizeof addr.ip) == 0,
               "address \"%.*s\", libcurl's is \"%s\"", (int)url->host.len,
               url->host.at, theirs);
  } else {
    FUZZ_CHECK(runnel__str_eq_nocase(host, url->host),
               "host \"%.*s\", libcurl's is \"%s\"", (int)url->host.len,
               url->host.at, theirs);
  }
  curl_free(theirs);
}

static struct runnel__str without_mark(struct runnel__str query) {
  if (query.len > 0) {
    query.at++;
    query.len--;
  }
  return query;
}

static void check_parts(CURLU *handle, const struct runnel__url *url) {
  char port[8];
  struct runnel__str path = url->path.len > 0 ? url->path : RUNNEL__STR("/");
  snprintf(port, sizeof port, "%u", (unsigned)url->port);
  check_part(handle, CURLUPART_SCHEME,
             runnel__str_of(url->https ? "https" : "http"), "scheme");
  check_host(handle, url);
  check_part(handle, CURLUPART_PORT, runnel__str_of(port), "port");
  check_part(handle, CURLUPART_PATH, path, "path");
  check_part(handle, CURLUPART_QUERY, without_mark(url->query), "query");
  check_part(handle, CURLUPART_USER, url->user, "user");
  check_part(handle, CURLUPART_PASSWORD, url->password, "password");
}

/* What an accepted URL may hold (promise 1 and faults U1 to U9), and that its
 * text is read as the same URL again. */
static void check_print(const struct runnel__url *url) {
  char text[TEXT_BYTES], host[TEXT_BYTES];
  struct runnel__url again;
  size_t len = runnel__url_print(text, sizeof text, url, 1);
  FUZZ_CHECK(len == strlen(text), "print: %zu bytes of %zu", strlen(text), len);
  for (size_t i = 0; i < len; i++)
    FUZZ_CHECK(text[i] > 0x20 && text[i] < 0x7f, "print: byte %d", text[i]);
  if (len > RUNNEL__URL_BYTES_MAX)
    return;
  FUZZ_CHECK(runnel__url_parse(&again, (struct runnel__str){text, len}, NULL) ==
                 RUNNEL_OK,
             "\"%s\" was printed and is refused", text);
  FUZZ_CHECK(runnel__url_same_origin(url, &again), "print: another origin");
  FUZZ_CHECK(runnel__str_eq(url->query, again.query), "print: another query");
  FUZZ_CHECK(!again.has_userinfo, "print: userinfo");
  runnel__url_print_host(host, sizeof host, url);
  FUZZ_CHECK(strpbrk(host, "/?#@\r\n ") == NULL, "Host: %s", host);
}

/* Resolving, slowly ------------------------------------------------------- */

/* RFC 3986 5.2.4, letter by letter: an input buffer and an output buffer. */
static void remove_dots_slowly(struct story_bytes *out, const char *path) {
  char *copy = strdup(path), *in = copy;
  FUZZ_CHECK(copy != NULL, "no memory");
  size_t from = out->len;
  while (*in != '\0') {
    int up = strncmp(in, "/../", 4) == 0 || strcmp(in, "/..") == 0;
    int dot = strncmp(in, "/./", 3) == 0 || strcmp(in, "/.") == 0;
    if (up || dot) {
      in += up ? 3 : 2;
      if (*in == '\0')
        *--in = '/';
    }
    if (up) {
      while (out->len > from && out->at[out->len - 1] != '/')
        out->len--;
      if (out->len > from)
        out->len--;
    }
    if (up || dot)
      continue;
    size_t len = 1 + strcspn(in + 1, "/");
    story_bytes_add(out, in, len);
    in += len;
  }
  free(copy);
}

struct reference {
  char scheme[16];
  int has_scheme, has_authority, has_query;
  char authority[TEXT_BYTES], path[TEXT_BYTES], query[TEXT_BYTES];
};

static const char *take(char *to, const char *from, const char *until) {
  size_t len = strcspn(from, until);
  memcpy(to, from, len);
  to[len] = '\0';
  return from + len;
}

/* RFC 3986 appendix B. */
static void split(struct reference *reference, const char *text) {
  memset(reference, 0, sizeof *reference);
  size_t scheme = strcspn(text, ":/?#");
  if (scheme > 0 && text[scheme] == ':') {
    reference->has_scheme = 1;
    snprintf(reference->scheme, sizeof reference->scheme, "%.*s", (int)scheme,
             text);
    text += scheme + 1;
  }
  if (strncmp(text, "//", 2) == 0) {
    reference->has_authority = 1;
    text = take(reference->authority, text + 2, "/?#");
  }
  text = take(reference->path, text, "?#");
  if (*text == '?') {
    reference->has_query = 1;
    take(reference->query, text + 1, "#");
  }
}

/* RFC 3986 5.2.2 and 5.3; the result is parsed and printed in runnel's form,
 * which leaves out default ports. 0: no URL that runnel accepts. */
static int resolve_slowly(char *dst, const char *base_text,
                          const char *location) {
  static struct reference base, target; /* large */
  struct story_bytes path = {0}, text = {0};
  split(&base, base_text);
  split(&target, location);
  const char *scheme = target.has_scheme ? target.scheme : base.scheme;
  int own = target.has_scheme || target.has_authority;
  const char *authority = own ? target.authority : base.authority;
  int has_query = target.has_query;
  const char *query = target.query;
  story_bytes_text(&path, "");
  if (own || target.path[0] == '/') {
    remove_dots_slowly(&path, target.path);
  } else if (target.path[0] == '\0') {
    remove_dots_slowly(&path, base.path);
    if (!target.has_query) {
      has_query = base.has_query;
      query = base.query;
    }
  } else {
    char *slash = strrchr(base.path, '/');
    struct story_bytes merged = {0};
    story_bytes_add(&merged, base.path,
                    slash == NULL ? 0 : (size_t)(slash + 1 - base.path));
    if (slash == NULL)
      story_bytes_text(&merged, "/");
    story_bytes_text(&merged, target.path);
    remove_dots_slowly(&path, merged.at);
    story_bytes_free(&merged);
  }
  const char *parts[] = {
      scheme, "://", authority, path.at, has_query ? "?" : "", query};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    story_bytes_text(&text, parts[i]);
  struct runnel__url url;
  int good =
      (!target.has_scheme || target.has_authority) &&
      runnel__url_parse(&url, runnel__str_of(text.at), NULL) == RUNNEL_OK &&
      runnel__url_print(dst, TEXT_BYTES, &url, 1) <= RUNNEL__URL_BYTES_MAX;
  story_bytes_free(&path);
  story_bytes_free(&text);
  return good;
}

/* Resolving, by libcurl --------------------------------------------------- */

static int is_fragment(const char *base, const char *location) {
  (void)base;
  return location[0] == '#';
}

static int has_empty_segment(const char *base, const char *location) {
  size_t start = strspn(location, "/");
  return strstr(base, "//") != NULL || strstr(location + start, "//") != NULL ||
         start > 2;
}

static int has_dots(const char *base, const char *location) {
  (void)location;
  return strstr(base, "/.") != NULL;
}

static int is_dots_and_query(const char *base, const char *location) {
  (void)base;
  return location[0] == '.' && location[strspn(location, "./")] == '?';
}

/* Where libcurl (7.88) departs from RFC 3986 when it resolves, by the base's
 * path and the Location. The slow reading above does not, and has been compared
 * by then. Both parsers agree on everything that runnel accepts. */
static const struct {
  int (*holds)(const char *base, const char *location);
  const char *why;
} known_differences[] = {
    {is_fragment, "5.2.2: a fragment alone takes the base's last segment and "
                  "its query away"},
    {is_dots_and_query, "5.2.2: \"./?q\" is taken for \"?q\""},
    {has_dots, "5.2.4: \"..\" counts the base's own dot segments as folders"},
    {has_empty_segment,
     "5.2.4: an empty segment beside \"..\" or \".\", or at the "
     "start, is lost"},
};

static int is_known(const struct runnel__url *base, const char *location) {
  char *path = strndup(base->path.len > 0 ? base->path.at : "", base->path.len);
  int known = 0;
  FUZZ_CHECK(path != NULL, "no memory");
  for (size_t i = 0; i < sizeof known_differences / sizeof *known_differences;
       i++)
    known |= known_differences[i].holds(path, location);
  free(path);
  return known;
}

static void check_curl(CURLU *handle, const struct runnel__url *base,
                       const char *location, const char *ours) {
  struct runnel__url theirs, wanted;
  char printed[TEXT_BYTES];
  char *text = NULL;
  runnel__url_print(printed, sizeof printed, base, 1);
  if (is_known(base, location) ||
      curl_url_set(handle, CURLUPART_URL, printed, CURLU_PATH_AS_IS) !=
          CURLUE_OK ||
      curl_url_set(handle, CURLUPART_URL, location, 0) != CURLUE_OK)
    return;
  if (curl_url_get(handle, CURLUPART_URL, &text, 0) != CURLUE_OK)
    return;
  int parsed =
      runnel__url_parse(&theirs, runnel__str_of(text), NULL) == RUNNEL_OK &&
      runnel__url_parse(&wanted, runnel__str_of(ours), NULL) == RUNNEL_OK;
  if (parsed) {
    struct runnel__str root = RUNNEL__STR("/");
    FUZZ_CHECK(runnel__url_same_origin(&theirs, &wanted) &&
                   runnel__str_eq(theirs.path.len > 0 ? theirs.path : root,
                                  wanted.path) &&
                   runnel__str_eq(without_mark(theirs.query),
                                  without_mark(wanted.query)),
               "\"%s\" resolves to \"%s\", by libcurl to \"%s\"", location,
               ours, text);
  }
  curl_free(text);
}

static void check_resolve(const struct runnel__url *base, CURLU *handle,
                          const char *base_text, struct runnel__str location) {
  char ours[RUNNEL__URL_BYTES_MAX + 1] = "untouched";
  char slow[TEXT_BYTES];
  int err = runnel__url_resolve(ours, base, location, NULL);
  if (memchr(location.at, '\0', location.len) != NULL)
    FUZZ_CHECK(err != RUNNEL_OK || memchr(location.at, '#', location.len),
               "NUL was accepted");
  if (err != RUNNEL_OK) {
    FUZZ_CHECK(strcmp(ours, "untouched") == 0, "refused, but written");
    return;
  }
  char *copy = strndup(location.at, location.len);
  FUZZ_CHECK(copy != NULL, "no memory");
  struct runnel__url result;
  FUZZ_CHECK(runnel__url_parse(&result, runnel__str_of(ours), NULL) ==
                     RUNNEL_OK &&
                 !result.has_userinfo,
             "resolved to \"%s\", which is refused", ours);
  FUZZ_CHECK(resolve_slowly(slow, base_text, copy),
             "\"%s\" resolves to \"%s\", slowly to nothing", copy, ours);
  FUZZ_CHECK(strcmp(slow, ours) == 0,
             "\"%s\" resolves to \"%s\", slowly to \"%s\"", copy, ours, slow);
  check_curl(handle, base, copy, ours);
  free(copy);
}

static void check_why(const char *why) {
  size_t len = strlen(why);
  FUZZ_CHECK(len > 0 && len < RUNNEL__WHY_BYTES, "why: \"%s\"", why);
  for (size_t i = 0; i < len; i++)
    FUZZ_CHECK((unsigned char)why[i] >= 0x20 && why[i] != 0x7f,
               "why holds the byte %d", why[i]);
}

static void check_url(const char *text, size_t len,
                      struct runnel__str location) {
  struct runnel__url url;
  char why[RUNNEL__WHY_BYTES] = "";
  if (runnel__url_parse(&url, (struct runnel__str){text, len}, why) !=
      RUNNEL_OK) {
    check_why(why);
    return;
  }
  CURLU *handle = curl_url();
  FUZZ_CHECK(handle != NULL, "no memory");
  CURLUcode code = curl_url_set(handle, CURLUPART_URL, text, CURLU_PATH_AS_IS);
  FUZZ_CHECK(code == CURLUE_OK, "libcurl refuses \"%s\": %d", text, (int)code);
  check_parts(handle, &url);
  check_print(&url);
  check_resolve(&url, handle, text, location);
  curl_url_cleanup(handle);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  const uint8_t *end = len > 0 ? memchr(bytes, '\n', len) : NULL;
  size_t url_len = end == NULL ? len : (size_t)(end - bytes);
  size_t location_len = end == NULL ? 0 : len - url_len - 1;
  char *url = calloc(1, url_len + 1);
  char *location = malloc(location_len > 0 ? location_len : 1);
  FUZZ_CHECK(url != NULL && location != NULL, "no memory");
  if (url_len > 0)
    memcpy(url, bytes, url_len);
  if (location_len > 0)
    memcpy(location, end + 1, location_len);
  check_url(url, url_len, (struct runnel__str){location, location_len});
  free(url);
  free(location);
  return 0;
}
