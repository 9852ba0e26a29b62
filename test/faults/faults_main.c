/* Runs the groups of tests that need a system of their own making; see
 * fault.h. */
#include "fault_groups.h"

int main(void) {
  int failed = 0;
  failed += runnel__test_syscalls() != 0;
  failed += runnel__test_clocks() != 0;
  failed += runnel__test_tls_oom() != 0;
  return failed != 0;
}
