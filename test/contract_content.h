/* Tests of the group `contract` about what streams hold. */
#ifndef RUNNEL_TEST_CONTRACT_CONTENT_H
#define RUNNEL_TEST_CONTRACT_CONTENT_H

void contract_rows(void **state);
void contract_nothing_waits(void **state);
void contract_many_events_in_order(void **state);
void contract_large_events(void **state);
void contract_slow_receiver(void **state);

#endif
