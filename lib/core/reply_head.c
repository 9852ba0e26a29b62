/* See reply_head.h. The lines are kept as they came, one behind the other,
 * until the table of fields is built over them. */
#include "reply_head.h"

#include <assert.h>
#include <stdalign.h>

#include "chars.h"
#include "guard.h"
#include "reply.h"

/* Bytes of empty lines that may come before a status line (RFC 9112 2.2). */
#define EMPTY_LINES_BYTES_MAX 8

/* A Content-Length of more digits would not fit an int64_t. */
#define LENGTH_DIGITS_MAX 18

static_assert(RUNNEL__REPLY_FIELDS_MAX < UINT16_MAX, "fields fit");

static int malformed(struct runnel__reply_head *head, const char *why) {
  head->why = why;
  return RUNNEL_EHTTP;
}

/* Moves input to the buffer up to the end of a line. 1: *line is complete; 0:
 * more is needed; or an error. */
static int take_line(struct runnel__reply_head *head, struct runnel__mem *mem,
                     struct runnel__str *input, struct runnel__str *line) {
  const char *end = memchr(input->at, '\n', input->len);
  size_t wanted = end == NULL ? input->len : (size_t)(end - input->at) + 1;
  size_t room = head->len_max - head->used;
  size_t len = wanted < room ? wanted : room;
  if (runnel__buf_append(&head->buf, mem, input->at, len, head->len_max) !=
      RUNNEL_OK)
    return RUNNEL_ENOMEM;
  input->at += len;
  input->len -= len;
  head->used += (uint32_t)len;
  line->at = head->buf.at + head->line_at;
  line->len = head->buf.len - head->line_at;
  /* What is no HTTP at all may never send a line's end. */
  const char *why = head->status == 0 ? runnel__guard_start(*line) : NULL;
  if (why != NULL)
    return malformed(head, why);
  if (len < wanted)
    return malformed(head, "the response head is over its limit");
  if (end == NULL)
    return 0;
  if (line->len < 2 || line->at[line->len - 2] != '\r')
    return malformed(head, "a line of the head does not end in CRLF");
  line->len -= 2;
  return 1;
}

/* Forgets the lines so far: they were empty, or a response 1xx. */
static void restart_head(struct runnel__reply_head *head) {
  head->buf.len = 0;
  head->line_at = 0;
  head->status = 0;
  head->headers_len = 0;
}

static int read_status_line(struct runnel__reply_head *head,
                            struct runnel__str line) {
  if (line.len == 0) {
    head->empty_len += 2;
    restart_head(head);
    return head->empty_len > EMPTY_LINES_BYTES_MAX
               ? malformed(head, "empty lines come before the status line")
               : 0;
  }
  int status;
  int minor;
  const char *why = runnel__guard_status_line(line, &status, &minor);
  if (why != NULL)
    return malformed(head, why);
  if (status == 101)
    return malformed(head, "status 101 was not asked for");
  head->status = (uint16_t)status;
  head->minor = (uint8_t)minor;
  return 0;
}

static int read_field_line(struct runnel__reply_head *head,
                           struct runnel__str line) {
  const char *why = runnel__guard_field_line(line);
  if (why != NULL)
    return malformed(head, why);
  if (++head->fields > RUNNEL__REPLY_FIELDS_MAX)
    return malformed(head, "the response head has over 256 fields");
  head->headers_len++;
  return 0;
}

/* Builds the table of fields behind the text, and ends each name and value with
 * a NUL, in the place of what followed it. */
static int build_headers(struct runnel__reply_head *head,
                         struct runnel__mem *mem) {
  const size_t align = alignof(struct runnel_header);
  size_t text_len = head->buf.len;
  size_t table = (text_len + align - 1) / align * align;
  size_t len = table + head->headers_len * sizeof(struct runnel_header);
  if (runnel__buf_reserve(&head->buf, mem, len, len) != RUNNEL_OK)
    return RUNNEL_ENOMEM;
  struct runnel_header *headers = (void *)(head->buf.at + table);
  char *at = (char *)memchr(head->buf.at, '\n', text_len) + 1;
  for (size_t i = 0; i < head->headers_len; i++) {
    size_t rest = text_len - (size_t)(at - head->buf.at);
    char *end = memchr(at, '\r', rest);
    char *colon = memchr(at, ':', rest);
    struct runnel__str value = {colon + 1, (size_t)(end - colon) - 1};
    value = runnel__str_trim(value);
    *colon = '\0';
    head->buf.at[value.at + value.len - head->buf.at] = '\0';
    headers[i] = (struct runnel_header){at, value.at, 0};
    at = end + 2;
  }
  head->headers = headers;
  return 0;
}

