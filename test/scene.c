/* What most tests with real sockets begin and end with. */
#include "scene.h"

void scene_open_with(struct scene *scene, const struct peer_options *options) {
  scene->peer = peer_new(options);
  assert_non_null(scene->peer);
  peer_url(scene->peer, "/feed", scene->url, sizeof scene->url);
  host_open(&scene->host, NULL);
}

void scene_open(struct scene *scene, const struct peer_step *const *scripts,
                size_t len) {
  struct peer_options options = {.scripts = scripts, .scripts_len = len};
  scene_open_with(scene, &options);
}

void scene_close(struct scene *scene) {
  host_close(&scene->host);
  peer_free(scene->peer);
}
