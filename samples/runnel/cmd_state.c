/* The state file: a JSON object, URL to last event id. An id is a string, or,
 * if it is no well-formed UTF-8, {"hex": "61ff"}, so that it comes back byte by
 * byte. A file of no bytes counts as {}.
 *
 * It holds ids that were shown, never ones that may not have been: it is saved
 * after the output was flushed. A crash leaves the old file or the new one,
 * whole: what is written goes to a file beside it (mode 0600, as mkstemp makes
 * it), is synchronized and renamed into place, over the target if the path is a
 * symbolic link. Entries of URLs that this run does not know are kept as they
 * were read at the start: two processes with one file at the same time would
 * take each other's ids back, so each needs a file of its own. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Links in a row; the system follows as many. */
#define LINKS_MAX 40

struct cmd_state {
  const char *name; /* as given, for messages */
  char *path;       /* where symbolic links lead */
  char *folder;
  char *temporary;       /* template: path and ".XXXXXX" */
  json_t *ids;           /* object of strings and of {"hex": string} */
  struct cmd_bytes last; /* what get returned */
  int dirty;
};

static int digit_of(char c) {
  static const char digits[] = "0123456789abcdef";
  const char *at = c == '\0' ? NULL : strchr(digits, c);
  return at == NULL ? -1 : (int)(at - digits);
}

/* The id that an entry stands for. 0, or -1: it stands for none. */
static int read_id(struct cmd_bytes *id, json_t *entry) {
  const char *text = json_string_value(entry);
  const char *hex = json_string_value(json_object_get(entry, "hex"));
  cmd_bytes_text(id, text == NULL ? "" : text);
  for (; hex != NULL && *hex != '\0'; hex += 2) {
    int high = digit_of(hex[0]);
    int low = high < 0 ? -1 : digit_of(hex[1]);
    char byte = (char)(high * 16 + low);
    if (low < 0 || byte == '\0')
      return -1;
    cmd_bytes_add(id, &byte, 1);
  }
  if (text == NULL && (hex == NULL || json_object_size(entry) != 1))
    return -1;
  return id->at[strcspn(id->at, "\r\n")] == '\0' ? 0 : -1;
}

static int is_utf8(const char *at, size_t len) {
  int valid = 1;
  for (size_t i = 0; i < len && valid;)
    i += cmd_utf8_next(at + i, len - i, &valid);
  return valid;
}

/* The entry for an id. */
static json_t *write_id(const char *id, size_t len) {
  struct cmd_bytes hex = {0};
  if (is_utf8(id, len))
    return json_stringn_nocheck(id, len);
  for (size_t i = 0; i < len; i++) {
    char two[4];
    snprintf(two, sizeof two, "%02x", (unsigned)(unsigned char)id[i]);
    cmd_bytes_text(&hex, two);
  }
  json_t *entry = json_pack("{s:s}", "hex", hex.at);
  cmd_bytes_free(&hex);
  return entry;
}

static int check_ids(json_t *ids, const char *path) {
  const char *url;
  json_t *id;
  if (!json_is_object(ids))
    return cmd_usage("option --state: %s is not a JSON object", path);
  json_object_foreach(ids, url, id) {
    struct cmd_bytes bytes = {0};
    int wrong = read_id(&bytes, id) != 0;
    cmd_bytes_free(&bytes);
    if (wrong)
      return cmd_usage("option --state: %s holds something other than an id "
                       "for a URL",
                       path);
  }
  return 0;
}

static int parse_ids(struct cmd_state *state, const struct cmd_bytes *bytes) {
  json_error_t error;
  if (bytes->len == 0)
    return 0;
  json_t *ids =
      json_loadb(bytes->at, bytes->len, JSON_REJECT_DUPLICATES, &error);
  if (ids == NULL)
    return cmd_usage("option --state: %s is not a JSON object of ids (line %d: "
                     "%s)",
                     state->name, error.line, error.text);
  if (check_ids(ids, state->name) != 0) {
    json_decref(ids);
    return CMD_USAGE;
  }
  json_decref(state->ids);
  state->ids = ids;
  return 0;
}

static int load(struct cmd_state *state) {
  struct stat info;
  struct cmd_bytes bytes = {0};
  if (stat(state->path, &info) != 0)
    return errno == ENOENT ? 0
                           : cmd_usage("option --state: cannot read %s: %s",
                                       state->name, strerror(errno));
  int code = S_ISREG(info.st_mode) ? cmd_file_read(&bytes, state->path) : 0;
  int status;
  if (!S_ISREG(info.st_mode))
    status = cmd_usage("option --state: %s is not a regular file", state->name);
  else if (code != 0)
    status = cmd_usage("option --state: cannot read %s: %s", state->name,
                       strerror(code));
  else
    status = parse_ids(state, &bytes);
  cmd_bytes_free(&bytes);
  return status;
}

