/* See block.h. */
#include "block.h"

#include <assert.h>

#include "utf8.h"

#define NOT_A_NUMBER (-2)
#define STORE_BYTES_MIN 32
#define STORE_BYTES_MAX 65536 /* upper bound of both options, see runnel.h */

/* Memory ------------------------------------------------------------------ */

int runnel__store_set(struct runnel__store *store, struct runnel__mem *mem,
                      const char *bytes, size_t len) {
  assert(len <= STORE_BYTES_MAX);
  if (len >= store->cap) {
    size_t cap = len < STORE_BYTES_MIN ? STORE_BYTES_MIN : len + 1;
    char *at = runnel__realloc(mem, store->at, cap);
    if (at == NULL)
      return RUNNEL_ENOMEM;
    store->at = at;
    store->cap = (uint32_t)cap;
  }
  if (len > 0)
    memmove(store->at, bytes, len);
  store->at[len] = '\0';
  store->len = (uint32_t)len;
  return RUNNEL_OK;
}

void runnel__store_free(struct runnel__store *store, struct runnel__mem *mem) {
  runnel__free(mem, store->at);
  *store = (struct runnel__store){0};
}

int runnel__block_append(struct runnel__parser *parser, const char *bytes,
                         size_t len, size_t max) {
  int err = runnel__buf_append(&parser->carry, parser->mem, bytes, len, max);
  if (err == RUNNEL_OK)
    parser->counts.bytes_copied += len;
  return err;
}

void runnel__block_drop_carry(struct runnel__parser *parser) {
  if (parser->carry.at != NULL)
    runnel__buf_free(&parser->carry, parser->mem);
}

void runnel__block_drop_tail(struct runnel__parser *parser) {
  parser->carry.len = runnel__block_carry_base(parser);
  if (!parser->data_carried)
    runnel__block_drop_carry(parser);
}

int runnel__block_store_type(struct runnel__parser *parser, const char *value,
                             size_t len) {
  int err = runnel__store_set(&parser->type_store, parser->mem, value, len);
  if (err != RUNNEL_OK)
    return err;
  parser->type = parser->type_store.at;
  parser->type_len = (uint32_t)len;
  parser->type_stored = 1;
  return RUNNEL_OK;
}

static int put_type_aside(struct runnel__parser *parser) {
  if (parser->type == NULL || parser->type_stored)
    return RUNNEL_OK;
  return runnel__block_store_type(parser, parser->type, parser->type_len);
}

/* Takes the unfinished block out of the slice. */
int runnel__block_carry(struct runnel__parser *parser) {
  int err = put_type_aside(parser);
  if (err != RUNNEL_OK)
    return err;
  if (!parser->has_data || parser->data_carried || parser->dropping)
    return RUNNEL_OK;
  err = runnel__block_append(parser, parser->data, parser->data_len,
                             parser->rules->event_bytes_max);
  if (err == RUNNEL_OK)
    parser->data_carried = 1;
  return err;
}

/* Forgets the item that the last call returned, with its repaired copies. */
void runnel__block_drop_shown(struct runnel__parser *parser) {
  if (parser->shown == RUNNEL_PARSED_COMMENT ||
      parser->shown == RUNNEL_PARSED_RETRY)
    runnel__block_drop_tail(parser);
  else if (parser->shown != 0)
    runnel__block_reset(parser);
  parser->shown = 0;
  parser->shown_id = RUNNEL__NO_ID;
}

/* What is shown ----------------------------------------------------------- */

int runnel__block_too_big(struct runnel__parser *parser, enum too_big what) {
  parser->too_big = (unsigned char)what;
  return RUNNEL_ETOOBIG;
}

/* Replaces ill-formed parts by repaired copies behind the carry's bytes. The
 * carry may move: `data_carried` says that event->data points into it. */
