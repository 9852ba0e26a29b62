/* http and https URLs (RFC 3986): what is one, whose it is, and its text.
 *
 * Refuses rather than repairs. Every text of a refusal is one line and holds
 * neither userinfo nor query. Resolving a Location lies in url_resolve.c. */
#include "url.h"

#include <stdarg.h>
#include <stdio.h>

#include "chars.h"
#include "out.h"

#define LABEL_BYTES_MAX 63

/* How much of an outside text a refusal repeats. */
#define SHOWN_BYTES_MAX 64
#define SHOWN(str)                                                             \
  (int)((str).len < SHOWN_BYTES_MAX ? (str).len : SHOWN_BYTES_MAX), (str).at

static int refuse(char *why, const char *format, ...) {
  if (why != NULL) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, RUNNEL__WHY_BYTES, format, args);
    va_end(args);
  }
  return RUNNEL_EURL;
}

static struct runnel__str part(struct runnel__str text, size_t from,
                               size_t to) {
  return (struct runnel__str){text.at + from, to - from};
}

/* Index of the first byte at or after `from` that is one of `bytes`, or len. */
static size_t find(struct runnel__str text, size_t from, const char *bytes) {
  size_t i = from;
  while (i < text.len && (text.at[i] == '\0' || !strchr(bytes, text.at[i])))
    i++;
  return i;
}

static size_t find_last(struct runnel__str text, char byte) {
  for (size_t i = text.len; i > 0; i--)
    if (text.at[i - 1] == byte)
      return i - 1;
  return text.len;
}

/* Says what is wrong with the byte at `bad`, by where it stands. */
static int refuse_byte(struct runnel__str text, size_t bad, char *why) {
  unsigned byte = (unsigned char)text.at[bad];
  size_t start = find(text, 0, ":/?#");
  start = find(text, start, ":") < text.len ? start + 3 : text.len;
  size_t end = start < text.len ? find(text, start, "/?#") : text.len;
  if (start > text.len || bad < start || bad >= end)
    return refuse(why,
                  "URL holds the byte 0x%02X, which must be "
                  "percent-encoded",
                  byte);
  struct runnel__str authority = part(text, start, end);
  size_t at = find_last(authority, '@');
  if (at < authority.len && bad < start + at)
    return refuse(why, "userinfo holds a byte that must be percent-encoded");
  if (byte >= 0x80)
    return refuse(why,
                  "host holds the byte 0x%02X: give it in ASCII form "
                  "(xn--...)",
                  byte);
  return refuse(why, "host holds the byte 0x%02X", byte);
}

static int check_bytes(struct runnel__str text, char *why) {
  if (text.len == 0)
    return refuse(why, "URL is empty");
  if (text.len > RUNNEL__URL_BYTES_MAX)
    return refuse(why, "URL is %zu bytes long, over %d", text.len,
                  RUNNEL__URL_BYTES_MAX);
  for (size_t i = 0; i < text.len; i++) {
    unsigned char byte = (unsigned char)text.at[i];
    if (byte <= 0x20 || byte >= 0x7f || byte == '\\')
      return refuse_byte(text, i, why);
  }
  return RUNNEL_OK;
}

/* Sets https; *rest: what follows "://". */
static int parse_scheme(struct runnel__url *url, struct runnel__str text,
                        struct runnel__str *rest, char *why) {
  size_t colon = find(text, 0, ":/?#");
  if (colon == 0 || colon == text.len || text.at[colon] != ':')
    return refuse(why, "URL has no scheme; it must begin with http:// or "
                       "https://");
  struct runnel__str scheme = part(text, 0, colon);
  url->https = runnel__str_eq_nocase(scheme, RUNNEL__STR("https"));
  if (!url->https && !runnel__str_eq_nocase(scheme, RUNNEL__STR("http"))) {
    /* user:password@host without a scheme must not be shown. */
    if (find(text, colon, "@") < text.len)
      return refuse(why, "the scheme is not http or https");
    return refuse(why, "scheme \"%.*s\" is not http or https", SHOWN(scheme));
  }
  if (text.len - colon < 3 || memcmp(text.at + colon, "://", 3) != 0)
    return refuse(why, "\"%.*s:\" is not followed by \"//\"", SHOWN(scheme));
  *rest = part(text, colon + 3, text.len);
  return RUNNEL_OK;
}

/* A control character in what becomes a header would be an injection, and a
 * colon in a user name would move its end (RFC 7617 2). */
