/* Formatting on the stack: a log line costs no allocation. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES 512

void runnel__log_line(const struct runnel__log *log, int level,
                      const char *format, ...) {
  if (!runnel__log_wants(log, level))
    return;
  char line[LINE_BYTES];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  for (char *c = line; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = '?'; /* what came from outside may not draw on a terminal */
  log->write(level, line, log->ctx);
}

void runnel_log_stderr(int level, const char *line, void *ctx) {
  (void)level;
  (void)ctx;
  fprintf(stderr, "runnel: %s\n", line);
}
