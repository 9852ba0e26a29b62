/* Reads requests strictly as runnel writes them: CRLF, "Name: value". */
#include "sim_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story_text.h"

static const struct {
  const char *name;
  const char *value; /* NULL: any */
} usual[] = {
    {"Host", NULL},
    {"Accept", "text/event-stream"},
    {"Cache-Control", "no-cache"},
    {"User-Agent", "runnel/0.1"},
    {"Accept-Encoding", "identity"},
};

#define USUAL_LEN (sizeof usual / sizeof usual[0])

static const char *find_field(const char *head, const char *name) {
  size_t len = strlen(name);
  const char *end = strstr(head, "\r\n\r\n");
  for (const char *at = strstr(head, "\r\n"); at != NULL && at < end;
       at = strstr(at + 2, "\r\n"))
    if (strncmp(at + 2, name, len) == 0 && strncmp(at + 2 + len, ": ", 2) == 0)
      return at + 2 + len + 2;
  return NULL;
}

void sim_request_field(char *dst, size_t size, const char *bytes,
                       const char *name) {
  const char *value = find_field(bytes, name);
  dst[0] = '\0';
  if (value != NULL)
    snprintf(dst, size, "%.*s", (int)strcspn(value, "\r"), value);
}

static int is_usual(const char *field, size_t len, const char *host) {
  for (size_t i = 0; i < USUAL_LEN; i++) {
    const char *value = usual[i].value == NULL ? host : usual[i].value;
    size_t name_len = strlen(usual[i].name);
    if (value != NULL && len == name_len + 2 + strlen(value) &&
        strncmp(field, usual[i].name, name_len) == 0 &&
        strncmp(field + name_len + 2, value, strlen(value)) == 0)
      return 1;
  }
  return 0;
}

static void show_fields(struct story_bytes *out, const char *bytes,
                        const char *host, size_t body_len) {
  const char *end = strstr(bytes, "\r\n\r\n");
  const char *field = strstr(bytes, "\r\n") + 2;
  while (field < end + 2) {
    size_t len = strcspn(field, "\r");
    int counts = strncmp(field, "Content-Length: ", 16) == 0 && body_len > 0;
    if (!is_usual(field, len, host) && !counts) {
      story_bytes_text(out, "  ");
      story_escape(out, field, len);
    }
    field += len + 2;
  }
  for (size_t i = 0; i < USUAL_LEN; i++)
    if (find_field(bytes, usual[i].name) == NULL) {
      story_bytes_text(out, "  no ");
      story_bytes_text(out, usual[i].name);
    }
}

size_t sim_request_line(char *line, size_t size, const char *bytes,
                        const char *host, int all) {
  const char *end = strstr(bytes, "\r\n\r\n");
  if (end == NULL)
    return 0;
  const char *length = find_field(bytes, "Content-Length");
  size_t body_len = length == NULL ? 0 : strtoul(length, NULL, 10);
  if (strlen(end + 4) < body_len)
    return 0;
  struct story_bytes out = {0};
  size_t used = (size_t)(end + 4 - bytes) + body_len;
  if (all) {
    story_escape(&out, bytes, used);
  } else {
    size_t first = strcspn(bytes, "\r");
    const char *version = " HTTP/1.1";
    size_t tail = strlen(version);
    int is_plain =
        first > tail && strncmp(bytes + first - tail, version, tail) == 0;
    story_escape(&out, bytes, is_plain ? first - tail : first);
    show_fields(&out, bytes, host, body_len);
    if (body_len > 0) {
      story_bytes_text(&out, "  body=");
      story_escape_short(&out, end + 4, body_len);
    }
  }
  snprintf(line, size, "%s", out.at);
  story_bytes_free(&out);
  return used;
}
