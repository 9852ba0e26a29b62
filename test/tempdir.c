/* Temporary directories and whole files for tests. */
#include "tempdir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *tempdir_make(void) {
  const char *base = getenv("TMPDIR");
  if (base == NULL || base[0] == '\0')
    base = "/tmp";
  static const char name[] = "/runnel-test-XXXXXX";
  char *path = malloc(strlen(base) + sizeof name);
  if (path == NULL)
    abort();
  strcpy(path, base);
  strcat(path, name);
  if (mkdtemp(path) == NULL) {
    perror(path);
    abort();
  }
  return path;
}

const char *tempdir_path(const char *dir, const char *name, char *dst,
                         size_t size) {
  int len = snprintf(dst, size, "%s/%s", dir, name);
  if (len < 0 || (size_t)len >= size)
    abort();
  return dst;
}

static void remove_tree(const char *path) {
  struct stat info;
  if (lstat(path, &info) != 0)
    return;
  if (!S_ISDIR(info.st_mode)) {
    unlink(path);
    return;
  }
  DIR *dir = opendir(path);
  for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
    char below[4096];
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    remove_tree(tempdir_path(path, entry->d_name, below, sizeof below));
  }
  if (dir != NULL)
    closedir(dir);
  rmdir(path);
}

void tempdir_remove(char *path) {
  if (path == NULL)
    return;
  remove_tree(path);
  free(path);
}

void tempdir_write(const char *dir, const char *name, const char *bytes,
                   size_t len) {
  char path[4096];
  FILE *file = fopen(tempdir_path(dir, name, path, sizeof path), "wb");
  if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
    perror(path);
    abort();
  }
}

char *file_read(const char *path, size_t *len) {
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return NULL;
  char *bytes = NULL;
  size_t used = 0, cap = 0, took;
  do {
    if (cap - used < 4096) {
      cap = cap * 2 + 8192;
      bytes = realloc(bytes, cap);
      if (bytes == NULL)
        abort();
    }
    took = fread(bytes + used, 1, cap - used - 1, file);
    used += took;
  } while (took > 0);
  fclose(file);
  bytes[used] = '\0';
  if (len != NULL)
    *len = used;
  return bytes;
}