static char *join(const char *a, const char *b) {
  struct cmd_bytes bytes = {0};
  cmd_bytes_text(&bytes, a);
  cmd_bytes_text(&bytes, b);
  return bytes.at;
}

static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL)
    return join(".", "");
  return cmd_copy(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Where the path leads, whether or not there is a file yet. A rename over a
 * symbolic link would put a file in the link's place. */
static char *follow(const char *path) {
  char target[4096];
  char *at = join(path, "");
  for (int i = 0; i < LINKS_MAX; i++) {
    ssize_t len = readlink(at, target, sizeof target - 1);
    if (len <= 0)
      break;
    target[len] = '\0';
    char *folder = folder_of(at);
    char *inside = join(folder, "/");
    free(at);
    at = target[0] == '/' ? join(target, "") : join(inside, target);
    free(folder);
    free(inside);
  }
  return at;
}

/* Shows beforehand that a file can be made in the folder. */
static int probe(const struct cmd_state *state) {
  char *name = join(state->temporary, "");
  int fd = mkstemp(name);
  int code = errno;
  if (fd >= 0) {
    close(fd);
    unlink(name);
  }
  free(name);
  if (fd >= 0)
    return 0;
  return cmd_usage("option --state: cannot write %s: %s", state->name,
                   strerror(code));
}

int cmd_state_open(struct cmd_state **dst, const char *path) {
  struct cmd_state *state = cmd_alloc(sizeof *state);
  state->name = path;
  state->path = follow(path);
  state->folder = folder_of(state->path);
  state->temporary = join(state->path, ".XXXXXX");
  state->ids = json_object();
  if (load(state) != 0 || probe(state) != 0) {
    cmd_state_free(state);
    return CMD_USAGE;
  }
  *dst = state;
  return 0;
}

const char *cmd_state_get(struct cmd_state *state, const char *url) {
  json_t *entry = json_object_get(state->ids, url);
  cmd_bytes_free(&state->last);
  if (entry == NULL)
    return NULL;
  read_id(&state->last, entry);
  return state->last.at;
}

void cmd_state_put(struct cmd_state *state, const char *url, const char *id,
                   size_t len) {
  const char *old = cmd_state_get(state, url);
  if (strcmp(old == NULL ? "" : old, id) == 0)
    return;
  json_t *entry = write_id(id, len);
  if (entry == NULL ||
      json_object_set_new_nocheck(state->ids, url, entry) != 0) {
    cmd_note("out of memory");
    exit(CMD_FAILED);
  }
  state->dirty = 1;
}

static int write_all(int fd, const char *text) {
  size_t len = strlen(text);
  while (len > 0) {
    ssize_t wrote = write(fd, text, len);
    if (wrote < 0 && errno != EINTR)
      return errno;
    if (wrote > 0) {
      text += wrote;
      len -= (size_t)wrote;
    }
  }
  return fsync(fd) == 0 ? 0 : errno;
}

/* The rename itself is to survive a crash too; a file system that cannot
 * synchronize a folder is no fault. */
static void sync_folder(const struct cmd_state *state) {
  int fd = open(state->folder, O_RDONLY);
  if (fd < 0)
    return;
  fsync(fd);
  close(fd);
}

static int replace(struct cmd_state *state, const char *text) {
  char *name = join(state->temporary, "");
  int fd = mkstemp(name);
  int code = fd < 0 ? errno : write_all(fd, text);
  if (fd >= 0 && close(fd) != 0 && code == 0)
    code = errno;
  if (code == 0 && rename(name, state->path) != 0)
    code = errno;
  if (code != 0 && fd >= 0)
    unlink(name);
  free(name);
  return code;
}

int cmd_state_save(struct cmd_state *state) {
  if (!state->dirty)
    return 0;
  char *json = json_dumps(state->ids, JSON_INDENT(2));
  if (json == NULL)
    return ENOMEM;
  char *text = join(json, "\n");
  int code = replace(state, text);
  free(text);
  free(json);
  if (code != 0)
    return code;
  sync_folder(state);
  state->dirty = 0;
  return 0;
}

void cmd_state_free(struct cmd_state *state) {
  if (state == NULL)
    return;
  json_decref(state->ids);
  cmd_bytes_free(&state->last);
  free(state->path);
  free(state->folder);
  free(state->temporary);
  free(state);
}
