/* Finds the function that a definition of the program's own hides. */
#ifndef RUNNEL_TEST_FAULT_NEXT_H
#define RUNNEL_TEST_FAULT_NEXT_H

/* Writes a pointer to the system's function `name` to *function. */
void fault_next(void *function, const char *name);

#endif
