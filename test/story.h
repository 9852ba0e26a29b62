/* Stories: one behaviour each, as a text of what the world and the application
 * do (lines at the margin) and, indented, what the library asks for and the
 * user sees. The runner does the former and compares the latter.
 *
 * Lines of the world:
 *   resolved [HOST] ADDR...     the oldest look-up (of HOST) is answered
 *   unresolved [HOST]           it fails: EAI_NONAME
 *   up|refused|unreachable|exhausted [ADDR:PORT]   the oldest pending connect
 *   STATUS [TYPE] [chunked] [length=N] ["Name: value"...]   a response head;
 *                               its body ends with the connection by default
 *   head TEXT, bytes TEXT       raw bytes;  body TEXT: a chunk, if chunked
 *   last chunk, eof, reset
 *   secured [VERSION] [resumed]  the oldest handshake is done
 *   distrusted WHY, broken WHY  it failed; broken also later
 *   session N [10m]             a session comes, that ends then
 *   cut WHY                     no close_notify
 *   settings fail WHY|work|warn WHAT, reload, no random numbers
 *   unseen body TEXT            bytes that are noticed after the next alarm
 *   tick                        alarms, until one of them shows something
 *   wait 250ms                  all alarms until then
 *   random HALVING JITTER       the two draws of a backoff, 0 to 1; from the
 *                               start 1 and 0: the delay is d, without jitter
 *   time                        shows the milliseconds since the beginning
 *   verbose, show listen        show requests as they are; show listening
 *   lenses plain oom            which lenses to use, if not all three
 * "@2 body TEXT" means the link of the second connect; without it, the one that
 * came up last.
 *
 * Lines of the application: client NAME=VALUE..., defaults NAME=VALUE... (both
 * before the first open), open URL NAME=VALUE..., close, pause, resume,
 * reconnect, close|pause|resume client, reconnect client [SPREAD], proceed
 * [CODE], set id ID, last id, state, stats NAME..., client stats NAME..., each,
 * post, and
 *   on KIND ACTION[; ACTION]    what the next callback of that kind does: one
 *                               of the above, LATER, hold, set header "N: V",
 *                               set url URL, set method M, set body B, stop,
 *                               retry 5s, blocked 10s, or - (nothing)
 * "s2 close" means the stream that was opened second; without it, the first
 * that lives. `wants=request,id,comment,drop,text` asks for callbacks that are
 * not heard otherwise.
 *
 * Indented: see sim.c (resolve, cancel, connect, secure, send, hang up) and
 * story_ears.c. */
#ifndef RUNNEL_TEST_STORY_H
#define RUNNEL_TEST_STORY_H

#include <stddef.h>

struct story_counts {
  size_t stories;
  size_t runs; /* in all lenses */
  size_t splits;
  size_t ooms;
};

/* Runs the story in the file through its lenses; fails the cmocka test that
 * calls it when something differs. Adds to *counts. */
void story_run_file(const char *path, struct story_counts *counts);

#endif
