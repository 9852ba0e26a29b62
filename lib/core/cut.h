/* A line that a slice's end cuts: its name is gathered, then its value goes, as
 * it comes, behind the block's data in the carry, so that no byte is looked at
 * twice; what is not wanted is dropped on the way. A part of the parser: it
 * works on struct runnel__parser, whose block must be out of the slice. */
#ifndef RUNNEL_CORE_CUT_H
#define RUNNEL_CORE_CUT_H

#include "parser.h"

/* Takes bytes without a line end that belong to the cut line, and begins one if
 * there is none. 0, RUNNEL_ETOOBIG or RUNNEL_ENOMEM. */
int runnel__cut_extend(struct runnel__parser *parser, const char *bytes,
                       size_t len);

/* The cut line's end is there: 0, an enum runnel_parsed, or an error. */
int runnel__cut_end(struct runnel__parser *parser, struct runnel_event *event);

#endif
