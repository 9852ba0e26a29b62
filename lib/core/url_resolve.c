/* A Location against the URL it came from (RFC 3986 5.2).
 *
 * The absolute text is put together first and parsed as any other URL, so that
 * nothing reaches a request that runnel__url_parse would refuse. */
#include <stdio.h>

#include "chars.h"
#include "out.h"
#include "url.h"

static int refuse(char *why, const char *text) {
  if (why != NULL)
    (void)snprintf(why, RUNNEL__WHY_BYTES, "%s", text);
  return RUNNEL_EURL;
}

static size_t find(struct runnel__str text, const char *bytes) {
  size_t i = 0;
  while (i < text.len && (text.at[i] == '\0' || !strchr(bytes, text.at[i])))
    i++;
  return i;
}

static int has_scheme(struct runnel__str location) {
  size_t end = find(location, ":/?#");
  return end > 0 && end < location.len && location.at[end] == ':';
}

/* The base's path up to and with its last '/'. */
static struct runnel__str folder(struct runnel__str path) {
  while (path.len > 0 && path.at[path.len - 1] != '/')
    path.len--;
  return path.len > 0 ? path : RUNNEL__STR("/");
}

/* RFC 3986 5.2.2, without removing dots; `location` has no fragment. */
static void compose(struct runnel__out *out, const struct runnel__url *base,
                    struct runnel__str location) {
  if (has_scheme(location)) {
    runnel__out_str(out, location);
    return;
  }
  if (location.len >= 2 && location.at[0] == '/' && location.at[1] == '/') {
    runnel__out_str(out,
                    base->https ? RUNNEL__STR("https:") : RUNNEL__STR("http:"));
    runnel__out_str(out, location);
    return;
  }
  struct runnel__url origin = *base;
  origin.path = (struct runnel__str){0};
  out->len = runnel__url_print(out->dst, out->size, &origin, 0);
  out->len--; /* the path follows, with a '/' of its own */
  if (location.len == 0 || location.at[0] == '?')
    runnel__out_str(out, base->path.len > 0 ? base->path : RUNNEL__STR("/"));
  else if (location.at[0] != '/')
    runnel__out_str(out, folder(base->path));
  runnel__out_str(out, location.len > 0 ? location : base->query);
}

/* Forgets the last segment written, with the '/' before it. */
static size_t drop_segment(const char *path, size_t len) {
  while (len > 0 && path[len - 1] != '/')
    len--;
  return len > 0 ? len - 1 : 0;
}

/* RFC 3986 5.2.4 in place, on a path that is empty or begins with '/'; the new
 * length, which is never more. */
static size_t remove_dots(char *path, size_t len) {
  size_t used = 0;
  for (size_t at = 0; at < len;) {
    size_t end = at + 1;
    while (end < len && path[end] != '/')
      end++;
    struct runnel__str segment = {path + at + 1, end - at - 1};
    int up = runnel__str_eq(segment, RUNNEL__STR(".."));
    int dots = up || runnel__str_eq(segment, RUNNEL__STR("."));
    if (up)
      used = drop_segment(path, used);
    if (!dots) {
      memmove(path + used, path + at, end - at);
      used += end - at;
    } else if (end == len) {
      path[used++] = '/';
    }
    at = end;
  }
  return used;
}

int runnel__url_resolve(char *dst, const struct runnel__url *base,
                        struct runnel__str location, char *why) {
  char text[RUNNEL__URL_BYTES_MAX + 1];
  struct runnel__out out = {text, sizeof text, 0};
  struct runnel__url target;
  if (location.len == 0)
    return refuse(why, "Location is empty");
  location.len = find(location, "#");
  compose(&out, base, location);
  struct runnel__str composed = {text, runnel__out_end(&out)};
  if (composed.len > RUNNEL__URL_BYTES_MAX)
    return refuse(why, "URL is over 8192 bytes long");
  int err = runnel__url_parse(&target, composed, why);
  if (err != RUNNEL_OK)
    return err;
  if (target.has_userinfo)
    return refuse(why, "Location holds userinfo");
  char *path = text + (target.path.at - text);
  target.path.len = remove_dots(path, target.path.len);
  if (runnel__url_print(NULL, 0, &target, 1) > RUNNEL__URL_BYTES_MAX)
    return refuse(why, "URL is over 8192 bytes long");
  (void)runnel__url_print(dst, RUNNEL__URL_BYTES_MAX + 1, &target, 1);
  return RUNNEL_OK;
}
