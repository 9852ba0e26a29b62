/* The system's function behind one of fault.c's. A file of its own, because
 * with _GNU_SOURCE the C library declares connect and others with a type that
 * ISO C does not have. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "fault_next.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fault_next(void *function, const char *name) {
  void *symbol = dlsym(RTLD_NEXT, name);
  if (symbol == NULL) {
    fprintf(stderr, "no %s in the system\n", name);
    abort();
  }
  memcpy(function, &symbol, sizeof symbol);
}
