/* One run of a story through one lens. */
#ifndef RUNNEL_TEST_STORY_RUN_H
#define RUNNEL_TEST_STORY_RUN_H

#include "story_app.h"

enum story_lens { STORY_PLAIN, STORY_BYTES, STORY_CUT, STORY_OOM };

struct story_run {
  struct story_app app;
  enum story_lens lens;
  size_t cut_input; /* STORY_CUT: which input, from 0, and where */
  size_t cut_at;
  size_t inputs;      /* given so far */
  size_t *input_lens; /* of each; owned by the caller; may be NULL */
  size_t input_lens_cap;
};

/* Does one line of the world's. 0: it is none, or cannot be done now. */
int story_world_do(struct story_run *run, char *line);

/* Likewise, of TLS. */
int story_tls_do(struct sim *sim, char *line);

/* The world becomes kind: every stream that is not over must show an event. */
void story_world_recover(struct story_run *run);

#endif
