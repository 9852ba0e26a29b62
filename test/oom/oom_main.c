/* Runs the groups of tests in which the process has no memory; see oom.h. */
#include <stdio.h>

#include "oom.h"
#include "oom_groups.h"

int main(void) {
  if (!oom_works()) {
    puts("oom: SKIPPED, NOT TESTED: malloc is not glibc's own in this build");
    return 0;
  }
  return runnel__test_oom_trust() != 0;
}
