/* The parser's common case: blocks of data, event and id lines that lie whole
 * in the slice, read by windows of 64 bytes.
 *
 * Only a shorter way to the same place: what it does not know (a comment,
 * another field, a line that the slice cuts, anything over its limit) it leaves
 * to the line by line reading of parser.c, with the block so far written down
 * as that would have done. */
#ifndef RUNNEL_CORE_QUICK_H
#define RUNNEL_CORE_QUICK_H

#include "parser.h"

/* Reads on from parser->at, which is at the start of a line and not at the
 * slice's end. Returns what runnel__parser_next does. */
typedef int (*runnel__quick)(struct runnel__parser *parser,
                             struct runnel_event *event);

/* The widest that this machine has. */
runnel__quick runnel__quick_best(void);

/* All that this machine has, for tests; *len is set. */
const runnel__quick *runnel__quick_all(size_t *len);

#endif
