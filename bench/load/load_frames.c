/* Makes one lap of events in HTTP chunks, once, before anything is measured.
 * Lengths vary around their mean, for fixed ones flatter branch prediction; the
 * same seed makes every run send the same bytes. Event streams: HTML standard
 * 9.2.6; chunks: RFC 9112 7.1. Knows nothing of sockets. */
#include <stdio.h>
#include <stdlib.h>

#include "load.h"

#define CHUNK_BYTES ((size_t)16384)
#define EVENT_BYTES_MAX ((size_t)20480) /* of one event, framing included */

/* Means: 33 B, 300 B, 16 KiB. A lap is about a megabyte, so that a server that
 * sends it again and again reads it from its cache. */
static const struct {
  uint32_t events;
  size_t least, most; /* bytes of filling */
  int named;          /* with an id and a type */
} sizes[] = {[LOAD_TINY] = {20000, 1, 7, 0},
             [LOAD_MEDIUM] = {4000, 182, 302, 1},
             [LOAD_LARGE] = {64, 14355, 18355, 0}};

static uint64_t draw(uint64_t *random, size_t least, size_t most) {
  *random ^= *random << 13;
  *random ^= *random >> 7;
  *random ^= *random << 17;
  return least + *random % (most - least + 1);
}

static size_t write_event(char *at, int size, uint32_t number,
                          uint64_t *random) {
  size_t fill = draw(random, sizes[size].least, sizes[size].most);
  int len = 0;
  if (sizes[size].named)
    len = sprintf(at, "id: %u\nevent: content\n", (unsigned)number);
  len += sprintf(at + len, "data: {\"n\":%08u,\"d\":\"", (unsigned)number);
  char *text = at + len;
  for (size_t i = 0; i < fill; i++)
    text[i] = (char)('a' + (fill * 7 + i) % 26);
  return (size_t)len + fill + (size_t)sprintf(text + fill, "\"}\n\n");
}

uint32_t load_frames_events(int size) { return sizes[size].events; }

static void end_chunk(struct load_frames *frames, const char *chunk,
                      size_t len) {
  frames->len += (size_t)sprintf(frames->bytes + frames->len, "%zx\r\n", len);
  memcpy(frames->bytes + frames->len, chunk, len);
  frames->len += len;
  memcpy(frames->bytes + frames->len, "\r\n", 2);
  frames->len += 2;
}

/* Chunks hold whole events: one, or as many as fit into 16 KiB. */
int load_frames_init(struct load_frames *frames, int size, int framing) {
  static char chunk[CHUNK_BYTES + EVENT_BYTES_MAX];
  uint64_t random = 88172645463325252u;
  uint32_t events = sizes[size].events;
  size_t len = 0;

  frames->bytes = malloc(events * (sizes[size].most + 128) + EVENT_BYTES_MAX);
  frames->len = 0;
  if (frames->bytes == NULL)
    return -1;
  for (uint32_t number = 0; number < events; number++) {
    size_t event = write_event(chunk + len, size, number, &random);
    if (len > 0 && (framing == LOAD_CHUNK_EACH || len + event > CHUNK_BYTES)) {
      end_chunk(frames, chunk, len);
      memmove(chunk, chunk + len, event);
      len = 0;
    }
    len += event;
  }
  end_chunk(frames, chunk, len);
  return 0;
}
