/* See vectors.h. */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int hex(char c) {
  const char *digits = "0123456789abcdef";
  const char *at = c != '\0' ? strchr(digits, c) : NULL;
  assert_non_null(at);
  return (int)(at - digits);
}

/* One escape at `text`, past the backslash; returns the bytes read. */
static size_t read_escape(char *byte, const char *text) {
  switch (text[0]) {
  case 'n':
    *byte = '\n';
    return 1;
  case 'r':
    *byte = '\r';
    return 1;
  case 't':
    *byte = '\t';
    return 1;
  case '0':
    *byte = '\0';
    return 1;
  case '\\':
    *byte = '\\';
    return 1;
  case 'x':
    *byte = (char)(hex(text[1]) * 16 + hex(text[2]));
    return 3;
  default:
    fail_msg("no such escape: \\%s", text);
    return 0;
  }
}

/* Where text goes: into `in`, which gets the bytes that escapes stand for, or
 * into `out`, which keeps them as a transcript does. */
struct writer {
  char *at;
  size_t len;
  size_t cap;
  int keep_escapes;
};

/* Adds the text up to `end`, in which nothing is repeated. */
static void add_plain(struct writer *writer, const char *text,
                      const char *end) {
  while (text < end) {
    assert_true(writer->len + 1 < writer->cap);
    char *byte = &writer->at[writer->len++];
    if (*text == '\\' && !writer->keep_escapes)
      text += 1 + read_escape(byte, text + 1);
    else
      *byte = *text++;
  }
}

/* The next \(N TEXT), or the end. */
static const char *find_repeat(const char *text) {
  for (; *text != '\0'; text++) {
    if (text[0] == '\\' && text[1] == '(')
      break;
    if (text[0] == '\\' && text[1] != '\0')
      text++;
  }
  return text;
}

static void add_text(struct writer *writer, const char *text) {
  for (;;) {
    const char *repeat = find_repeat(text);
    add_plain(writer, text, repeat);
    if (*repeat == '\0')
      return;
    char *what;
    unsigned long times = strtoul(repeat + 2, &what, 10);
    const char *end = strchr(what, ')');
    assert_true(*what == ' ' && end != NULL);
    for (; times > 0; times--)
      add_plain(writer, what + 1, end);
    text = end + 1;
  }
}

static void add_in(struct vector *vector, const char *text) {
  struct writer writer = {vector->in, vector->in_len, sizeof vector->in, 0};
  add_text(&writer, text);
  vector->in_len = writer.len;
}

static void add_out(struct vector *vector, const char *text) {
  size_t len = strlen(vector->out);
  struct writer writer = {vector->out, len, sizeof vector->out - 1, 1};
  add_text(&writer, text);
  memcpy(vector->out + writer.len, "\n", 2);
}

static void read_rules(struct runnel__parser_rules *rules, char *text) {
  for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
    if (strcmp(word, "comments") == 0)
      rules->comments = 1;
    else if (strcmp(word, "drop") == 0)
      rules->drop = 1;
    else if (strcmp(word, "utf8") == 0)
      rules->utf8_replace = 1;
    else if (strncmp(word, "event=", 6) == 0)
      rules->event_bytes_max = strtoul(word + 6, NULL, 10);
    else if (strncmp(word, "id=", 3) == 0)
      rules->id_bytes_max = strtoul(word + 3, NULL, 10);
    else if (strncmp(word, "type=", 5) == 0)
      rules->type_bytes_max = strtoul(word + 5, NULL, 10);
    else
      fail_msg("no such rule: %s", word);
  }
}

static void begin(struct vector *vector, const char *name) {
  memset(vector, 0, sizeof *vector);
  assert_true(strlen(name) < sizeof vector->name);
  strcpy(vector->name, name);
  vector->rules.event_bytes_max = 1 << 20;
  vector->rules.id_bytes_max = 1024;
  vector->rules.type_bytes_max = 256;
}

static void read_line(struct vector *vector, char *line) {
  if (strncmp(line, "in ", 3) == 0)
    add_in(vector, line + 3);
  else if (strncmp(line, "out ", 4) == 0)
    add_out(vector, line + 4);
  else if (strncmp(line, "rules ", 6) == 0)
    read_rules(&vector->rules, line + 6);
  else if (line[0] != '#' && line[0] != '\0')
    fail_msg("no such line: %s", line);
}

size_t vectors_each(const char *file,
                    void (*visit)(const struct vector *vector, void *user),
                    void *user) {
  static struct vector vector;
  char path[1024], line[4096];
  size_t count = 0;
  snprintf(path, sizeof path, "%s/vectors/%s.txt", RUNNEL_TEST_DIR, file);
  FILE *from = fopen(path, "r");
  if (from == NULL)
    fail_msg("cannot open %s", path);
  while (fgets(line, sizeof line, from) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "== ", 3) != 0) {
      read_line(&vector, line);
      continue;
    }
    if (count++ > 0)
      visit(&vector, user);
    begin(&vector, line + 3);
  }
  fclose(from);
  if (count > 0)
    visit(&vector, user);
  return count;
}

size_t vectors_all(void (*visit)(const struct vector *vector, void *user),
                   void *user) {
  static const char *const files[] = {
      "standard", "lines", "ids",      "retry", "limits",  "comments", "utf8",
      "field",    "wpt",   "contract", "bugs",  "windows", "cuts"};
  size_t count = 0;
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    size_t more = vectors_each(files[i], visit, user);
    assert_true(more > 0);
    count += more;
  }
  return count;
}
