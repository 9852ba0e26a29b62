/* Bytes that settings name, from a file or from memory, each with what it is
 * called in texts. Taken from malloc, for settings are shared by threads and
 * clients; wiped when freed, for some are secret. */
#ifndef RUNNEL_NET_BLOB_H
#define RUNNEL_NET_BLOB_H

#include "runnel.h"

/* A file of certificates that is larger is no such file. */
#define RUNNEL__BLOB_BYTES_MAX ((size_t)64 << 20)

#define RUNNEL__LABEL_BYTES 160

/* All zero: nothing was given. */
struct runnel__blob {
  unsigned char *at; /* owned; a NUL follows; NULL: nothing was given */
  size_t len;
  char label[RUNNEL__LABEL_BYTES]; /* `ca_file "/etc/my.pem"`, or `ca` */
};

/* A whole file. `option` is what names it. 0, RUNNEL_ENOMEM, or RUNNEL_EINVAL
 * with a text that names the file and the reason (missing, a directory, empty,
 * too large). On failure the blob is nothing. */
int runnel__blob_read(struct runnel__blob *blob, const char *option,
                      const char *path, char *text);

/* A copy of `len` bytes, or, if that is 0, of those up to the NUL. Errors as
 * above. */
int runnel__blob_copy(struct runnel__blob *blob, const char *option,
                      const void *bytes, size_t len, char *text);

void runnel__blob_free(struct runnel__blob *blob);

/* 1: the bytes are text in which `words` stand. */
int runnel__blob_has(const struct runnel__blob *blob, const char *words);

/* Writes the reason for which settings are refused, one line, into `text`,
 * which has RUNNEL_ERROR_TEXT_BYTES; returns RUNNEL_EINVAL. */
int runnel__settings_refuse(char *text, const char *format, ...);

#endif
