/* Reads requests for the scripted peer. It believes the client: a head that is
 * not HTTP shows in the recorded bytes, and there the test looks.
 *
 * A request and its strings are one block: the struct, the raw head, the body,
 * the method and the target. */
#include "peer_request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void peer_write(struct peer_out *out, const char *bytes, size_t len) {
  if (out->len + len + 1 > out->cap) {
    out->cap = (out->len + len + 1) * 2;
    out->bytes = realloc(out->bytes, out->cap);
    if (out->bytes == NULL)
      abort();
  }
  if (len > 0)
    memcpy(out->bytes + out->len, bytes, len);
  out->len += len;
  out->bytes[out->len] = '\0';
}

void peer_printf(struct peer_out *out, const char *format, ...) {
  char text[4096];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (len < 0 || (size_t)len >= sizeof text)
    abort();
  peer_write(out, text, (size_t)len);
}

void peer_out_deinit(struct peer_out *out) {
  free(out->bytes);
  *out = (struct peer_out){0};
}

/* The next field line of `head` from *at on: name and value as ranges. 0 when
 * there are no more. */
static int next_field(const char **at, const char **name, size_t *name_len,
                      const char **value, size_t *value_len) {
  const char *end = strstr(*at, "\r\n");
  if (end == NULL || end == *at)
    return 0;
  const char *colon = memchr(*at, ':', (size_t)(end - *at));
  const char *from = colon == NULL ? end : colon + 1;
  const char *to = end;
  while (from < to && (*from == ' ' || *from == '\t'))
    from++;
  while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
    to--;
  *name = *at;
  *name_len = (size_t)((colon == NULL ? end : colon) - *at);
  *value = from;
  *value_len = (size_t)(to - from);
  *at = end + 2;
  return 1;
}

/* Where the fields begin: after the request line. */
static const char *first_field(const struct peer_request *request) {
  const char *line = strstr(request->head, "\r\n");
  return line == NULL ? request->head + request->head_len : line + 2;
}

const char *peer_header(const struct peer_request *request, const char *name,
                        char *dst, size_t size) {
  const char *at = first_field(request), *key = NULL, *value = NULL;
  size_t key_len = 0, len = 0;
  while (next_field(&at, &key, &key_len, &value, &len)) {
    if (key_len != strlen(name) || strncasecmp(key, name, key_len) != 0)
      continue;
    if (len >= size)
      return NULL;
    memcpy(dst, value, len);
    dst[len] = '\0';
    return dst;
  }
  return NULL;
}

size_t peer_header_count(const struct peer_request *request, const char *name) {
  const char *at = first_field(request), *key = NULL, *value = NULL;
  size_t key_len = 0, len = 0, count = 0;
  while (next_field(&at, &key, &key_len, &value, &len))
    count += key_len == strlen(name) && strncasecmp(key, name, key_len) == 0;
  return count;
}

static size_t body_len_of(const char *head, size_t head_len) {
  struct peer_request probe = {.head = head, .head_len = head_len};
  char text[32];
  if (peer_header(&probe, "Content-Length", text, sizeof text) == NULL)
    return 0;
  return (size_t)strtoull(text, NULL, 10);
}

/* Copies `len` bytes to *room, NUL-terminates them and moves *room on. */
static char *put(char **room, const char *bytes, size_t len) {
  char *text = *room;
  memcpy(text, bytes, len);
  text[len] = '\0';
  *room += len + 1;
  return text;
}

static struct peer_request *make_request(const char *bytes, size_t head_len,
                                         size_t body_len, size_t connection) {
  size_t method_len = strcspn(bytes, " \r\n");
  const char *target = bytes + method_len + (bytes[method_len] == ' ');
  size_t target_len = strcspn(target, " \r\n");
  struct peer_request *request =
      malloc(sizeof *request + 2 * head_len + body_len + 8);
  if (request == NULL)
    abort();
  char *room = (char *)(request + 1);
  *request = (struct peer_request){
      .connection = connection, .head_len = head_len, .body_len = body_len};
  request->head = put(&room, bytes, head_len);
  request->body = put(&room, bytes + head_len, body_len);
  request->method = put(&room, bytes, method_len);
  request->target = put(&room, target, target_len);
  return request;
}

struct peer_request *peer_request_take(struct peer_out *in, size_t connection) {
  const char *end = in->bytes == NULL ? NULL : strstr(in->bytes, "\r\n\r\n");
  if (end == NULL)
    return NULL;
  size_t head_len = (size_t)(end - in->bytes) + 4;
  size_t body_len = body_len_of(in->bytes, head_len);
  if (in->len - head_len < body_len)
    return NULL;
  struct peer_request *request =
      make_request(in->bytes, head_len, body_len, connection);
  in->len -= head_len + body_len;
  memmove(in->bytes, in->bytes + head_len + body_len, in->len);
  in->bytes[in->len] = '\0';
  return request;
}

void peer_request_free(struct peer_request *request) { free(request); }
