/* The state file: a JSON object, URL to last event id.
 *
 * It holds ids that were shown, never ones that may not have been: it is saved
 * after the output was flushed. A crash leaves the old file or the new one,
 * whole: what is written goes to a file beside it (mode 0600, as mkstemp makes
 * it), is synchronized and renamed into place. Entries of URLs that this run
 * does not know are kept. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cmd_state {
  char *path;
  char *folder;
  char *temporary; /* template: path and ".XXXXXX" */
  json_t *ids;     /* object of strings */
  int dirty;
};

static int check_ids(json_t *ids, const char *path) {
  const char *url;
  json_t *id;
  if (!json_is_object(ids))
    return cmd_usage("option --state: %s is not a JSON object", path);
  json_object_foreach(ids, url, id) {
    const char *text = json_string_value(id);
    if (text == NULL || text[strcspn(text, "\r\n")] != '\0')
      return cmd_usage("option --state: %s holds something other than an id "
                       "for a URL",
                       path);
  }
  return 0;
}

static int parse_ids(struct cmd_state *state, const struct cmd_bytes *bytes) {
  json_error_t error;
  json_t *ids =
      json_loadb(bytes->at, bytes->len, JSON_REJECT_DUPLICATES, &error);
  if (ids == NULL)
    return cmd_usage("option --state: %s is not a JSON object of ids (line %d: "
                     "%s)",
                     state->path, error.line, error.text);
  if (check_ids(ids, state->path) != 0) {
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
                                       state->path, strerror(errno));
  int code = S_ISREG(info.st_mode) ? cmd_file_read(&bytes, state->path) : 0;
  int status;
  if (!S_ISREG(info.st_mode))
    status = cmd_usage("option --state: %s is not a regular file", state->path);
  else if (code != 0)
    status = cmd_usage("option --state: cannot read %s: %s", state->path,
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
  return cmd_usage("option --state: cannot write %s: %s", state->path,
                   strerror(code));
}

int cmd_state_open(struct cmd_state **dst, const char *path) {
  struct cmd_state *state = cmd_alloc(sizeof *state);
  state->path = join(path, "");
  state->folder = folder_of(path);
  state->temporary = join(path, ".XXXXXX");
  state->ids = json_object();
  if (load(state) != 0 || probe(state) != 0) {
    cmd_state_free(state);
    return CMD_USAGE;
  }
  *dst = state;
  return 0;
}

const char *cmd_state_get(const struct cmd_state *state, const char *url) {
  return json_string_value(json_object_get(state->ids, url));
}

void cmd_state_put(struct cmd_state *state, const char *url, const char *id,
                   size_t len) {
  struct cmd_bytes clean = {0};
  cmd_bytes_utf8(&clean, id, len);
  const char *old = cmd_state_get(state, url);
  if (strcmp(old == NULL ? "" : old, clean.at) != 0) {
    json_object_set_new_nocheck(state->ids, url, json_string_nocheck(clean.at));
    state->dirty = 1;
  }
  cmd_bytes_free(&clean);
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
  free(state->path);
  free(state->folder);
  free(state->temporary);
  free(state);
}