static int check_userinfo(struct runnel__str text, int is_user, char *why) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.at[i] != '%')
      continue;
    int high = i + 2 < text.len ? runnel__hex_value(text.at[i + 1]) : -1;
    int low = i + 2 < text.len ? runnel__hex_value(text.at[i + 2]) : -1;
    if (high < 0 || low < 0)
      return refuse(why, "userinfo holds '%%' without two hex digits");
    char byte = (char)(unsigned char)(high * 16 + low);
    if (runnel__is_control(byte))
      return refuse(why, "userinfo holds a control character");
    if (is_user && byte == ':')
      return refuse(why, "the user name holds a colon");
  }
  return RUNNEL_OK;
}

/* Takes the userinfo off the front of *authority. */
static int parse_userinfo(struct runnel__url *url,
                          struct runnel__str *authority, char *why) {
  size_t at = find_last(*authority, '@');
  if (at == authority->len)
    return RUNNEL_OK;
  if (find(*authority, 0, "@") != at)
    return refuse(why, "URL holds more than one '@' before its path");
  struct runnel__str userinfo = part(*authority, 0, at);
  size_t colon = find(userinfo, 0, ":");
  url->has_userinfo = 1;
  url->user = part(userinfo, 0, colon);
  url->password = colon < userinfo.len ? part(userinfo, colon + 1, userinfo.len)
                                       : part(userinfo, colon, colon);
  *authority = part(*authority, at + 1, authority->len);
  if (url->user.len == 0 && url->password.len == 0)
    return refuse(why, "userinfo is empty");
  int err = check_userinfo(url->user, 1, why);
  return err != RUNNEL_OK ? err : check_userinfo(url->password, 0, why);
}

static int parse_port(struct runnel__url *url, struct runnel__str text,
                      char *why) {
  url->port = url->https ? 443 : 80;
  if (text.len == 0)
    return RUNNEL_OK;
  long port = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (!runnel__is_digit(text.at[i]))
      return refuse(why, "port \"%.*s\" is not a decimal number", SHOWN(text));
    port = port > 65535 ? port : port * 10 + (text.at[i] - '0');
  }
  if (port > 65535)
    return refuse(why, "port %.*s is over 65535", SHOWN(text));
  if (port == 0)
    return refuse(why, "port 0 cannot be connected to");
  url->port = (uint16_t)port;
  return RUNNEL_OK;
}

static struct runnel__str without_dot(struct runnel__str host) {
  if (host.len > 0 && host.at[host.len - 1] == '.')
    host.len--;
  return host;
}

/* 1 if inet_aton might take it for an address: its last label is a number. */
static int ends_in_number(struct runnel__str host) {
  struct runnel__str name = without_dot(host);
  size_t dot = find_last(name, '.');
  struct runnel__str label =
      dot < name.len ? part(name, dot + 1, name.len) : name;
  int hex =
      label.len >= 2 && label.at[0] == '0' && runnel__lower(label.at[1]) == 'x';
  for (size_t i = hex ? 2 : 0; i < label.len; i++)
    if (hex ? runnel__hex_value(label.at[i]) < 0
            : !runnel__is_digit(label.at[i]))
      return 0;
  return 1;
}

static int check_labels(struct runnel__str host, char *why) {
  struct runnel__str name = without_dot(host);
  if (name.len > RUNNEL__HOST_BYTES_MAX)
    return refuse(why, "host is %zu bytes long, over %d", name.len,
                  RUNNEL__HOST_BYTES_MAX);
  for (size_t from = 0; from <= name.len;) {
    size_t dot = find(name, from, ".");
    if (dot == from)
      return refuse(why, "host \"%.*s\" has an empty label", SHOWN(host));
    if (dot - from > LABEL_BYTES_MAX)
      return refuse(why, "a label of the host is %zu bytes long, over %d",
                    dot - from, LABEL_BYTES_MAX);
    from = dot + 1;
  }
  return RUNNEL_OK;
}

static int parse_name(struct runnel__url *url, char *why) {
  struct runnel__str host = url->host;
  if (host.len == 0)
    return refuse(why, "URL has no host");
  for (size_t i = 0; i < host.len; i++)
    if (!runnel__is_alnum(host.at[i]) && !strchr("-._", host.at[i]))
      return refuse(why, "host holds the character '%c'", host.at[i]);
  int err = check_labels(host, why);
  if (err != RUNNEL_OK)
    return err;
  if (!ends_in_number(host))
    return RUNNEL_OK;
  if (!runnel__addr_parse(&url->addr, host))
    return refuse(why,
                  "host \"%.*s\" is an IPv4 address in an odd form; write four "
                  "decimal numbers",
                  SHOWN(host));
  url->literal = 1;
  return RUNNEL_OK;
}

