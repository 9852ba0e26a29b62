/* What a peer says, for the rows of command_rows.h. Included once, by
 * command_test.c. */

#define SCRIPT(name, ...)                                                      \
  static const struct peer_step name[] = {PEER_READ(), __VA_ARGS__, PEER_END()}
#define STREAM(name, text)                                                     \
  SCRIPT(name, PEER_STREAM_CHUNKED(), PEER_CHUNK(text), PEER_LAST_CHUNK())
#define ANSWER(status, fields, length, body)                                   \
  PEER_HEAD(status, fields "Content-Length: " length "\r\n"), PEER_SEND(body)

STREAM(one, "data: a\n\n");
STREAM(two, "data: a\n\ndata: b\n\n");
STREAM(rich, "event: up\nid: 7\nretry: 250\ndata: x\ndata: y\n\ndata: z\n\n");
STREAM(ids, "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid\ndata: c\n\n");
STREAM(types, "event: a\ndata: 1\n\nevent: b\ndata: 2\n\ndata: 3\n\n"
              "event: a\ndata: 4\n\n");
STREAM(remarks, ": hi\n:\ndata: a\n\n");
STREAM(broken_utf8,
       "event: \xff\nid: \xe2\x82\ndata: a\xf0\x9f\x98\xc3\xa4\xed\xa0\x80\n\n"
       ": \xc0\xaf\n");
STREAM(quotes, "data: \"\\/\x01\t\n\n");
STREAM(done, "data: a\n\ndata: [DONE]\n\ndata: b\n\n");
STREAM(cut_block, "data: a\n\ndata: b");
STREAM(fat, "data: 12345\n\ndata: 123456\n\n");
STREAM(hollow, ": nothing\n");
SCRIPT(no_content, PEER_EMPTY("204 No Content", ""));
SCRIPT(to_close, PEER_STREAM_TO_CLOSE(), PEER_SEND("data: a\n\n"));
SCRIPT(lost, PEER_STREAM_CHUNKED(), PEER_CHUNK("id: 5\ndata: a\n\n"));
SCRIPT(missing, ANSWER("404 Not Found", "Content-Type: application/json\r\n",
                       "24", "{\"error\":{\"code\":404}}\n\n"));
SCRIPT(empty_404, PEER_EMPTY("404 Not Found", ""));
SCRIPT(busy, ANSWER("503 Service Unavailable", "", "4", "busy"));
SCRIPT(bad_body, ANSWER("400 Bad Request", "", "4", "a\n\xff\x1b"));
SCRIPT(denied, ANSWER("401 Unauthorized", "", "2", "no"));
SCRIPT(html, ANSWER("200 OK", "Content-Type: text/html\r\n", "2", "hi"));
SCRIPT(rubbish, PEER_SEND("SSH-2.0-x\r\n\r\n"));
SCRIPT(nothing, PEER_END());
SCRIPT(moved, PEER_EMPTY("302 Found", "Location: /other?q=1\r\n"));
SCRIPT(moved_badly, PEER_EMPTY("302 Found", ""));
