/* Names of certificates against hosts; see peername.h. */
#include "peername.h"

#include "chars.h"

/* RFC 1035 2.3.4, without the dot at the end. */
#define NAME_BYTES_MAX 253
#define LABEL_BYTES_MAX 63

/* What stands in names that are looked up; "_" is no letter of host names, yet
 * is used in them. */
static int is_name_byte(char c) {
  return runnel__is_alnum(c) || c == '-' || c == '_';
}

static size_t label_len(struct runnel__str name) {
  const char *dot = name.len > 0 ? memchr(name.at, '.', name.len) : NULL;
  return dot == NULL ? name.len : (size_t)(dot - name.at);
}

static struct runnel__str skip(struct runnel__str name, size_t len) {
  struct runnel__str rest = {name.at + len, name.len - len};
  return rest;
}

/* The labels of a name: at least one byte each, none but name bytes. 0: it is
 * no name, or its last label is a number. */
static size_t count_labels(struct runnel__str name) {
  if (name.len == 0 || name.len > NAME_BYTES_MAX)
    return 0;
  for (size_t count = 1;; count++) {
    size_t len = label_len(name), digits = 0;
    if (len == 0 || len > LABEL_BYTES_MAX)
      return 0;
    for (size_t i = 0; i < len; i++) {
      if (!is_name_byte(name.at[i]))
        return 0;
      digits += runnel__is_digit(name.at[i]) != 0;
    }
    if (len == name.len)
      return digits == len ? 0 : count;
    name = skip(name, len + 1);
  }
}

int runnel__peername_is_host(struct runnel__str name, struct runnel__str host) {
  size_t labels = count_labels(host);
  if (labels == 0)
    return 0;
  if (name.len < 2 || name.at[0] != '*' || name.at[1] != '.')
    return count_labels(name) > 0 && runnel__str_eq_nocase(name, host);
  struct runnel__str tail = skip(name, 2);
  return count_labels(tail) >= 2 && labels == count_labels(tail) + 1 &&
         runnel__str_eq_nocase(tail, skip(host, label_len(host) + 1));
}

int runnel__peername_is_addr(struct runnel__str bytes,
                             const struct runnel__addr *addr) {
  struct runnel__str wanted = {(const char *)addr->ip, addr->v6 ? 16 : 4};
  return runnel__str_eq(bytes, wanted);
}
