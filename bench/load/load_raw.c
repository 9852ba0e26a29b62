/* What both floors stand on: a nonblocking socket, the request, and lines found
 * by memchr. A line that a read cut is kept only as far as its number goes. No
 * fields, no event assembly: the least that sees each event. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "load.h"

#define BEFORE_NUMBER (6 + LOAD_NUMBER_AT) /* data: {"n": */
#define LINE_LEN_MIN (BEFORE_NUMBER + LOAD_NUMBER_LEN)

int load_raw_connect(const struct load_session *session, int index) {
  int which = index % LOAD_ADDRESSES;
  struct sockaddr_in address = {.sin_family = AF_INET};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)which);
  address.sin_port = htons(session->ports[which]);
  if (fd < 0)
    load_fail("socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
      errno != EINPROGRESS)
    load_fail("connect");
  return fd;
}

void load_raw_ask(const struct load_session *session, int fd,
                  const struct load_tally *tally) {
  char text[512];
  int len = snprintf(text, sizeof text,
                     "GET " LOAD_PATH " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                     "Accept: text/event-stream\r\nCache-Control: no-cache\r\n"
                     "User-Agent: floor\r\n");
  if (session->plan.kind == LOAD_STORM && tally->next > 0)
    len += snprintf(text + len, sizeof text - (size_t)len,
                    "Last-Event-ID: %08u\r\n", (unsigned)tally->next - 1);
  len += snprintf(text + len, sizeof text - (size_t)len, "\r\n");
  if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
    load_fail("send");
}

static void take_line(struct load_session *session, struct load_tally *tally,
                      const char *line, size_t len) {
  if (len >= LINE_LEN_MIN && line[0] == 'd')
    load_session_take(session, tally, line + BEFORE_NUMBER);
}

static void keep(struct load_lines *lines, const char *bytes, size_t len) {
  size_t room = sizeof lines->kept - lines->kept_len;
  size_t more = len < room ? len : room;
  memcpy(lines->kept + lines->kept_len, bytes, more);
  lines->kept_len = (uint8_t)(lines->kept_len + more);
}

void load_lines_feed(struct load_lines *lines, struct load_session *session,
                     struct load_tally *tally, const char *bytes, size_t len) {
  const char *end = bytes + len;
  const char *newline;
  if (lines->kept_len > 0 && len > 0) {
    newline = memchr(bytes, '\n', len);
    keep(lines, bytes, newline == NULL ? len : (size_t)(newline - bytes));
    if (newline == NULL)
      return;
    take_line(session, tally, lines->kept, lines->kept_len);
    lines->kept_len = 0;
    bytes = newline + 1;
  }
  while (bytes < end &&
         (newline = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL) {
    take_line(session, tally, bytes, (size_t)(newline - bytes));
    bytes = newline + 1;
  }
  if (bytes < end)
    keep(lines, bytes, (size_t)(end - bytes));
}
