/* The groups that faults_main.c runs. */
#ifndef RUNNEL_TEST_FAULT_GROUPS_H
#define RUNNEL_TEST_FAULT_GROUPS_H

int runnel__test_syscalls(void);
int runnel__test_clocks(void);
int runnel__test_tls_oom(void);

#endif
