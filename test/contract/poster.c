/* libcurl's multi interface driven by libuv, as both manuals describe it:
 * libcurl says which sockets to watch and when to be woken, libuv does so.
 *
 * Connections are kept by the multi handle and used again, so a letter costs
 * one round trip. */
#include "poster.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define CONNECT_MS_MAX 5000L
#define LETTER_MS_MAX 30000L

struct poster {
  uv_loop_t *loop;
  uv_timer_t timer;
  CURLM *multi;
  struct curl_slist *fields; /* of every letter */
};

struct letter {
  struct poster *poster;
  CURL *easy;
  char *body;
  void (*done)(void *user, const char *error);
  void *user;
};

/* A socket that libcurl wants to be told of. */
struct watch {
  uv_poll_t poll;
  struct poster *poster;
  curl_socket_t socket;
};

static void free_letter(struct letter *letter) {
  if (letter->easy != NULL)
    curl_easy_cleanup(letter->easy);
  free(letter->body);
  free(letter);
}

void poster_cancel(struct letter *letter) {
  curl_multi_remove_handle(letter->poster->multi, letter->easy);
  free_letter(letter);
}

/* Letters that are finished leave, one by one: `done` may send the next. */
static void hand_out(struct poster *poster) {
  int left = 0;
  CURLMsg *message = NULL;
  while ((message = curl_multi_info_read(poster->multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE)
      continue;
    CURLcode code = message->data.result;
    char *private = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
    struct letter *letter = (void *)private;
    curl_multi_remove_handle(poster->multi, letter->easy);
    letter->done(letter->user,
                 code == CURLE_OK ? NULL : curl_easy_strerror(code));
    free_letter(letter);
  }
}

static void act(struct poster *poster, curl_socket_t socket, int ready) {
  int running = 0;
  curl_multi_socket_action(poster->multi, socket, ready, &running);
  hand_out(poster);
}

static void on_timer(uv_timer_t *timer) {
  act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  struct watch *watch = poll->data;
  int ready = status < 0 ? CURL_CSELECT_ERR : 0;
  ready |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
  ready |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
  act(watch->poster, watch->socket, ready); /* may close the watch */
}

static void free_watch(uv_handle_t *handle) { free(handle->data); }

static struct watch *watch_new(struct poster *poster, curl_socket_t socket) {
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL)
    return NULL;
  if (uv_poll_init_socket(poster->loop, &watch->poll, socket) != 0) {
    free(watch);
    return NULL;
  }
  watch->poll.data = watch;
  watch->poster = poster;
  watch->socket = socket;
  curl_multi_assign(poster->multi, socket, watch);
  return watch;
}

/* libcurl: what to watch a socket for from now on. */
static int on_watch(CURL *easy, curl_socket_t socket, int what, void *user,
                    void *known) {
  struct poster *poster = user;
  struct watch *watch = known;
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    if (watch != NULL) {
      curl_multi_assign(poster->multi, socket, NULL);
      uv_close((uv_handle_t *)&watch->poll, free_watch);
    }
    return 0;
  }
  if (watch == NULL)
    watch = watch_new(poster, socket);
  if (watch == NULL)
    return -1;
  int events = what & CURL_POLL_IN ? UV_READABLE : 0;
  events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
  return uv_poll_start(&watch->poll, events, on_ready) == 0 ? 0 : -1;
}

/* libcurl: when it wants to be called; -1: not any more. */
static int on_alarm(CURLM *multi, long ms, void *user) {
  struct poster *poster = user;
  (void)multi;
  if (ms < 0)
    return uv_timer_stop(&poster->timer);
  uv_update_time(poster->loop);
  return uv_timer_start(&poster->timer, on_timer, (uint64_t)ms, 0);
}

struct poster *poster_new(uv_loop_t *loop) {
  struct poster *poster = calloc(1, sizeof *poster);
  if (poster == NULL)
    return NULL;
  poster->loop = loop;
  poster->multi = curl_multi_init();
  /* An empty Expect: a large body is not to wait for a "100 Continue". */
  poster->fields = curl_slist_append(NULL, "Content-Type: application/json");
  if (poster->multi == NULL || poster->fields == NULL ||
      curl_slist_append(poster->fields, "Expect:") == NULL) {
    curl_slist_free_all(poster->fields);
    curl_multi_cleanup(poster->multi);
    free(poster);
    return NULL;
  }
  uv_timer_init(loop, &poster->timer);
  poster->timer.data = poster;
  curl_multi_setopt(poster->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
  curl_multi_setopt(poster->multi, CURLMOPT_SOCKETDATA, poster);
  curl_multi_setopt(poster->multi, CURLMOPT_TIMERFUNCTION, on_alarm);
  curl_multi_setopt(poster->multi, CURLMOPT_TIMERDATA, poster);
  return poster;
}

static void free_poster(uv_handle_t *handle) { free(handle->data); }

void poster_close(struct poster *poster) {
  curl_multi_cleanup(poster->multi);
  curl_slist_free_all(poster->fields);
  uv_close((uv_handle_t *)&poster->timer, free_poster);
}

int poster_accepts(const char *url) {
  char *scheme = NULL;
  CURLU *parts = curl_url();
  int accepts =
      parts != NULL &&
      curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
      strcmp(scheme, "http") == 0;
  curl_free(scheme);
  curl_url_cleanup(parts);
  return accepts;
}

static size_t ignore_answer(char *bytes, size_t size, size_t len, void *user) {
  (void)bytes;
  (void)user;
  return size * len;
}

/* The body and the private pointer are borrowed, the URL is copied. */
static int set_up(struct letter *letter, const char *url) {
  CURL *easy = letter->easy;
  int bad = curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, letter);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   (curl_off_t)strlen(letter->body));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, letter->body);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, letter->poster->fields);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore_answer);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS_MAX);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, LETTER_MS_MAX);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
  return bad;
}

struct letter *poster_send_take(struct poster *poster, const char *url,
                                char *body,
                                void (*done)(void *user, const char *error),
                                void *user) {
  struct letter *letter = calloc(1, sizeof *letter);
  if (letter == NULL) {
    free(body);
    return NULL;
  }
  *letter = (struct letter){.poster = poster,
                            .easy = curl_easy_init(),
                            .body = body,
                            .done = done,
                            .user = user};
  if (letter->easy == NULL || set_up(letter, url) ||
      curl_multi_add_handle(poster->multi, letter->easy) != CURLM_OK) {
    free_letter(letter);
    return NULL;
  }
  return letter;
}
