/* Pages of a private mapping behind mprotect; SIGSEGV on a closed one opens it.
 * Not for programs with threads that look into them. */
#include "pages.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define REGIONS_MAX 64

struct region {
  char *base; /* NULL: free */
  size_t len; /* whole pages */
  char *memory;
  size_t size;
  enum pages_kind kind;
};

volatile size_t pages_looks[PAGES_KINDS];

static struct region regions[REGIONS_MAX];
static char *open_pages[PAGES_OPEN_MAX]; /* NULL: none */
static size_t open_next;
static struct sigaction before;

static void protect(char *page, size_t len, int rights) {
  if (mprotect(page, len, rights) != 0)
    abort();
}

static struct region *find_address(const char *at) {
  for (size_t i = 0; i < REGIONS_MAX; i++)
    if (regions[i].base != NULL && at >= regions[i].base &&
        at < regions[i].base + regions[i].len)
      return &regions[i];
  return NULL;
}

static struct region *find_memory(const void *memory) {
  for (size_t i = 0; i < REGIONS_MAX; i++)
    if (regions[i].base != NULL && regions[i].memory == memory)
      return &regions[i];
  return NULL;
}

/* Its pages are no longer among the open ones. */
static void forget_open(const struct region *region) {
  for (size_t i = 0; i < PAGES_OPEN_MAX; i++)
    if (open_pages[i] != NULL && open_pages[i] >= region->base &&
        open_pages[i] < region->base + region->len)
      open_pages[i] = NULL;
}

static void hear_fault(int number, siginfo_t *info, void *context) {
  char *at = info->si_addr;
  struct region *region = find_address(at);
  (void)context;
  if (region == NULL) { /* a fault of the program's own: it happens again */
    (void)sigaction(number, &before, NULL);
    return;
  }
  char *page =
      region->base + (size_t)(at - region->base) / PAGES_BYTES * PAGES_BYTES;
  pages_looks[region->kind]++;
  if (open_pages[open_next] != NULL)
    protect(open_pages[open_next], PAGES_BYTES, PROT_NONE);
  protect(page, PAGES_BYTES, PROT_READ | PROT_WRITE);
  open_pages[open_next] = page;
  open_next = (open_next + 1) % PAGES_OPEN_MAX;
}

void pages_begin(void) {
  struct sigaction action = {0};
  assert_true((size_t)sysconf(_SC_PAGESIZE) == PAGES_BYTES);
  action.sa_sigaction = hear_fault;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < PAGES_KINDS; i++)
    pages_looks[i] = 0;
  assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
}

void pages_end(void) {
  assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
  for (size_t i = 0; i < REGIONS_MAX; i++)
    assert_null(regions[i].base);
}

void *pages_new(size_t size, enum pages_kind kind) {
  const size_t align = sizeof(long double);
  size_t len = (size + PAGES_BYTES - 1) / PAGES_BYTES * PAGES_BYTES;
  int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
  size_t i = 0;
  while (i < REGIONS_MAX && regions[i].base != NULL)
    i++;
  assert_true(zero >= 0 && i < REGIONS_MAX);
  char *base = mmap(NULL, len, PROT_NONE, MAP_PRIVATE, zero, 0);
  assert_true(base != MAP_FAILED);
  close(zero);
  char *memory = base + (len - size) / align * align;
  regions[i] = (struct region){base, len, memory, size, kind};
  return memory;
}

void pages_free(void *memory) {
  struct region *region = find_memory(memory);
  assert_non_null(region);
  forget_open(region);
  munmap(region->base, region->len);
  *region = (struct region){0};
}

size_t pages_size(const void *memory) {
  const struct region *region = find_memory(memory);
  return region == NULL ? 0 : region->size;
}

void pages_open(void *memory) {
  struct region *region = find_memory(memory);
  assert_non_null(region);
  forget_open(region);
  protect(region->base, region->len, PROT_READ | PROT_WRITE);
}

void pages_close(void *memory) {
  struct region *region = find_memory(memory);
  assert_non_null(region);
  forget_open(region);
  protect(region->base, region->len, PROT_NONE);
}