static int is_length(struct runnel__str text) {
  while (text.len > 1 && text.at[0] == '0') {
    text.at++;
    text.len--;
  }
  if (text.len == 0 || text.len > LENGTH_DIGITS_MAX)
    return 0;
  for (size_t i = 0; i < text.len; i++)
    if (!runnel__is_digit(text.at[i]))
      return 0;
  return 1;
}

struct runnel__str
runnel__reply_head_field(const struct runnel__reply_head *head,
                         struct runnel__str name, size_t *count) {
  struct runnel__str first = {0};
  size_t found = 0;
  size_t len = head->headers == NULL ? 0 : head->headers_len;
  for (size_t i = 0; i < len; i++)
    if (runnel__str_eq_nocase(runnel__str_of(head->headers[i].name), name) &&
        found++ == 0)
      first = runnel__str_of(head->headers[i].value);
  if (count != NULL)
    *count = found;
  return first;
}

/* What would let two readers find different ends of the body (RFC 9112 6.3).
 * Sets `framing`. */
static int check_framing(struct runnel__reply_head *head) {
  size_t codings;
  size_t lengths;
  struct runnel__str coding = runnel__reply_head_field(
      head, RUNNEL__STR("transfer-encoding"), &codings);
  struct runnel__str length =
      runnel__reply_head_field(head, RUNNEL__STR("content-length"), &lengths);
  if (codings > 0 && lengths > 0)
    return malformed(head, "Transfer-Encoding and Content-Length are there");
  if (lengths > 1)
    return malformed(head, "Content-Length is there more than once");
  if (lengths == 1 && !is_length(length))
    return malformed(head, "Content-Length is not a number");
  if (codings > 0 && head->minor == 0)
    return malformed(head, "Transfer-Encoding is there in HTTP/1.0");
  if (codings > 1 ||
      (codings == 1 && !runnel__str_eq_nocase(coding, RUNNEL__STR("chunked"))))
    return malformed(head, "Transfer-Encoding is not just chunked");
  if (codings > 0)
    head->framing = RUNNEL__FRAMING_CHUNKED;
  else
    head->framing =
        lengths > 0 ? RUNNEL__FRAMING_LENGTH : RUNNEL__FRAMING_UNTIL_END;
  return 0;
}

/* The empty line: 1 when the head is a final one. */
static int end_head(struct runnel__reply_head *head, struct runnel__mem *mem) {
  if (head->status < 200) {
    restart_head(head);
    return ++head->interim > RUNNEL__REPLY_1XX_MAX
               ? malformed(head, "over 8 responses 1xx")
               : 0;
  }
  int err = build_headers(head, mem);
  if (err == RUNNEL_OK)
    err = check_framing(head);
  return err == RUNNEL_OK ? 1 : err;
}

static int read_line(struct runnel__reply_head *head, struct runnel__mem *mem,
                     struct runnel__str line) {
  int result;
  if (head->status == 0)
    result = read_status_line(head, line);
  else if (line.len > 0)
    result = read_field_line(head, line);
  else
    result = end_head(head, mem);
  head->line_at = (uint32_t)head->buf.len;
  return result;
}

int runnel__reply_head_read(struct runnel__reply_head *head,
                            struct runnel__mem *mem, char **bytes,
                            size_t *len) {
  struct runnel__str input = {*bytes, *len};
  int result = 0;
  while (input.len > 0 && result == 0) {
    struct runnel__str line;
    result = take_line(head, mem, &input, &line);
    if (result == 1)
      result = read_line(head, mem, line);
  }
  *bytes += *len - input.len;
  *len = input.len;
  return result;
}

struct runnel__str
runnel__reply_head_status_line(const struct runnel__reply_head *head) {
  const char *end = memchr(head->buf.at, '\n', head->buf.len);
  assert(end != NULL);
  return (struct runnel__str){head->buf.at, (size_t)(end - head->buf.at) + 1};
}

void runnel__reply_head_forget(struct runnel__reply_head *head,
                               struct runnel__mem *mem) {
  runnel__buf_free(&head->buf, mem);
  head->headers = NULL;
  head->headers_len = 0;
}
