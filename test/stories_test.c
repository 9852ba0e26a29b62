/* Every story in test/stories, each a test of its own. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "story.h"

#ifndef RUNNEL_TEST_DIR
#define RUNNEL_TEST_DIR "test"
#endif

#define STORIES_MAX 500
#define STORIES_WANTED 60

int runnel__test_stories(void);

static struct story_counts counts;
static char *paths[STORIES_MAX];
static size_t paths_len;

static void test_story(void **state) { story_run_file(*state, &counts); }

static int compare_paths(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_stories(const char *dir) {
  DIR *stories = opendir(dir);
  if (stories == NULL)
    return;
  for (struct dirent *entry; (entry = readdir(stories)) != NULL;) {
    size_t len = strlen(entry->d_name);
    if (len < 4 || strcmp(entry->d_name + len - 4, ".txt") != 0 ||
        paths_len == STORIES_MAX)
      continue;
    size_t size = strlen(dir) + len + 2;
    char *path = malloc(size);
    if (path == NULL)
      abort();
    snprintf(path, size, "%s/%s", dir, entry->d_name);
    paths[paths_len++] = path;
  }
  closedir(stories);
  qsort(paths, paths_len, sizeof paths[0], compare_paths);
}

static void test_number(void **state) {
  (void)state;
  printf("stories: %zu stories, 3 lenses, %zu runs (%zu split, %zu without "
         "memory)\n",
         counts.stories, counts.runs, counts.splits, counts.ooms);
  assert_true(paths_len >= STORIES_WANTED);
}

/* RUNNEL_STORY picks the stories whose path holds it. */
int runnel__test_stories(void) {
  static struct CMUnitTest tests[STORIES_MAX + 1];
  const char *picked = getenv("RUNNEL_STORY");
  size_t len = 0;
  find_stories(RUNNEL_TEST_DIR "/stories");
  for (size_t i = 0; i < paths_len; i++)
    if (picked == NULL || strstr(paths[i], picked) != NULL)
      tests[len++] = (struct CMUnitTest){strrchr(paths[i], '/') + 1, test_story,
                                         NULL, NULL, paths[i]};
  tests[len++] =
      (struct CMUnitTest){"number_of_stories", test_number, NULL, NULL, NULL};
  int failed = _cmocka_run_group_tests("stories", tests, len, NULL, NULL);
  for (size_t i = 0; i < paths_len; i++)
    free(paths[i]);
  return failed;
}
