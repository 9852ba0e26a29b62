/* Runs the groups of tests that are named, or all:
 *
 *   runnel-tests [group...]
 *
 * Exit status 0 only if every test of every group passed. Raises the soft limit
 * on descriptors, for a thousand streams and their peer need more than is
 * usual.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define TEST_GROUP(name) int runnel__test_##name(void);
#include "list.h"
#undef TEST_GROUP

static const struct group {
  const char *name;
  int (*run)(void);
} groups[] = {
#define TEST_GROUP(name) {#name, runnel__test_##name},
#include "list.h"
#undef TEST_GROUP
};

#define DESCRIPTORS 8192
#define GROUPS (sizeof groups / sizeof groups[0])

static const struct group *find_group(const char *name) {
  for (size_t i = 0; i < GROUPS; i++)
    if (strcmp(groups[i].name, name) == 0)
      return &groups[i];
  return NULL;
}

static void raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
    return;
  limit.rlim_cur =
      limit.rlim_max < DESCRIPTORS ? limit.rlim_max : (rlim_t)DESCRIPTORS;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    perror("runnel-tests: cannot raise the limit on descriptors");
}

int main(int argc, char **argv) {
  int failed = 0;
  for (int i = 1; i < argc; i++)
    if (!find_group(argv[i])) {
      fprintf(stderr, "runnel-tests: no group \"%s\"; there are:", argv[i]);
      for (size_t k = 0; k < GROUPS; k++)
        fprintf(stderr, " %s", groups[k].name);
      fputc('\n', stderr);
      return 2;
    }
  raise_limit();
  for (int i = 1; i < argc; i++)
    failed += find_group(argv[i])->run() != 0;
  for (size_t k = 0; argc == 1 && k < GROUPS; k++)
    failed += groups[k].run() != 0;
  return failed != 0;
}
