/* Directories for one test, removed with all that is in them. */
#ifndef RUNNEL_TEST_TEMPDIR_H
#define RUNNEL_TEST_TEMPDIR_H

#include <stddef.h>

/* Makes an empty directory (mode 0700) under TMPDIR or /tmp; its path, owned by
 * the caller until tempdir_remove. Aborts when there can be none. */
char *tempdir_make(void);

/* Removes it with everything below, and frees the path. NULL is allowed. */
void tempdir_remove(char *path);

/* Writes dir/name to dst; returns dst. */
const char *tempdir_path(const char *dir, const char *name, char *dst,
                         size_t size);

/* Writes a file of that content into the directory; aborts when it cannot. */
void tempdir_write(const char *dir, const char *name, const char *bytes,
                   size_t len);

/* A whole file, NUL-terminated, to be freed; NULL when it cannot be read. `len`
 * may be NULL. */
char *file_read(const char *path, size_t *len);

#endif
