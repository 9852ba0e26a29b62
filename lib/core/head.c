/* A request's head, and the checks that keep injections out of it.
 *
 * Writes HTTP/1.1 (RFC 9112 3) and Basic authorization (RFC 7617); what came
 * from outside was checked when it was kept and is written as it is. */
#include "head.h"

#include <assert.h>
#include <stdio.h>

#include "chars.h"

#define TEXT(number) #number
#define DIGITS(number) TEXT(number)
#define USER_AGENT                                                             \
  "runnel/" DIGITS(RUNNEL_VERSION_MAJOR) "." DIGITS(RUNNEL_VERSION_MINOR)

/* Room for a host in brackets and a port. */
#define HOST_TEXT_BYTES 280

/* How much of a field's name a refusal repeats. */
#define SHOWN_BYTES_MAX 64

/* Every part has its own limit, checked where it was taken in. */
#define HEAD_BYTES_MAX (SIZE_MAX / 4)

/* Fields that runnel writes itself, or that would change the framing. */
static const char *const owned[] = {
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "trailer",
    "keep-alive",
    "te",
    "upgrade",
    "expect",
    "last-event-id",
    "proxy-authorization",
    "accept-encoding",
};

static const char *const secret_names[] = {"authorization", "cookie",
                                           "proxy-authorization"};

static const char *const secret_tails[] = {"key",  "token",   "secret",
                                           "auth", "session", "signature"};

/* What describes a content that a redirect took away (RFC 9110 15.4). */
static const char *const content_names[] = {
    "content-type", "content-encoding", "content-language", "content-location"};

/* Methods that mean no content when they have none (RFC 9110 8.6, 9.3). */
static const char *const bare_methods[] = {"GET", "HEAD", "DELETE", "OPTIONS",
                                           "TRACE"};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static int in_table(const char *const *table, size_t len,
                    struct runnel__str name) {
  for (size_t i = 0; i < len; i++)
    if (runnel__str_eq_nocase(name, runnel__str_of(table[i])))
      return 1;
  return 0;
}

int runnel__head_token(struct runnel__str text) {
  for (size_t i = 0; i < text.len; i++)
    if (!runnel__is_tchar(text.at[i]))
      return 0;
  return text.len > 0;
}

static int check_name(struct runnel__str name, char *why) {
  if (name.len == 0) {
    (void)snprintf(why, RUNNEL__WHY_BYTES, "a header's name is empty");
    return RUNNEL_EINVAL;
  }
  for (size_t i = 0; i < name.len; i++) {
    if (runnel__is_tchar(name.at[i]))
      continue;
    (void)snprintf(why, RUNNEL__WHY_BYTES,
                   "a header's name holds the byte 0x%02X, which is not "
                   "allowed there",
                   (unsigned)(unsigned char)name.at[i]);
    return RUNNEL_EINVAL;
  }
  return RUNNEL_OK;
}

int runnel__head_check(struct runnel__str name, struct runnel__str value,
                       char *why) {
  int err = check_name(name, why);
  if (err != RUNNEL_OK)
    return err;
  int shown = (int)(name.len < SHOWN_BYTES_MAX ? name.len : SHOWN_BYTES_MAX);
  if (in_table(owned, COUNT(owned), name)) {
    (void)snprintf(why, RUNNEL__WHY_BYTES,
                   "header \"%.*s\" is runnel's own and cannot be set", shown,
                   name.at);
    return RUNNEL_EINVAL;
  }
  for (size_t i = 0; i < value.len; i++) {
    if (runnel__is_field_byte(value.at[i]))
      continue;
    (void)snprintf(why, RUNNEL__WHY_BYTES,
                   "the value of header \"%.*s\" holds a control character",
                   shown, name.at);
    return RUNNEL_EINVAL;
  }
  return RUNNEL_OK;
}

int runnel__head_secret(const struct runnel_header *header) {
  struct runnel__str name = runnel__str_of(header->name);
  if (header->flags & RUNNEL_SENSITIVE)
    return 1;
  if (in_table(secret_names, COUNT(secret_names), name))
    return 1;
  for (size_t i = 0; i < COUNT(secret_tails); i++)
    if (runnel__str_ends_nocase(name, runnel__str_of(secret_tails[i])))
      return 1;
  return 0;
}

/* Remembers the first error, so that what is written reads as a list. */
struct writer {
  struct runnel__buf *out;
  struct runnel__mem *mem;
  int err;
};

static void put(struct writer *writer, struct runnel__str text) {
  if (writer->err == RUNNEL_OK)
    writer->err = runnel__buf_append(writer->out, writer->mem, text.at,
                                     text.len, HEAD_BYTES_MAX);
}

static void put_field(struct writer *writer, struct runnel__str name,
                      struct runnel__str value) {
  put(writer, name);
  put(writer, RUNNEL__STR(": "));
  put(writer, value);
  put(writer, RUNNEL__STR("\r\n"));
}

/* Three bytes become four letters (RFC 4648 4). */
struct base64 {
  struct writer *writer;
  unsigned bits;
  int count;
};