static int parse_brackets(struct runnel__url *url, char *why) {
  struct runnel__str host = url->host;
  if (find(host, 0, "%") < host.len)
    return refuse(why, "zone ids are not accepted in URLs");
  if (host.len > 0 && runnel__lower(host.at[0]) == 'v')
    return refuse(why, "IPvFuture addresses are not accepted");
  if (!runnel__addr_parse(&url->addr, host) || !url->addr.v6)
    return refuse(why, "host \"[%.*s]\" is not an IPv6 address", SHOWN(host));
  url->literal = 1;
  return RUNNEL_OK;
}

static int parse_host_port(struct runnel__url *url, struct runnel__str text,
                           char *why) {
  int brackets = text.len > 0 && text.at[0] == '[';
  size_t end = find(text, 0, brackets ? "]" : ":");
  if (brackets && end == text.len)
    return refuse(why, "the host's '[' has no ']'");
  url->host = part(text, brackets ? 1 : 0, end);
  size_t colon = brackets ? end + 1 : end;
  int err = brackets ? parse_brackets(url, why) : RUNNEL_OK;
  if (err != RUNNEL_OK)
    return err;
  if (colon < text.len && text.at[colon] != ':')
    return refuse(why, "']' is followed by neither port nor path");
  if (colon < text.len && find(text, colon + 1, ":") < text.len)
    return refuse(why, "host and port hold more than one ':'; an IPv6 address "
                       "stands in brackets");
  if (!brackets)
    err = parse_name(url, why);
  if (err != RUNNEL_OK)
    return err;
  err = parse_port(
      url, part(text, colon < text.len ? colon + 1 : text.len, text.len), why);
  url->addr.port = url->port;
  return err;
}

int runnel__url_parse(struct runnel__url *url, struct runnel__str text,
                      char *why) {
  struct runnel__url parsed = {0};
  struct runnel__str rest = text;
  int err = check_bytes(text, why);
  if (err == RUNNEL_OK)
    err = parse_scheme(&parsed, text, &rest, why);
  if (err != RUNNEL_OK)
    return err;
  size_t end = find(rest, 0, "#");
  size_t path = find(part(rest, 0, end), 0, "/?");
  size_t query = find(part(rest, 0, end), path, "?");
  struct runnel__str authority = part(rest, 0, path);
  parsed.path = part(rest, path, query);
  parsed.query = part(rest, query, end);
  err = parse_userinfo(&parsed, &authority, why);
  if (err == RUNNEL_OK)
    err = parse_host_port(&parsed, authority, why);
  if (err == RUNNEL_OK) {
    *url = parsed;
    return RUNNEL_OK;
  }
  /* What stands before a later '@' may be a secret: do not show it. */
  if (find(rest, path, "@") < rest.len)
    return refuse(why, "host or port is malformed, or userinfo holds a '/', "
                       "'?' or '#' that is not percent-encoded");
  return err;
}

int runnel__url_same_origin(const struct runnel__url *a,
                            const struct runnel__url *b) {
  if (a->https != b->https || a->port != b->port || a->literal != b->literal)
    return 0;
  if (a->literal)
    return a->addr.v6 == b->addr.v6 &&
           memcmp(a->addr.ip, b->addr.ip, sizeof a->addr.ip) == 0;
  return runnel__str_eq_nocase(without_dot(a->host), without_dot(b->host));
}

static void put_host(struct runnel__out *out, const struct runnel__url *url,
                     struct runnel__str host) {
  int brackets = url->literal && url->addr.v6;
  if (brackets)
    runnel__out_char(out, '[');
  runnel__out_str(out, host);
  if (brackets)
    runnel__out_char(out, ']');
  if (url->port == (url->https ? 443 : 80))
    return;
  char port[8];
  (void)snprintf(port, sizeof port, ":%u", (unsigned)url->port);
  runnel__out_str(out, runnel__str_of(port));
}

size_t runnel__url_print(char *dst, size_t size, const struct runnel__url *url,
                         int query) {
  struct runnel__out out = {dst, size, 0};
  runnel__out_str(&out, url->https ? RUNNEL__STR("https://")
                                   : RUNNEL__STR("http://"));
  put_host(&out, url, url->host);
  runnel__out_str(&out, url->path.len > 0 ? url->path : RUNNEL__STR("/"));
  if (query)
    runnel__out_str(&out, url->query);
  return runnel__out_end(&out);
}

size_t runnel__url_print_host(char *dst, size_t size,
                              const struct runnel__url *url) {
  struct runnel__out out = {dst, size, 0};
  put_host(&out, url, without_dot(url->host));
  return runnel__out_end(&out);
}
