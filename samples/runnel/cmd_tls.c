/* TLS: the command line's files and pins made into the library's settings,
 * before anything is opened, and what the library refuses of them in the
 * command line's words. */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>

/* The library's names for what is given here. */
static const struct {
  const char *theirs;
  const char *ours;
} names[] = {
    {"ca_file", "--cacert"}, {"cert_file", "--cert"}, {"key_file", "--key"}};

/* If a name of theirs begins at `text`, puts ours; returns its length or 0. */
static size_t put_name(struct cmd_bytes *dst, const char *text) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t len = strlen(names[i].theirs);
    if (strncmp(text, names[i].theirs, len) != 0)
      continue;
    cmd_bytes_text(dst, names[i].ours);
    return len;
  }
  return 0;
}

/* What stands in quotes is the user's. */
static void translate(struct cmd_bytes *dst, const char *text) {
  int quoted = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strncmp(text, names[i].theirs, strlen(names[i].theirs)) == 0)
      cmd_bytes_text(dst, "option ");
  while (*text != '\0') {
    size_t len = quoted ? 0 : put_name(dst, text);
    if (len == 0) {
      quoted ^= *text == '"';
      cmd_bytes_add(dst, text, 1);
      len = 1;
    }
    text += len;
  }
}

/* "pins[1]: rule". */
static int refuse_pin(const struct cmd_tls *tls, const char *text) {
  const char *rule = strstr(text, ": ");
  size_t at = (size_t)strtoull(text + strlen("pins["), NULL, 10);
  return cmd_usage("option --pin: '%s' is %s", tls->pins[at],
                   rule == NULL ? text : rule + 2);
}

static int refuse(const struct cmd_tls *tls, int code, const char *text) {
  struct cmd_bytes line = {0};
  if (strncmp(text, "pins[", strlen("pins[")) == 0)
    return refuse_pin(tls, text);
  if (strstr(text, "\": the key is encrypted") != NULL)
    return cmd_usage("option --key \"%s\": the key is encrypted, and there is "
                     "no option for a password: decrypt it first (openssl pkey "
                     "-in FILE -out NEW)",
                     tls->key);
  translate(&line, text[0] == '\0' ? runnel_strerror(code) : text);
  cmd_usage("%s", line.at);
  cmd_bytes_free(&line);
  return code == RUNNEL_EINVAL ? CMD_USAGE : CMD_FAILED;
}

static int asked(const struct cmd_tls *tls) {
  return tls->cacert != NULL || tls->cert != NULL || tls->pins_len > 0 ||
         tls->insecure;
}

int cmd_tls_open(runnel_tls **dst, const struct cmd_options *options) {
  const struct cmd_tls *tls = &options->tls;
  struct runnel_tls_options settings = RUNNEL_TLS_OPTIONS_INIT;
  if (!asked(tls))
    return 0;
  settings.ca_file = tls->cacert;
  settings.cert_file = tls->cert;
  settings.key_file = tls->key;
  settings.pins = tls->pins;
  settings.pins_len = tls->pins_len;
  settings.insecure = tls->insecure;
  int code = runnel_tls_new(dst, &settings);
  return code == RUNNEL_OK ? 0 : refuse(tls, code, settings.error_text);
}

void cmd_tls_warn(const struct cmd_options *options) {
  if (options->tls.insecure && !options->quiet)
    cmd_note("certificates are not verified (--insecure)");
}

void cmd_tls_pin(struct cmd_tls *tls, const char *pin) {
  tls->pins = cmd_grow(tls->pins, tls->pins_len + 1, sizeof *tls->pins);
  tls->pins[tls->pins_len++] = pin;
}
