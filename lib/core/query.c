/* One more parameter in a URL's query, form-encoded (URL standard 5.2). Does
 * not judge the URL: that is done where it is used. */
#include "chars.h"
#include "out.h"
#include "runnel.h"

static void put_encoded(struct runnel__out *out, const char *text) {
  static const char hex[] = "0123456789ABCDEF";
  for (; *text != '\0'; text++) {
    unsigned byte = (unsigned char)*text;
    if (runnel__is_alnum(*text) || strchr("*-._", *text)) {
      runnel__out_char(out, *text);
    } else if (*text == ' ') {
      runnel__out_char(out, '+');
    } else {
      runnel__out_char(out, '%');
      runnel__out_char(out, hex[byte >> 4]);
      runnel__out_char(out, hex[byte & 15]);
    }
  }
}

static void put_all(struct runnel__out *out, const char *url, const char *name,
                    const char *value) {
  struct runnel__str front = {url, strcspn(url, "#")};
  const char *query = memchr(url, '?', front.len);
  runnel__out_str(out, front);
  if (query == NULL)
    runnel__out_char(out, '?');
  else if (!strchr("?&", front.at[front.len - 1]))
    runnel__out_char(out, '&');
  put_encoded(out, name);
  runnel__out_char(out, '=');
  put_encoded(out, value);
  runnel__out_str(out, runnel__str_of(url + front.len));
}

int runnel_url_add_query(char *dst, size_t size, const char *url,
                         const char *name, const char *value) {
  if (dst == NULL || url == NULL || name == NULL || value == NULL ||
      name[0] == '\0')
    return RUNNEL_EINVAL;
  struct runnel__out measure = {NULL, 0, 0};
  put_all(&measure, url, name, value);
  if (measure.len >= size)
    return RUNNEL_ETOOBIG;
  struct runnel__out out = {dst, size, 0};
  put_all(&out, url, name, value);
  (void)runnel__out_end(&out);
  return RUNNEL_OK;
}
