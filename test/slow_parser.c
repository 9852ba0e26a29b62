/* See slow_parser.h. Every buffer is as long as the whole input could need. */
#include "slow_parser.h"

#include <stdlib.h>
#include <string.h>

struct text {
  char *at;
  size_t len;
};

struct slow {
  const struct runnel__parser_rules *rules;
  struct slow_result *result;
  void (*item)(int, const struct runnel_event *, int, void *);
  void *user;
  struct text data, type, last_id, id; /* the standard's four buffers */
  int has_id, fields;
  size_t data_lines;
  long long retry;
};

static void set_text(struct text *text, const char *at, size_t len) {
  memcpy(text->at, at, len);
  text->len = len;
}

static struct text new_text(size_t room) {
  struct text text = {calloc(1, room + 1), 0};
  return text;
}

static void put(struct text *text, const char *at, size_t len) {
  memcpy(text->at + text->len, at, len);
  text->len += len;
}

/* Encoding standard 8.1.1, the UTF-8 decoder, byte for byte. */
static struct text decode(const char *at, size_t len) {
  struct text out = new_text(3 * len);
  int needed = 0, seen = 0, lower = 0x80, upper = 0xbf;
  size_t start = 0;
  for (size_t i = 0; i < len; i++) {
    int byte = (unsigned char)at[i];
    if (needed == 0) {
      start = i;
      if (byte <= 0x7f)
        put(&out, at + i, 1);
      else if (byte >= 0xc2 && byte <= 0xdf)
        needed = 1;
      else if (byte >= 0xe0 && byte <= 0xef) {
        if (byte == 0xe0)
          lower = 0xa0;
        if (byte == 0xed)
          upper = 0x9f;
        needed = 2;
      } else if (byte >= 0xf0 && byte <= 0xf4) {
        if (byte == 0xf0)
          lower = 0x90;
        if (byte == 0xf4)
          upper = 0x8f;
        needed = 3;
      } else
        put(&out, "\xef\xbf\xbd", 3);
      continue;
    }
    if (byte < lower || byte > upper) {
      needed = seen = 0;
      lower = 0x80;
      upper = 0xbf;
      put(&out, "\xef\xbf\xbd", 3);
      i--; /* the byte is looked at again */
      continue;
    }
    lower = 0x80;
    upper = 0xbf;
    if (++seen == needed) {
      put(&out, at + start, i + 1 - start);
      needed = seen = 0;
    }
  }
  if (needed != 0)
    put(&out, "\xef\xbf\xbd", 3);
  return out;
}

static void show(struct slow *slow, int kind, struct text data, int changed) {
  int fix = slow->rules->utf8_replace;
  struct text parts[3] = {data, slow->type, slow->id};
  for (int i = 0; i < 3; i++) {
    struct text copy = new_text(parts[i].len);
    if (parts[i].len > 0)
      put(&copy, parts[i].at, parts[i].len);
    if (fix) {
      struct text fixed = decode(copy.at, copy.len);
      free(copy.at);
      copy = fixed;
    }
    parts[i] = copy;
  }
  struct runnel_event event = {parts[1].at,  parts[1].len, parts[0].at,
                               parts[0].len, parts[2].at,  parts[2].len,
                               slow->has_id, slow->retry};
  if (parts[1].len == 0) {
    event.type = "message";
    event.type_len = 7;
  }
  if (kind == RUNNEL_PARSED_DROP)
    event.data_len = slow->data.len - 1;
  slow->item(kind, &event, changed, slow->user);
  for (int i = 0; i < 3; i++)
    free(parts[i].at);
}

static void dispatch(struct slow *slow) {
  int changed = slow->has_id &&
                (slow->last_id.len != slow->id.len ||
                 memcmp(slow->last_id.at, slow->id.at, slow->id.len) != 0);
  struct text none = {NULL, 0};
  if (slow->has_id)
    set_text(&slow->id, slow->last_id.at, slow->last_id.len);
  if (slow->data_lines > 0) {
    struct text data = {slow->data.at, slow->data.len - 1};
    if (data.len > slow->rules->event_bytes_max) {
      slow->result->drops++;
      show(slow, RUNNEL_PARSED_DROP, none, changed);
    } else {
      slow->result->events++;
      show(slow, RUNNEL_PARSED_EVENT, data, changed);
    }
  } else if (changed)
    show(slow, RUNNEL_PARSED_ID, none, changed);
  slow->data.len = slow->type.len = slow->data_lines = 0;
  slow->has_id = slow->fields = 0;
  slow->retry = -1;
}

