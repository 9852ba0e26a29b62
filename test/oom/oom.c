/* In front of glibc's malloc, by its other names; see oom.h. */
#include "oom.h"

#include <errno.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
    __has_feature(memory_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#endif

static size_t calls;
static size_t fails_at;
static int fails_on;
static int armed;
static long live;

void oom_begin(size_t fail_at, int for_ever) {
  calls = 0;
  fails_at = fail_at;
  fails_on = for_ever;
  armed = 1;
}

size_t oom_end(void) {
  armed = 0;
  return calls;
}

long oom_live(void) { return live; }

#if defined(__GLIBC__) && !defined(HAS_SANITIZER)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

#define SEEN __attribute__((visibility("default"))) /* by the libraries */

int oom_works(void) { return 1; }

static int has_none(void) {
  if (!armed || ++calls < fails_at || fails_at == 0 ||
      (calls > fails_at && !fails_on))
    return 0;
  errno = ENOMEM;
  return 1;
}

static void *count(void *memory) {
  live += memory != NULL;
  return memory;
}

SEEN void *malloc(size_t size) {
  return has_none() ? NULL : count(__libc_malloc(size));
}

SEEN void *calloc(size_t len, size_t size) {
  return has_none() ? NULL : count(__libc_calloc(len, size));
}

SEEN void *realloc(void *memory, size_t size) {
  if (memory == NULL)
    return malloc(size);
  return has_none() ? NULL : __libc_realloc(memory, size);
}

SEEN void free(void *memory) {
  live -= memory != NULL;
  __libc_free(memory);
}

#else

int oom_works(void) { return 0; }

#endif
