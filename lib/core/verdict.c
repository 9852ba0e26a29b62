/* The table of fates, one row per code; statuses and one-shot mode refine it.
 */
#include "verdict.h"

#include <stddef.h>

#include "runnel.h"

static const struct {
  int code;
  enum runnel__fate fate;
} fates[] = {
    {RUNNEL_OK, RUNNEL__FATE_PEACE},
    {RUNNEL_ENOMEM, RUNNEL__FATE_RETRY},
    {RUNNEL_ERESOLVE, RUNNEL__FATE_RETRY},
    {RUNNEL_ECONNECT, RUNNEL__FATE_RETRY},
    {RUNNEL_ERESOURCE, RUNNEL__FATE_RETRY},
    {RUNNEL_EPROXY, RUNNEL__FATE_RETRY},
    {RUNNEL_ETLS, RUNNEL__FATE_RETRY},
    {RUNNEL_ETRUST, RUNNEL__FATE_CAP},
    {RUNNEL_EHTTP, RUNNEL__FATE_RETRY},
    {RUNNEL_ELOST, RUNNEL__FATE_RETRY},
    {RUNNEL_ETIMEDOUT, RUNNEL__FATE_RETRY},
    {RUNNEL_EIDLE, RUNNEL__FATE_RETRY},
    {RUNNEL_EEND, RUNNEL__FATE_RETRY},
    /* All other codes: stop. */
};

static const int retried[] = {408, 421, 425, 429, 500, 502, 503, 504};

int runnel__verdict_retried(int status) {
  for (size_t i = 0; i < sizeof retried / sizeof retried[0]; i++)
    if (retried[i] == status)
      return 1;
  return 0;
}

int runnel__verdict_status(int status) {
  switch (status) {
  case 204:
    return RUNNEL_OK;
  case 301:
  case 302:
  case 303:
  case 307:
  case 308:
    return RUNNEL_EREDIRECT;
  case 401:
    return RUNNEL_EUNAUTHORIZED;
  default:
    return RUNNEL_ESTATUS;
  }
}

static enum runnel__fate fate_of(const struct runnel__ending *ending) {
  if (ending->code == RUNNEL_ESTATUS)
    return runnel__verdict_retried(ending->status) ? RUNNEL__FATE_RETRY
                                                   : RUNNEL__FATE_STOP;
  if (ending->code == RUNNEL_EUNAUTHORIZED)
    return ending->can_authorize ? RUNNEL__FATE_AT_ONCE : RUNNEL__FATE_STOP;
  for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++)
    if (fates[i].code == ending->code)
      return fates[i].fate;
  return RUNNEL__FATE_STOP;
}

enum runnel__fate runnel__verdict(const struct runnel__ending *ending) {
  enum runnel__fate fate = fate_of(ending);
  if (fate == RUNNEL__FATE_PEACE || !ending->once)
    return fate;
  if (ending->accepted || (ending->acted && ending->status == 0))
    return RUNNEL__FATE_STOP;
  return fate;
}