static int repair(struct runnel__parser *parser, struct runnel_event *event,
                  int data_carried) {
  struct {
    const char **at;
    size_t *len;
    int good;
  } parts[] = {{&event->type, &event->type_len, 0},
               {&event->data, &event->data_len, 0},
               {&event->id, &event->id_len, 0}};
  struct runnel__buf *carry = &parser->carry;
  size_t need = 0;
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    parts[i].good = runnel__utf8_valid(*parts[i].at, *parts[i].len);
    if (!parts[i].good)
      need += runnel__utf8_fixed_len(*parts[i].at, *parts[i].len) + 1;
  }
  if (need == 0)
    return RUNNEL_OK;
  if (need > SIZE_MAX / 2) /* three bytes for one: where addresses are short */
    return RUNNEL_ENOMEM;
  size_t data_at = data_carried ? (size_t)(event->data - carry->at) : 0;
  int err = runnel__buf_reserve(carry, parser->mem, carry->len + 1 + need,
                                SIZE_MAX / 2 - 1);
  if (err != RUNNEL_OK)
    return RUNNEL_ENOMEM;
  if (data_carried)
    event->data = carry->at + data_at;
  char *to = carry->at + carry->len + 1;
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (parts[i].good)
      continue;
    size_t len = runnel__utf8_fix(to, *parts[i].at, *parts[i].len);
    to[len] = '\0';
    *parts[i].at = to;
    *parts[i].len = len;
    to += len + 1;
  }
  carry->len = (size_t)(to - carry->at) - 1;
  return RUNNEL_OK;
}

/* What could not be shown must not have its id in force. */
static void take_id_back(struct runnel__parser *parser) {
  if (parser->shown_id == parser->in_force && parser->has_id)
    parser->in_force ^= 1;
  parser->shown_id = RUNNEL__NO_ID;
  parser->shown = 0;
  parser->id_changed = 0;
}

/* Fills what all kinds share. `data`: NULL for none; else a NUL can be written
 * behind it. */
static int show(struct runnel__parser *parser, struct runnel_event *event,
                int kind, char *data, size_t data_len, int data_carried) {
  struct runnel__str id = runnel__parser_id(parser);
  *event = (struct runnel_event){.type = "",
                                 .data = "",
                                 .id = id.at,
                                 .id_len = id.len,
                                 .has_id = parser->has_id,
                                 .retry_ms = parser->retry_ms};
  if (data != NULL) {
    data[data_len] = '\0';
    event->data = data;
    event->data_len = data_len;
  }
  if (kind == RUNNEL_PARSED_EVENT && parser->type_len == 0) {
    event->type = "message";
    event->type_len = sizeof "message" - 1;
  } else if (kind == RUNNEL_PARSED_EVENT || kind == RUNNEL_PARSED_DROP) {
    if (parser->type_len > 0) {
      parser->type[parser->type_len] = '\0';
      event->type = parser->type;
      event->type_len = parser->type_len;
    }
  }
  parser->shown = (unsigned char)kind;
  int err = parser->rules->utf8_replace ? repair(parser, event, data_carried)
                                        : RUNNEL_OK;
  if (kind == RUNNEL_PARSED_DROP)
    event->data_len = data_len;
  if (err == RUNNEL_OK)
    return kind;
  take_id_back(parser);
  return err;
}

int runnel__block_show_event(struct runnel__parser *parser,
                             struct runnel_event *event) {
  char *data = parser->data_carried ? parser->carry.at : parser->data;
  return show(parser, event, RUNNEL_PARSED_EVENT, data, parser->data_len,
              parser->data_carried && data != NULL);
}

/* A blank line. */
int runnel__block_end(struct runnel__parser *parser,
                      struct runnel_event *event) {
  runnel__block_commit_id(parser);
  if (parser->dropping) {
    parser->counts.drops++;
    return show(parser, event, RUNNEL_PARSED_DROP, NULL, parser->data_len, 0);
  }
  if (parser->has_data) {
    parser->counts.events++;
    return runnel__block_show_event(parser, event);
  }
  if (parser->id_changed)
    return show(parser, event, RUNNEL_PARSED_ID, NULL, 0, 0);
  parser->shown_id = RUNNEL__NO_ID;
  runnel__block_reset(parser);
  return 0;
}

int runnel__block_comment(struct runnel__parser *parser,
                          struct runnel_event *event, char *text, size_t len,
                          int in_carry) {
  parser->counts.comments++;
  if (!parser->rules->comments)
    return 0;
  if (len > parser->rules->event_bytes_max) {
    parser->counts.drops++;
    return 0;
  }
  return show(parser, event, RUNNEL_PARSED_COMMENT, text, len, in_carry);
}

