/* A scripted peer and a host, opened and closed together. */
#ifndef RUNNEL_TEST_SCENE_H
#define RUNNEL_TEST_SCENE_H

#include "host.h"
#include "peer.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

struct scene {
  struct host host;
  struct peer *peer;
  char url[256]; /* the peer's /feed */
};

void scene_open(struct scene *scene, const struct peer_step *const *scripts,
                size_t len);

/* The same with the peer's options filled in by the caller. */
void scene_open_with(struct scene *scene, const struct peer_options *options);

void scene_close(struct scene *scene);

#endif
