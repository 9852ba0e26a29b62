/* What the library refuses, in the command line's words: its one line names an
 * option of its own, and whoever typed wants to know which of theirs, and where
 * it stands.
 *
 * Only the texts that runnel.h promises are looked at, by their first words;
 * one that is not known here is shown as it is. */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>

/* What follows `start`, or NULL. */
static const char *after(const char *text, const char *start) {
  size_t len = strlen(start);
  return strncmp(text, start, len) == 0 ? text + len : NULL;
}

const char *cmd_refuse_rule(const char *text) {
  const char *colon = strstr(text, ": ");
  if (after(text, "headers") == NULL || colon == NULL)
    return text;
  return after(text, "headers_len") != NULL ? text : colon + 2;
}

void cmd_refuse_hear(struct cmd *cmd, const char *line) {
  const char *text = after(line, "request not changed: ");
  if (text == NULL)
    return;
  text = cmd_refuse_rule(text);
  const char *count = after(text, "headers_len is ");
  size_t room = sizeof cmd->refusal - 1;
  cmd->refusal[0] = '\0';
  if (count != NULL)
    strncat(cmd->refusal, "number of headers in all: ", room);
  strncat(cmd->refusal, count != NULL ? count : text,
          room - strlen(cmd->refusal));
}

/* A field, by its place among all of them. */
static int refuse_header(const struct cmd_options *options, const char *text) {
  const char *number = after(text, "headers[");
  const char *count = after(text, "headers_len is ");
  const struct cmd_headers *files = &options->file_headers;
  if (count != NULL)
    return cmd_usage("option --header: number of headers in all: %s", count);
  size_t i = number == NULL ? 0 : (size_t)strtoull(number, NULL, 10);
  if (number != NULL && i >= options->headers.len &&
      i - options->headers.len < files->len) {
    const struct cmd_place *place = &files->at[i - options->headers.len].place;
    return cmd_usage("option --header: header file %s, line %zu: %s",
                     place->path, place->line, cmd_refuse_rule(text));
  }
  return cmd_usage("option --header: %s", cmd_refuse_rule(text));
}

static int refuse_id(const struct cmd_stream *stream, const char *rule) {
  if (stream->kept_id)
    return cmd_usage("option --state: the id in %s for %s %s",
                     stream->cmd->options.state, stream->shown_url, rule);
  return cmd_usage("option --last-event-id: the id %s", rule);
}

static int refuse_url(const struct cmd_stream *stream, int code,
                      const char *text) {
  const struct cmd_place *place =
      &stream->cmd->options.urls.at[stream->place].place;
  char *shown = cmd_url_refused(stream->url);
  if (place->path != NULL)
    cmd_usage("option --url-file: %s, line %zu: %s: %s (%s)", place->path,
              place->line, shown, text, runnel_err_name(code));
  else
    cmd_usage("[%zu] %s: %s (%s)", stream->place, shown, text,
              runnel_err_name(code));
  free(shown);
  return CMD_USAGE;
}

int cmd_refuse(const struct cmd_stream *stream, int code, const char *text) {
  const struct cmd_options *options = &stream->cmd->options;
  const char *rule;
  if (text[0] == '\0')
    text = runnel_strerror(code);
  if (code == RUNNEL_EURL)
    return refuse_url(stream, code, text);
  if (after(text, "headers") != NULL)
    return refuse_header(options, text);
  if ((rule = after(text, "last_event_id ")) != NULL)
    return refuse_id(stream, rule);
  if ((rule = after(text, "method ")) != NULL)
    return cmd_usage("option --method: '%s' %s", options->method, rule);
  if ((rule = after(text, "unix_path ")) != NULL)
    return cmd_usage("option --unix-socket: '%s' %s", options->unix_path, rule);
  cmd_usage("[%zu] %s: %s (%s)", stream->place, stream->shown_url, text,
            runnel_err_name(code));
  return code == RUNNEL_ENOMEM || code == RUNNEL_ERESOURCE ? CMD_FAILED
                                                           : CMD_USAGE;
}
