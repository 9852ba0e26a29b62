/* Where a redirect leads, and what may go along (RFC 9110 15.4; the Fetch
 * standard's HTTP-redirect fetch for the change of method). */
#include "stream.h"

#include <stdio.h>

#include "client.h"
#include "request.h"

struct runnel__str runnel__redirect_method(const runnel_stream *stream) {
  const struct runnel__attempt *attempt = stream->attempt;
  if (attempt->became_get)
    return RUNNEL__STR("GET");
  if (attempt->request != NULL && attempt->request->ask.method != NULL)
    return runnel__ask_method(&attempt->request->ask);
  return runnel__ask_method(&stream->ask);
}

const struct runnel__ask *runnel__redirect_body(const runnel_stream *stream) {
  static const struct runnel__ask none = {0};
  const struct runnel__attempt *attempt = stream->attempt;
  if (attempt->became_get)
    return &none;
  if (attempt->request != NULL && attempt->request->has_body)
    return &attempt->request->ask;
  return &stream->ask;
}

/* Userinfo is the first origin's, so same-origin hops still have it. */
void runnel__redirect_userinfo(const runnel_stream *stream,
                               struct runnel__url *url) {
  const struct runnel__attempt *attempt = stream->attempt;
  const struct runnel_request *request = attempt->request;
  const char *first = request != NULL && request->ask.url != NULL
                          ? request->ask.url
                          : stream->ask.url;
  struct runnel__url whole;
  if (attempt->crossed || url->has_userinfo ||
      runnel__url_parse(&whole, runnel__str_of(first), NULL) != RUNNEL_OK ||
      !runnel__url_same_origin(&whole, url))
    return;
  url->has_userinfo = whole.has_userinfo;
  url->user = whole.user;
  url->password = whole.password;
}

static int refuse(struct runnel__attempt *attempt, const char *why) {
  snprintf(attempt->why, sizeof attempt->why, "%s", why);
  return RUNNEL_EREDIRECT;
}

/* One Location, or several that say the same. */
static int find_location(runnel_stream *stream, struct runnel__str *location) {
  struct runnel__attempt *attempt = stream->attempt;
  size_t len;
  const struct runnel_header *headers =
      runnel__reply_headers(stream->reply, &len);
  *location =
      runnel__reply_header(stream->reply, RUNNEL__STR("location"), NULL);
  if (location->at == NULL)
    return refuse(attempt, "no Location");
  if (location->len == 0)
    return refuse(attempt, "an empty Location");
  for (size_t i = 0; i < len; i++)
    if (runnel__str_eq_nocase(runnel__str_of(headers[i].name),
                              RUNNEL__STR("location")) &&
        !runnel__str_eq(runnel__str_of(headers[i].value), *location))
      return refuse(attempt, "two different Locations");
  return RUNNEL_OK;
}

/* 301 and 302 turn a POST, 303 everything but HEAD, into a GET. */
static int turns_into_get(const runnel_stream *stream, int status) {
  struct runnel__str method = runnel__redirect_method(stream);
  if (status == 303)
    return !runnel__str_eq(method, RUNNEL__STR("HEAD")) &&
           !runnel__str_eq(method, RUNNEL__STR("GET"));
  return (status == 301 || status == 302) &&
         runnel__str_eq(method, RUNNEL__STR("POST"));
}

/* Checks the target; fills `url`, which points into `text`. */
static int check_target(runnel_stream *stream, struct runnel__url *url,
                        char *text) {
  struct runnel__attempt *attempt = stream->attempt;
  struct runnel__str location;
  int err = find_location(stream, &location);
  if (err != RUNNEL_OK)
    return err;
  if (runnel__url_resolve(text, &attempt->url, location, attempt->why) !=
          RUNNEL_OK ||
      runnel__url_parse(url, runnel__str_of(text), attempt->why) != RUNNEL_OK)
    return RUNNEL_EREDIRECT;
  if (attempt->url.https && !url->https)
    return refuse(attempt, "from https to http");
  return RUNNEL_OK;
}

/* Puts the hop in place of the one before. */
static int take_hop(runnel_stream *stream, const char *text,
                    const struct runnel__url *url, int became_get) {
  struct runnel__attempt *attempt = stream->attempt;
  runnel_client *client = stream->client;
  struct runnel__origin *origin =
      runnel__origin_take(&client->gate, &client->mem, url);
  char *copy = runnel__copy(&client->mem, text, strlen(text));
  if (origin == NULL || copy == NULL) {
    runnel__origin_give(&client->gate, &client->mem, origin);
    runnel__free(&client->mem, copy);
    return RUNNEL_ENOMEM;
  }
  /* The copy holds the same text, so the same slices are found in it. */
  (void)runnel__url_parse(&attempt->url, runnel__str_of(copy), NULL);
  runnel__origin_give(&client->gate, &client->mem, attempt->origin);
  runnel__free(&client->mem, attempt->hop_url);
  attempt->origin = origin;
  attempt->hop_url = copy;
  attempt->became_get |= became_get;
  attempt->redirects++;
  attempt->asked = 0;
  attempt->graced = 0;
  if (attempt->request != NULL)
    attempt->request->url_fresh = 0;
  return RUNNEL_OK;
}

int runnel__redirect(runnel_stream *stream) {
  struct runnel__attempt *attempt = stream->attempt;
  int status = runnel__reply_status(stream->reply);
  if (attempt->redirects >= stream->policy->redirects_max)
    return refuse(attempt, "too many redirects");
  char text[RUNNEL__URL_BYTES_MAX + 1];
  struct runnel__url url;
  int err = check_target(stream, &url, text);
  if (err != RUNNEL_OK)
    return err;
  int became_get = turns_into_get(stream, status);
  int crosses = !runnel__url_same_origin(&attempt->url, &url);
  if (crosses && !became_get && runnel__redirect_body(stream)->body != NULL &&
      !stream->policy->redirect_body)
    return refuse(attempt, "another origin would be sent the body");
  err = take_hop(stream, text, &url, became_get);
  if (err == RUNNEL_OK)
    attempt->crossed |= crosses;
  return err;
}