static void field(struct slow *slow, const char *name, struct text value) {
  if (strcmp(name, "data") == 0) {
    put(&slow->data, value.at, value.len);
    put(&slow->data, "\n", 1);
    slow->data_lines++;
    if (slow->data.len - 1 > slow->rules->event_bytes_max && !slow->rules->drop)
      slow->result->too_big = "event";
  } else if (strcmp(name, "event") == 0) {
    set_text(&slow->type, value.at, value.len);
    if (value.len > slow->rules->type_bytes_max)
      slow->result->too_big = "type";
  } else if (strcmp(name, "id") == 0) {
    for (size_t i = 0; i < value.len; i++)
      if (value.at[i] == '\0')
        return;
    if (value.len > slow->rules->id_bytes_max)
      slow->result->too_big = "id";
    set_text(&slow->last_id, value.at, value.len);
    slow->has_id = 1;
  } else if (strcmp(name, "retry") == 0 && value.len > 0) {
    long long number = 0;
    for (size_t i = 0; i < value.len; i++) {
      int digit = value.at[i] - '0';
      if (digit < 0 || digit > 9)
        return;
      if (number > INT64_MAX / 10 || number * 10 > INT64_MAX - digit)
        number = INT64_MAX;
      else
        number = number * 10 + digit;
    }
    struct text none = {NULL, 0};
    slow->retry = number;
    show(slow, RUNNEL_PARSED_RETRY, none, 0);
  }
}

/* Splits at the first colon. The name is copied up to a length at which no
 * field is known any more. */
static struct text split(char name[8], const char *line, size_t len) {
  const char *colon = memchr(line, ':', len);
  size_t name_len = colon != NULL ? (size_t)(colon - line) : len;
  struct text value = {(char *)(uintptr_t)line + len, 0};
  memset(name, 0, 8);
  memcpy(name, line, name_len < 7 ? name_len : 7);
  if (memchr(name, '\0', name_len < 7 ? name_len : 7) != NULL)
    strcpy(name, "?");
  if (colon == NULL)
    return value;
  value.at = (char *)(uintptr_t)colon + 1;
  value.len = len - name_len - 1;
  if (value.len > 0 && value.at[0] == ' ') {
    value.at++;
    value.len--;
  }
  return value;
}

static void comment(struct slow *slow, const char *text, size_t len) {
  slow->result->comments++;
  if (!slow->rules->comments)
    return;
  struct text copy = {(char *)(uintptr_t)text, len};
  if (len > slow->rules->event_bytes_max)
    slow->result->drops++;
  else
    show(slow, RUNNEL_PARSED_COMMENT, copy, 0);
}

static void take_whole_line(struct slow *slow, const char *line, size_t len) {
  char name[8];
  if (len == 0) {
    dispatch(slow);
  } else if (line[0] == ':') {
    comment(slow, line + 1, len - 1);
  } else {
    struct text value = split(name, line, len);
    slow->fields = 1;
    field(slow, name, value);
  }
}

/* The end of the input inside a line: never shown, but what it has already is
 * too big, is, and what it has counts as unfinished. */
static void take_last_line(struct slow *slow, const char *line, size_t len) {
  char name[8];
  size_t joined = slow->data_lines > 0 ? slow->data.len - 1 : 0;
  if (len > 0 && line[0] != ':') {
    struct text value = split(name, line, len);
    int colon = memchr(line, ':', len) != NULL;
    slow->fields = 1;
    if (colon && strcmp(name, "data") == 0) {
      joined += value.len + (slow->data_lines > 0);
      if (joined > slow->rules->event_bytes_max && !slow->rules->drop)
        slow->result->too_big = "event";
    }
    if (colon && strcmp(name, "event") == 0 &&
        value.len > slow->rules->type_bytes_max)
      slow->result->too_big = "type";
  }
  slow->result->unfinished = joined > 0 ? joined : (size_t)slow->fields;
}

void slow_parse(struct slow_result *result, const char *bytes, size_t len,
                const struct runnel__parser_rules *rules,
                void (*item)(int kind, const struct runnel_event *event,
                             int id_changed, void *user),
                void *user) {
  memset(result, 0, sizeof *result);
  struct slow slow = {.rules = rules,
                      .result = result,
                      .item = item,
                      .user = user,
                      .data = new_text(len + 1),
                      .type = new_text(len),
                      .last_id = new_text(len),
                      .id = new_text(len),
                      .retry = -1};
  size_t at = len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  size_t start = at;
  for (; at < len && result->too_big == NULL; at++) {
    if (bytes[at] != '\n' && bytes[at] != '\r')
      continue;
    take_whole_line(&slow, bytes + start, at - start);
    if (bytes[at] == '\r' && at + 1 < len && bytes[at + 1] == '\n')
      at++;
    start = at + 1;
  }
  if (result->too_big == NULL)
    take_last_line(&slow, bytes + start, len - start);
  result->id = slow.id.at;
  result->id_len = slow.id.len;
  free(slow.data.at);
  free(slow.type.at);
  free(slow.last_id.at);
}