static void put_base64_group(struct base64 *base64) {
  static const char letters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char group[4];
  unsigned bits = base64->bits << (8 * (3 - base64->count));
  for (int i = 0; i < 4; i++)
    group[i] = i > base64->count ? '=' : letters[bits >> (18 - 6 * i) & 63];
  put(base64->writer, (struct runnel__str){group, sizeof group});
  base64->bits = 0;
  base64->count = 0;
}

static void put_base64_byte(struct base64 *base64, unsigned byte) {
  base64->bits = base64->bits << 8 | byte;
  if (++base64->count == 3)
    put_base64_group(base64);
}

/* Percent-decodes; the URL's reader made sure of the hex digits. */
static void put_base64_decoded(struct base64 *base64, struct runnel__str text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.at[i] != '%') {
      put_base64_byte(base64, (unsigned char)text.at[i]);
      continue;
    }
    assert(i + 2 < text.len);
    int high = runnel__hex_value(text.at[i + 1]);
    int low = runnel__hex_value(text.at[i + 2]);
    put_base64_byte(base64, (unsigned)(high * 16 + low));
    i += 2;
  }
}

static void put_basic(struct writer *writer, const struct runnel__url *url) {
  struct base64 base64 = {writer, 0, 0};
  put(writer, RUNNEL__STR("Authorization: Basic "));
  put_base64_decoded(&base64, url->user);
  put_base64_byte(&base64, ':');
  put_base64_decoded(&base64, url->password);
  if (base64.count > 0)
    put_base64_group(&base64);
  put(writer, RUNNEL__STR("\r\n"));
}

static int is_left_out(const struct runnel__head *head,
                       const struct runnel_header *header) {
  if (head->cross_origin && runnel__head_secret(header))
    return 1;
  return head->drop_content && in_table(content_names, COUNT(content_names),
                                        runnel__str_of(header->name));
}

/* 1 if the application has a field of that name that will be written. */
static int is_replaced(const struct runnel__head *head,
                       struct runnel__str name) {
  for (size_t i = 0; i < head->headers_len; i++)
    if (runnel__str_eq_nocase(runnel__str_of(head->headers[i].name), name) &&
        !is_left_out(head, &head->headers[i]))
      return 1;
  return 0;
}

static void put_default(struct writer *writer, const struct runnel__head *head,
                        struct runnel__str name, struct runnel__str value) {
  if (!is_replaced(head, name))
    put_field(writer, name, value);
}

static void put_request_line(struct writer *writer,
                             const struct runnel__head *head) {
  const struct runnel__url *url = head->url;
  put(writer, head->method);
  put(writer, RUNNEL__STR(" "));
  put(writer, url->path.len > 0 ? url->path : RUNNEL__STR("/"));
  put(writer, url->query);
  put(writer, RUNNEL__STR(" HTTP/1.1\r\n"));
}

static void put_own_fields(struct writer *writer,
                           const struct runnel__head *head) {
  char host[HOST_TEXT_BYTES];
  size_t host_len = runnel__url_print_host(host, sizeof host, head->url);
  assert(host_len < sizeof host);
  put_field(writer, RUNNEL__STR("Host"), (struct runnel__str){host, host_len});
  put_default(writer, head, RUNNEL__STR("Accept"),
              RUNNEL__STR("text/event-stream"));
  put_default(writer, head, RUNNEL__STR("Cache-Control"),
              RUNNEL__STR("no-cache"));
  put_default(writer, head, RUNNEL__STR("User-Agent"), RUNNEL__STR(USER_AGENT));
  put_field(writer, RUNNEL__STR("Accept-Encoding"), RUNNEL__STR("identity"));
  if (head->url->has_userinfo && !head->cross_origin &&
      !is_replaced(head, RUNNEL__STR("Authorization")))
    put_basic(writer, head->url);
}

static void put_content_length(struct writer *writer,
                               const struct runnel__head *head) {
  char digits[24];
  uint64_t len = head->has_body ? head->body_len : 0;
  for (size_t i = 0; i < COUNT(bare_methods) && !head->has_body; i++)
    if (runnel__str_eq(head->method, runnel__str_of(bare_methods[i])))
      return;
  (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)len);
  put_field(writer, RUNNEL__STR("Content-Length"), runnel__str_of(digits));
}

int runnel__head_write(struct runnel__buf *out, struct runnel__mem *mem,
                       const struct runnel__head *head) {
  struct writer writer = {out, mem, RUNNEL_OK};
  size_t start = out->len;
  put_request_line(&writer, head);
  put_own_fields(&writer, head);
  for (size_t i = 0; i < head->headers_len; i++) {
    const struct runnel_header *header = &head->headers[i];
    if (!is_left_out(head, header))
      put_field(&writer, runnel__str_of(header->name),
                runnel__str_trim(runnel__str_of(header->value)));
  }
  if (head->last_event_id.len > 0)
    put_field(&writer, RUNNEL__STR("Last-Event-ID"), head->last_event_id);
  put_content_length(&writer, head);
  put(&writer, RUNNEL__STR("\r\n"));
  if (writer.err == RUNNEL_OK)
    return RUNNEL_OK;
  out->len = start;
  return RUNNEL_ENOMEM;
}
