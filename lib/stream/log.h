/* Lines for the application's log. A line is formatted only if it is wanted. */
#ifndef RUNNEL_STREAM_LOG_H
#define RUNNEL_STREAM_LOG_H

#include "runnel.h"

struct runnel__log {
  void (*write)(int level, const char *line, void *ctx); /* NULL: no log */
  void *ctx;
  int level; /* the last one that is wanted */
};

/* printf-like, one line, cut at 511 bytes; control characters become '?'. */
__attribute__((format(printf, 3, 4))) void
runnel__log_line(const struct runnel__log *log, int level, const char *format,
                 ...);

static inline int runnel__log_wants(const struct runnel__log *log, int level) {
  return log->write != NULL && level <= log->level;
}

#endif
