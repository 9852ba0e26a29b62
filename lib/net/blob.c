/* Files and bytes of settings; see blob.h. */
#include "blob.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/platform_util.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_BYTES 8192

int runnel__settings_refuse(char *text, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(text, RUNNEL_ERROR_TEXT_BYTES, format, args);
  va_end(args);
  for (char *c = text; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = '?'; /* a path may hold anything */
  return RUNNEL_EINVAL;
}

static int refuse_errno(char *text, const char *label, int native) {
  char words[128];
  if (strerror_r(native, words, sizeof words) != 0)
    snprintf(words, sizeof words, "error %d", native);
  return runnel__settings_refuse(text, "%s: %s", label, words);
}

/* realloc would leave a copy behind that nobody wipes. */
static int grow(struct runnel__blob *blob, size_t *cap) {
  size_t more = *cap == 0 ? FIRST_BYTES : *cap * 2;
  unsigned char *at = malloc(more);
  if (at == NULL)
    return RUNNEL_ENOMEM;
  if (blob->at != NULL) {
    memcpy(at, blob->at, blob->len);
    mbedtls_platform_zeroize(blob->at, blob->len);
    free(blob->at);
  }
  blob->at = at;
  *cap = more;
  return RUNNEL_OK;
}

/* The rest of the file; there is always room for a NUL. */
static int read_all(struct runnel__blob *blob, int fd, char *text) {
  for (size_t cap = 0;;) {
    if (blob->len + 1 >= cap && grow(blob, &cap) != RUNNEL_OK)
      return RUNNEL_ENOMEM;
    ssize_t took = read(fd, blob->at + blob->len, cap - blob->len - 1);
    if (took < 0 && errno == EINTR)
      continue;
    if (took < 0)
      return refuse_errno(text, blob->label, errno);
    blob->len += (size_t)took;
    blob->at[blob->len] = '\0';
    if (blob->len > RUNNEL__BLOB_BYTES_MAX)
      return runnel__settings_refuse(text, "%s: larger than %zu bytes",
                                     blob->label, RUNNEL__BLOB_BYTES_MAX);
    if (took == 0)
      return blob->len > 0
                 ? RUNNEL_OK
                 : runnel__settings_refuse(text, "%s: empty", blob->label);
  }
}

int runnel__blob_read(struct runnel__blob *blob, const char *option,
                      const char *path, char *text) {
  memset(blob, 0, sizeof *blob);
  snprintf(blob->label, sizeof blob->label, "%s \"%s\"", option, path);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return refuse_errno(text, blob->label, errno);
  int err = read_all(blob, fd, text);
  close(fd);
  if (err != RUNNEL_OK)
    runnel__blob_free(blob);
  return err;
}

int runnel__blob_copy(struct runnel__blob *blob, const char *option,
                      const void *bytes, size_t len, char *text) {
  memset(blob, 0, sizeof *blob);
  snprintf(blob->label, sizeof blob->label, "%s", option);
  if (len == 0)
    len = strlen(bytes);
  if (len == 0)
    return runnel__settings_refuse(text, "%s: empty", option);
  if (len > RUNNEL__BLOB_BYTES_MAX)
    return runnel__settings_refuse(text, "%s: larger than %zu bytes", option,
                                   RUNNEL__BLOB_BYTES_MAX);
  blob->at = malloc(len + 1);
  if (blob->at == NULL)
    return RUNNEL_ENOMEM;
  memcpy(blob->at, bytes, len);
  blob->at[len] = '\0';
  blob->len = len;
  return RUNNEL_OK;
}

void runnel__blob_free(struct runnel__blob *blob) {
  if (blob->at != NULL) {
    mbedtls_platform_zeroize(blob->at, blob->len);
    free(blob->at);
  }
  blob->at = NULL;
  blob->len = 0;
}

int runnel__blob_has(const struct runnel__blob *blob, const char *words) {
  return blob->at != NULL && strstr((const char *)blob->at, words) != NULL;
}
