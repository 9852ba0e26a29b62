/* An nginx of the test's own: started on a free loopback port, with its own
 * prefix, stopped by its process id. */
#ifndef RUNNEL_TEST_NGINX_H
#define RUNNEL_TEST_NGINX_H

#include <stddef.h>

struct nginx;

/* Starts nginx with `locations` as the text inside its one `server` block (of
 * `listen` and nothing else). NULL, with a line on standard error: nginx is not
 * installed (Debian: package nginx-light), or refused the configuration. */
struct nginx *nginx_start(const char *locations);

/* The same over TLS: `locations` say also what certificate it shows, and the
 * URLs are https. */
struct nginx *nginx_start_tls(const char *locations);

int nginx_port(const struct nginx *nginx);

/* "http://127.0.0.1:PORT" (or https) and the target; returns dst. */
const char *nginx_url(const struct nginx *nginx, const char *target, char *dst,
                      size_t size);

/* Stops it and removes its files. NULL is allowed. */
void nginx_stop(struct nginx *nginx);

#endif
