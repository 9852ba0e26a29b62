/* IP addresses: strict text in (RFC 3986 3.2.2, RFC 4291 2.2), canonical text
 * out (RFC 5952), and the order of dialling (RFC 8305 4).
 *
 * Refuses to know names, zones and sockets. Forms that inet_aton would take
 * (octal, hex, short) are no addresses here, so that no filter in front of
 * runnel and runnel itself can disagree about a host. */
#include "addrs.h"

#include <assert.h>
#include <stdio.h>

#include "chars.h"

#define V4_BYTES 4
#define V6_BYTES 16
#define V6_GROUPS 8

static int parse_v4(uint8_t ip[V4_BYTES], struct runnel__str text) {
  size_t at = 0;
  for (int i = 0; i < V4_BYTES; i++) {
    if (i > 0 && (at == text.len || text.at[at++] != '.'))
      return 0;
    size_t start = at;
    int value = 0;
    while (at < text.len && at - start < 3 && runnel__is_digit(text.at[at]))
      value = value * 10 + (text.at[at++] - '0');
    size_t digits = at - start;
    if (digits == 0 || value > 255 || (digits > 1 && text.at[start] == '0'))
      return 0;
    ip[i] = (uint8_t)value;
  }
  return at == text.len;
}

/* Reads up to four hex digits; the count of them. */
static size_t parse_group(uint8_t ip[2], struct runnel__str text) {
  unsigned value = 0;
  size_t digits = 0;
  while (digits < text.len && digits < 4 &&
         runnel__hex_value(text.at[digits]) >= 0)
    value = value * 16 + (unsigned)runnel__hex_value(text.at[digits++]);
  ip[0] = (uint8_t)(value >> 8);
  ip[1] = (uint8_t)value;
  return digits;
}

static struct runnel__str skip(struct runnel__str text, size_t len) {
  return (struct runnel__str){text.at + len, text.len - len};
}

/* Reads groups with single colons between them, at most `room` bytes; the last
 * may be an IPv4 address. Stops in front of "::", leaves the rest in *text. The
 * count of bytes, or -1. */
static int parse_groups(uint8_t *ip, int room, struct runnel__str *text) {
  int len = 0;
  while (text->len > 0 && text->at[0] != ':') {
    if (room - len < 2)
      return -1;
    if (room - len >= V4_BYTES && parse_v4(ip + len, *text)) {
      *text = skip(*text, text->len);
      return len + V4_BYTES;
    }
    size_t digits = parse_group(ip + len, *text);
    if (digits == 0)
      return -1;
    len += 2;
    *text = skip(*text, digits);
    if (text->len == 0 ||
        (text->len > 1 && text->at[0] == ':' && text->at[1] == ':'))
      return len;
    if (text->at[0] != ':' || text->len == 1)
      return -1;
    *text = skip(*text, 1);
  }
  return len;
}

static int parse_v6(uint8_t ip[V6_BYTES], struct runnel__str text) {
  uint8_t front[V6_BYTES];
  uint8_t back[V6_BYTES];
  int front_len = parse_groups(front, V6_BYTES, &text);
  if (front_len < 0)
    return 0;
  int back_len = 0;
  if (text.len == 0) {
    if (front_len != V6_BYTES)
      return 0;
  } else {
    /* "::" stands for one group at least. */
    if (front_len > V6_BYTES - 2 || text.len < 2 || text.at[0] != ':' ||
        text.at[1] != ':')
      return 0;
    text = skip(text, 2);
    back_len = parse_groups(back, V6_BYTES - 2 - front_len, &text);
    if (back_len < 0 || text.len > 0)
      return 0;
  }
  memset(ip, 0, V6_BYTES);
  memcpy(ip, front, (size_t)front_len);
  memcpy(ip + V6_BYTES - back_len, back, (size_t)back_len);
  return 1;
}

int runnel__addr_parse(struct runnel__addr *addr, struct runnel__str text) {
  struct runnel__addr parsed = {0};
  if (!parse_v4(parsed.ip, text)) {
    if (!parse_v6(parsed.ip, text))
      return 0;
    parsed.v6 = 1;
  }
  *addr = parsed;
  return 1;
}

static unsigned group_of(const struct runnel__addr *addr, int i) {
  return (unsigned)addr->ip[2 * i] << 8 | addr->ip[2 * i + 1];
}

/* The first of the longest runs of two or more zero groups. */
static int longest_zeros(const struct runnel__addr *addr, int *run_len) {
  int best = 0;
  *run_len = 0;
  for (int i = 0; i < V6_GROUPS; i++) {
    int len = 0;
    while (i + len < V6_GROUPS && group_of(addr, i + len) == 0)
      len++;
    if (len >= 2 && len > *run_len) {
      best = i;
      *run_len = len;
    }
  }
  return best;
}

static int print_v4(char *dst, size_t size, const uint8_t *ip) {
  return snprintf(dst, size, "%u.%u.%u.%u", (unsigned)ip[0], (unsigned)ip[1],
                  (unsigned)ip[2], (unsigned)ip[3]);
}

static int is_v4_mapped(const struct runnel__addr *addr) {
  static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return memcmp(addr->ip, prefix, sizeof prefix) == 0;
}

static int print_v6(char *dst, size_t size, const struct runnel__addr *addr) {
  if (is_v4_mapped(addr)) {
    int len = snprintf(dst, size, "::ffff:");
    return len + print_v4(dst + len, size - (size_t)len, addr->ip + 12);
  }
  int zeros_len;
  int zeros = longest_zeros(addr, &zeros_len);
  int len = 0;
  for (int i = 0; i < V6_GROUPS; i++) {
    if (zeros_len > 0 && i == zeros) {
      len += snprintf(dst + len, size - (size_t)len, "::");
      i += zeros_len - 1;
      continue;
    }
    int after_zeros = zeros_len > 0 && i == zeros + zeros_len;
    const char *colon = i == 0 || after_zeros ? "" : ":";
    len += snprintf(dst + len, size - (size_t)len, "%s%x", colon,
                    group_of(addr, i));
  }
  return len;
}

void runnel__addr_print(char *dst, const struct runnel__addr *addr) {
  size_t size = RUNNEL__ADDR_TEXT_BYTES;
  if (!addr->v6) {
    int len = print_v4(dst, size, addr->ip);
    (void)snprintf(dst + len, size - (size_t)len, ":%u", (unsigned)addr->port);
    return;
  }
  dst[0] = '[';
  int len = 1 + print_v6(dst + 1, size - 1, addr);
  if (addr->zone != 0)
    len += snprintf(dst + len, size - (size_t)len, "%%%lu",
                    (unsigned long)addr->zone);
  len += snprintf(dst + len, size - (size_t)len, "]:%u", (unsigned)addr->port);
  assert((size_t)len < size);
}

void runnel__addrs_interleave(struct runnel__addr *addrs, size_t len) {
  for (size_t i = 1; i < len; i++) {
    uint8_t wanted = !addrs[i - 1].v6;
    size_t from = i;
    while (from < len && addrs[from].v6 != wanted)
      from++;
    if (from == len)
      return;
    struct runnel__addr taken = addrs[from];
    memmove(addrs + i + 1, addrs + i, (from - i) * sizeof taken);
    addrs[i] = taken;
  }
}
