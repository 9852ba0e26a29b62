/* See storm_tls.h. */
#include "storm_tls.h"

#include <errno.h>

#include "runnel.h"
#include "storm_server.h"

void storm_bring_session(struct sim_link *link, uint64_t *random) {
  if (link->trust != NULL && storm_chance(random, 2))
    sim_session(link, link->number, (int64_t)storm_below(random, 7200));
}

static void finish(struct sim_link *link, uint64_t *random) {
  const char *version = storm_chance(random, 2) ? "TLSv1.2" : "TLSv1.3";
  sim_secured(link, version, link->session > 0 && !storm_chance(random, 5));
}

void storm_shake(struct sim_link *link, uint64_t *random, int kind) {
  uint64_t which = kind ? 0 : storm_below(random, 100);
  if (which < 70)
    finish(link, random);
  else if (which < 76)
    sim_unsecured(link, RUNNEL_ETRUST, -0x2700, "not to be trusted");
  else if (which < 84)
    sim_unsecured(link, RUNNEL_ETLS, -0x7780, "an alert");
  else if (which < 88)
    sim_end(link, RUNNEL_ELOST, ECONNRESET);
  else if (which < 92)
    sim_end(link, RUNNEL_OK, 0);
  /* else: nothing for now */
}
