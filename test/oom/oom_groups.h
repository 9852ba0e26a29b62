/* The groups that oom_main.c runs. */
#ifndef RUNNEL_TEST_OOM_GROUPS_H
#define RUNNEL_TEST_OOM_GROUPS_H

int runnel__test_oom_trust(void);

#endif