int runnel__block_retry(struct runnel__parser *parser,
                        struct runnel_event *event, int64_t number) {
  if (number < 0)
    return 0;
  parser->retry_ms = number;
  return show(parser, event, RUNNEL_PARSED_RETRY, NULL, 0, 0);
}

/* Fields ------------------------------------------------------------------ */

int64_t runnel__block_add_digits(int64_t number, const char *bytes,
                                 size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (number == NOT_A_NUMBER || bytes[i] < '0' || bytes[i] > '9')
      return NOT_A_NUMBER;
    int digit = bytes[i] - '0';
    if (number == RUNNEL__NO_DIGITS)
      number = digit;
    else if (number > (INT64_MAX - digit) / 10)
      number = INT64_MAX;
    else
      number = number * 10 + digit;
  }
  return number;
}

int runnel__block_id(struct runnel__parser *parser, const char *value,
                     size_t len) {
  if (len > 0 && memchr(value, '\0', len) != NULL)
    return RUNNEL_OK;
  if (len > parser->rules->id_bytes_max)
    return runnel__block_too_big(parser, TOO_BIG_ID);
  int err = runnel__store_set(&parser->ids[!parser->in_force], parser->mem,
                              value, len);
  if (err == RUNNEL_OK)
    parser->has_id = 1;
  return err;
}

int runnel__block_type(struct runnel__parser *parser, char *value, size_t len) {
  if (len > parser->rules->type_bytes_max)
    return runnel__block_too_big(parser, TOO_BIG_TYPE);
  parser->type = value;
  parser->type_len = (uint32_t)len;
  parser->type_stored = 0;
  return RUNNEL_OK;
}

/* The joined data passed its limit at `total` bytes: from now on it is only
 * counted. */
static int refuse_data(struct runnel__parser *parser, size_t total) {
  if (!parser->rules->drop)
    return runnel__block_too_big(parser, TOO_BIG_EVENT);
  parser->has_data = 1;
  parser->dropping = 1;
  parser->data_carried = 0;
  parser->data_len = total;
  runnel__block_drop_carry(parser);
  return RUNNEL_OK;
}

/* Appends to data that is in the carry, or counts what is dropped. */
int runnel__block_extend_data(struct runnel__parser *parser, const char *bytes,
                              size_t len) {
  size_t max = parser->rules->event_bytes_max;
  size_t total =
      len > SIZE_MAX - parser->data_len ? SIZE_MAX : parser->data_len + len;
  if (!parser->dropping && total > max)
    return refuse_data(parser, total);
  if (!parser->dropping) {
    int err = runnel__block_append(parser, bytes, len, max);
    if (err != RUNNEL_OK)
      return err;
  }
  parser->data_len = total;
  return RUNNEL_OK;
}

/* A data line begins whose value goes to the carry. */
int runnel__block_begin_data(struct runnel__parser *parser) {
  if (parser->has_data)
    return runnel__block_extend_data(parser, "\n", 1);
  parser->has_data = 1;
  parser->data_carried = 1;
  return RUNNEL_OK;
}

/* Moves the value up behind the data that lies before it in the slice; between
 * them is at least a line end, which becomes the LF. */
static int join_data(struct runnel__parser *parser, char *value, size_t len) {
  if (runnel__block_type_is_behind(parser, parser->data)) {
    int err = put_type_aside(parser);
    if (err != RUNNEL_OK)
      return err;
  }
  char *to = parser->data + parser->data_len;
  *to = '\n';
  memmove(to + 1, value, len);
  parser->counts.bytes_moved += len;
  parser->data_len += len + 1;
  return RUNNEL_OK;
}

int runnel__block_data(struct runnel__parser *parser, char *value, size_t len) {
  if (parser->data_carried || parser->dropping) {
    int err = runnel__block_begin_data(parser);
    return err == RUNNEL_OK ? runnel__block_extend_data(parser, value, len)
                            : err;
  }
  size_t max = parser->rules->event_bytes_max;
  size_t before = parser->has_data ? parser->data_len + 1 : 0;
  if (len > max || before > max - len)
    return refuse_data(parser, before + len);
  if (parser->has_data)
    return join_data(parser, value, len);
  parser->has_data = 1;
  parser->data = value;
  parser->data_len = len;
  return RUNNEL_OK;
}
