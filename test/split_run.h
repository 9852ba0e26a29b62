/* An event stream on its way through one, two or three layers, cut into slices:
 * the parser alone, behind the decoder of a chunked body, and as whole
 * responses read by the reply and pulled as a stream of the library pulls them.
 *
 * What comes of it is written as short notes, so that millions of parses can be
 * compared. A slice lies at the very end of its memory, and what it held is
 * overwritten by the next one: reading past it is seen by a sanitizer, keeping
 * a pointer into it shows in the notes. */
#ifndef RUNNEL_TEST_SPLIT_RUN_H
#define RUNNEL_TEST_SPLIT_RUN_H

#include "../lib/core/parser.h"
#include "story_text.h"

enum split_layer { SPLIT_STREAM, SPLIT_CHUNKS, SPLIT_REPLY, SPLIT_LAYERS };

/* Memory for slices, used again and again. */
struct split_rooms {
  char *at[2]; /* owned; in turn */
  size_t len;
};

void split_rooms_init(struct split_rooms *rooms, size_t slice_len_max);
void split_rooms_deinit(struct split_rooms *rooms);

struct split_plan {
  enum split_layer layer;
  const struct runnel__parser_rules *rules;
  const size_t *cuts; /* ascending places where a slice ends */
  size_t cuts_len;
  size_t step;  /* not 0: slices of so many bytes, instead of cuts */
  size_t quick; /* which way of reading lines; any number means one */
  int slack;    /* bytes past the slice may be read, as the link's can */
  int move; /* after each item what is left is put elsewhere, as in a pause */
};

/* Notes what comes of the bytes; `notes` is emptied first. */
void split_run(struct story_bytes *notes, struct split_rooms *rooms,
               const char *bytes, size_t len, const struct split_plan *plan);

/* Notes what the slow parser says of the stream itself, which must be the same
 * for a response that is complete. */
void split_run_slow(struct story_bytes *notes, const char *bytes, size_t len,
                    const struct runnel__parser_rules *rules);

#endif
