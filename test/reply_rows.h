/* Responses and what becomes of them, for reply_test.c and matrix_test.c:
 * X(bytes, transcript).
 *
 * A transcript is "STATUS name=value,... [body] end|lost|error: why", in which
 * the body's slices are joined; the connection ends in order after the bytes.
 * REPLY_HEAD_ROWS answer a HEAD request. Rows of section 2.5 and 2.6 of the
 * faults (H16 to H26, B1 to B10) stand in their order. */
#ifndef RUNNEL_TEST_REPLY_ROWS_H
#define RUNNEL_TEST_REPLY_ROWS_H

/* Who walks the rows through more than the reply may put more into the usual
 * head and the first chunk, by defining these before. */
#ifndef OK11
#define OK11 "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK11 "Transfer-Encoding: chunked\r\n\r\n"
#endif
#define CH "200 Transfer-Encoding=chunked, "
#define NOT_HTTP "error: the answer is not HTTP/1.0 or HTTP/1.1"
#define NO_STATUS "error: the status line holds no status of three digits"
#define BAD_STATUS "error: the status is not between 100 and 599"
#define NO_CRLF "error: a line of the head does not end in CRLF"
#define NO_NAME "error: a header line does not begin with a name and a colon"
#define BAD_VALUE "error: a header's value holds a control character"
#define FOLDED "error: a header line is folded"
#define TWO_FRAMINGS "error: Transfer-Encoding and Content-Length are there"
#define BAD_LENGTH "error: Content-Length is not a number"
#define BAD_CODING "error: Transfer-Encoding is not just chunked"
#define BAD_SIZE "error: a chunk's size line is malformed"
#define BAD_CHUNK "error: a chunk does not end in CRLF after its data"
#define BAD_TRAILER "error: a trailer line is malformed"

#define REPLY_ROWS(X)                                                          \
  /* well formed */                                                            \
  X(OK11 "\r\n", "200 [] end")                                                 \
  X(OK11 "\r\nabc", "200 [abc] end")                                           \
  X(OK11 "Content-Type: text/event-stream\r\n\r\ndata: a\n\n",                 \
    "200 Content-Type=text/event-stream, [data: a\n\n] end")                   \
  X(OK11 "Content-Length: 3\r\n\r\nabc", "200 Content-Length=3, [abc] end")    \
  X(OK11 "content-length:3\r\n\r\nabc", "200 content-length=3, [abc] end")     \
  X(OK11 "Content-Length: 003\r\n\r\nabc",                                     \
    "200 Content-Length=003, [abc] end")                                       \
  X(OK11 "Content-Length: \t 3 \t \r\n\r\nabc",                                \
    "200 Content-Length=3, [abc] end")                                         \
  X(CHUNKED "3\r\nabc\r\n0\r\n\r\n", CH "[abc] end")                           \
  X(CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", CH "[abcde] end")              \
  X(CHUNKED "a\r\n0123456789\r\n0\r\n\r\n", CH "[0123456789] end")             \
  X(CHUNKED "A\r\n0123456789\r\n0\r\n\r\n", CH "[0123456789] end")             \
  X(CHUNKED "0\r\n\r\n", CH "[] end")                                          \
  X(OK11 "Transfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n",              \
    "200 Transfer-Encoding=CHUNKED, [a] end")                                  \
  X(OK11 "transfer-encoding:\tChunked\t\r\n\r\n1\r\na\r\n0\r\n\r\n",           \
    "200 transfer-encoding=Chunked, [a] end")                                  \
  X(OK11 "A: b\r\nA: c\r\nD:\r\nE:   \r\n\r\n", "200 A=b,A=c,D=,E=, [] end")   \
  X(OK11 "A:  b  c  \r\n\r\n", "200 A=b  c, [] end")                           \
  X(OK11 "A:\tb\tc\t\r\n\r\n", "200 A=b\tc, [] end")                           \
  X(OK11 "A: :b: \r\n\r\n", "200 A=:b:, [] end")                               \
  X(OK11 "!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n",                                   \
    "200 !#$%&'*+-.^_`|~09azAZ=b, [] end")                                     \
  X(OK11 "A: \x80\xff\xc3\xa4\r\n\r\n", "200 A=\x80\xff\xc3\xa4, [] end")      \
  X(OK11 "A: \"<>@,;:\\/[]?={}\r\n\r\n", "200 A=\"<>@,;:\\/[]?={}, [] end")    \
  X("HTTP/1.1 200 \r\n\r\n", "200 [] end")                                     \
  X("HTTP/1.1 200\r\n\r\n", "200 [] end")                                      \
  X("HTTP/1.1 200  O K \t\r\n\r\n", "200 [] end")                              \
  X("HTTP/1.1 200 \xc3\xbc\x80\r\n\r\n", "200 [] end")                         \
  X("HTTP/1.1 599 x\r\n\r\nb", "599 [b] end")                                  \
  X("HTTP/1.1 404 x\r\nContent-Length: 1\r\n\r\nb",                            \
    "404 Content-Length=1, [b] end")                                           \
  X("HTTP/1.1 205 x\r\n\r\nb", "205 [b] end")                                  \
  X("HTTP/1.1 302 x\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",             \
    "302 Location=/y,Content-Length=0, [] end")                                \
  X("HTTP/1.0 200 OK\r\n\r\nabc", "200 [abc] end")                             \
  X("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc",                    \
    "200 Connection=keep-alive, [abc] end")                                    \
  X("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: "            \
    "2\r\n\r\nab",                                                             \
    "200 Connection=keep-alive,Content-Length=2, [ab] end")                    \
  X("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab",                          \
    "200 Content-Length=2, [ab] end")                                          \
  X(OK11 "Connection: close\r\nContent-Length: 2\r\n\r\nab",                   \
    "200 Connection=close,Content-Length=2, [ab] end")                         \
  X(OK11 "Connection: close\r\n\r\nab", "200 Connection=close, [ab] end")      \
  X(OK11 "Connection: keep-alive\r\n\r\nab",                                   \
    "200 Connection=keep-alive, [ab] end")                                     \
  X(OK11 "Connection: , close , x,\r\n\r\nab",                                 \
    "200 Connection=, close , x,, [ab] end")                                   \
  X(OK11 "Connection:\r\n\r\nab", "200 Connection=, [ab] end")                 \
  X(OK11 "Connection: upgrade\r\nUpgrade: h2c\r\n\r\nab",                      \
    "200 Connection=upgrade,Upgrade=h2c, [ab] end")                            \
  X(OK11 "Connection: upgrade\r\nUpgrade: h2c\r\n"                             \
         "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",             \
    "200 Connection=upgrade,Upgrade=h2c,Transfer-Encoding=chunked, [ab] end")  \
  X(OK11 "Proxy-Connection: keep-alive\r\n\r\nab",                             \
    "200 Proxy-Connection=keep-alive, [ab] end")                               \
  X(OK11 "Content-Lengt: 1\r\nTransfer-Encodin: x\r\nConnectio: y\r\n\r\nab",  \
    "200 Content-Lengt=1,Transfer-Encodin=x,Connectio=y, [ab] end")            \
  X(OK11 "Content-Length-X: 1\r\nTransfer-EncodingX: x\r\n\r\nab",             \
    "200 Content-Length-X=1,Transfer-EncodingX=x, [ab] end")                   \
  /* H16: status */                                                            \
  X("HTTP/1.1 000 x\r\n\r\n", BAD_STATUS)                                      \
  X("HTTP/1.1 099 x\r\n\r\n", BAD_STATUS)                                      \
  X("HTTP/1.1 600 x\r\n\r\n", BAD_STATUS)                                      \
  X("HTTP/1.1 999 x\r\n\r\n", BAD_STATUS)                                      \
  X("HTTP/1.1 99 x\r\n\r\n", NO_STATUS)                                        \
  X("HTTP/1.1 -20 x\r\n\r\n", NO_STATUS)                                       \
  X("HTTP/1.1 +20 x\r\n\r\n", NO_STATUS)                                       \
  X("HTTP/1.1 2000 x\r\n\r\n", NO_STATUS)                                      \
  X("HTTP/1.1 2x0 x\r\n\r\n", NO_STATUS)                                       \
  X("HTTP/1.1  200 x\r\n\r\n", NO_STATUS)                                      \
  X("HTTP/1.1\t200 x\r\n\r\n", NO_STATUS)                                      \
  X("HTTP/1.1 200\tx\r\n\r\n", NO_STATUS)                                      \
  X("HTTP/1.1 200OK\r\n\r\n", NO_STATUS)                                       \
  X("HTTP/1.1 20\r\n\r\n", NO_STATUS)                                          \
  X("HTTP/1.1\r\n\r\n", NO_STATUS)                                             \
  X("HTTP/1.1 \r\n\r\n", NO_STATUS)                                            \
  X("HTTP/1.1 200 a\x01\r\n\r\n",                                              \
    "error: the status line holds a control character")                        \
  X("HTTP/1.1 200 a\rb\r\n\r\n",                                               \
    "error: the status line holds a control character")                        \
  X("HTTP/1.1 200 a\0b\r\n\r\n",                                               \
    "error: the status line holds a control character")                        \
  X("HTTP/1.1 200 a\x7f\r\n\r\n",                                              \
    "error: the status line holds a control character")                        \
  X("HTTP/1.1 200 OK\n\r\n", NO_CRLF)                                          \
  X("HTTP/1.1 200 OK\n\n", NO_CRLF)                                            \
  /* H17, T9: version, other protocols */                                      \
  X("HTTP/0.9 200 OK\r\n\r\n", NOT_HTTP)                                       \
  X("HTTP/2.0 200 OK\r\n\r\n", NOT_HTTP)                                       \
  X("HTTP/2 200 OK\r\n\r\n", NOT_HTTP)                                         \
  X("HTTP/1.2 200 OK\r\n\r\n", NOT_HTTP)                                       \
  X("HTTP/1.x 200 OK\r\n\r\n", NOT_HTTP)                                       \
  X("HTTP/1.10 200 OK\r\n\r\n", NO_STATUS)                                     \
  X("HTTP/1 200 OK\r\n\r\n", NOT_HTTP)                                         \
  X("HTTP/11 200 OK\r\n\r\n", NOT_HTTP)                                        \
  X("http/1.1 200 OK\r\n\r\n", NOT_HTTP)                                       \
  X("HTTPS/1.1 200 OK\r\n\r\n", NOT_HTTP)                                      \
  X(" HTTP/1.1 200 OK\r\n\r\n", NOT_HTTP)                                      \
  X("ICY 200 OK\r\n\r\n", NOT_HTTP)                                            \
  X("SSH-2.0-OpenSSH_9.2\r\n", NOT_HTTP)                                       \
  X("220 mail ESMTP\r\n", NOT_HTTP)                                            \
  X("\x15\x03\x01\x00\x02\x02\x46", NOT_HTTP)                                  \
  X("\x00\x00\x12\x04\x00\x00\x00\x00\x00", NOT_HTTP)                          \
  X("GET / HTTP/1.1\r\n\r\n", NOT_HTTP)                                        \
  X("<html>", NOT_HTTP)                                                        \
  X("\n", NOT_HTTP)                                                            \
  X("\rH", NOT_HTTP)                                                           \
  /* H18: responses 1xx */                                                     \
  X("HTTP/1.1 100 Continue\r\n\r\n" OK11 "\r\na", "200 [a] end")               \
  X("HTTP/1.1 103 x\r\nLink: y\r\nA: b\r\n\r\n" OK11 "C: d\r\n\r\na",          \
    "200 C=d, [a] end")                                                        \
  X("HTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\n" OK11 "\r\na", "200 [a] end") \
  X("HTTP/1.1 102 x\r\nConnection: close\r\n\r\n" OK11 "\r\na", "200 [a] end") \
  X("HTTP/1.0 100 x\r\n\r\nHTTP/1.0 200 x\r\n\r\na", "200 [a] end")            \
  X("HTTP/1.1 199 x\r\n\r\nHTTP/1.1 150 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n",      \
    "204 [] end")                                                              \
  X("HTTP/1.1 100 x\r\n\r\n", "lost")                                          \
  X("HTTP/1.1 100 x\r\n\r\nabc", NOT_HTTP)                                     \
  X("HTTP/1.1 101 x\r\nUpgrade: y\r\nConnection: upgrade\r\n\r\n",             \
    "error: status 101 was not asked for")                                     \
  X("HTTP/1.1 101 x\r\n\r\n", "error: status 101 was not asked for")           \
  /* H20: lengths */                                                           \
  X(OK11 "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",            \
    TWO_FRAMINGS)                                                              \
  X(OK11 "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",            \
    TWO_FRAMINGS)                                                              \
  X(OK11 "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",                  \
    "error: Content-Length is there more than once")                           \
  X(OK11 "Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc",                  \
    "error: Content-Length is there more than once")                           \
  X(OK11 "Content-Length: 3, 3\r\n\r\nabc", BAD_LENGTH)                        \
  X(OK11 "Content-Length: 5,5\r\n\r\nabcde", BAD_LENGTH)                       \
  X(OK11 "Content-Length: +5\r\n\r\nabcde", BAD_LENGTH)                        \
  X(OK11 "Content-Length: -5\r\n\r\nabcde", BAD_LENGTH)                        \
  X(OK11 "Content-Length: 0x5\r\n\r\nabcde", BAD_LENGTH)                       \
  X(OK11 "Content-Length: 5a\r\n\r\nabcde", BAD_LENGTH)                        \
  X(OK11 "Content-Length: 5 5\r\n\r\nabcde", BAD_LENGTH)                       \
  X(OK11 "Content-Length: 5.0\r\n\r\nabcde", BAD_LENGTH)                       \
  X(OK11 "Content-Length:\r\n\r\nabcde", BAD_LENGTH)                           \
  X(OK11 "Content-Length: abc\r\n\r\nabcde", BAD_LENGTH)                       \
  X(OK11 "Content-Length: 9223372036854775808\r\n\r\na", BAD_LENGTH)           \
  X(OK11 "Content-Length: 18446744073709551617\r\n\r\na", BAD_LENGTH)          \
  X(OK11 "Content-Length: 999999999999999999\r\n\r\na",                        \
    "200 Content-Length=999999999999999999, [a] lost")                         \
  /* H21: transfer codings */                                                  \
  X(OK11 "Transfer-Encoding: gzip\r\n\r\n", BAD_CODING)                        \
  X(OK11 "Transfer-Encoding: chunked, gzip\r\n\r\n", BAD_CODING)               \
  X(OK11 "Transfer-Encoding: gzip, chunked\r\n\r\n", BAD_CODING)               \
  X(OK11 "Transfer-Encoding: xchunked\r\n\r\n", BAD_CODING)                    \
  X(OK11 "Transfer-Encoding: chunkedx\r\n\r\n", BAD_CODING)                    \
  X(OK11 "Transfer-Encoding: chunked, chunked\r\n\r\n", BAD_CODING)            \
  X(OK11 "Transfer-Encoding: chunked;q=1\r\n\r\n", BAD_CODING)                 \
  X(OK11 "Transfer-Encoding: identity\r\n\r\n", BAD_CODING)                    \
  X(OK11 "Transfer-Encoding:\r\n\r\n", BAD_CODING)                             \
  X(OK11 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",   \
    BAD_CODING)                                                                \
  X("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",          \
    "error: Transfer-Encoding is there in HTTP/1.0")                           \
  /* H23: lines */                                                             \
  X(OK11 "A: b\r\n c\r\n\r\n", FOLDED)                                         \
  X(OK11 "A: b\r\n\tc\r\n\r\n", FOLDED)                                        \
  X(OK11 " A: b\r\n\r\n", FOLDED)                                              \
  X(OK11 "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", FOLDED)            \
  X(OK11 "A : b\r\n\r\n", NO_NAME)                                             \
  X(OK11 "A B: b\r\n\r\n", NO_NAME)                                            \
  X(OK11 "Content-Length : 3\r\n\r\nabc", NO_NAME)                             \
  X(OK11 ": b\r\n\r\n", NO_NAME)                                               \
  X(OK11 "A\r\n\r\n", NO_NAME)                                                 \
  X(OK11 "A\0: b\r\n\r\n", NO_NAME)                                            \
  X(OK11 "A\x80: b\r\n\r\n", NO_NAME)                                          \
  X(OK11 "A\": b\r\n\r\n", NO_NAME)                                            \
  X(OK11 "A: b\0c\r\n\r\n", BAD_VALUE)                                         \
  X(OK11 "A: b\x01\r\n\r\n", BAD_VALUE)                                        \
  X(OK11 "A: b\x7f\r\n\r\n", BAD_VALUE)                                        \
  X(OK11 "A: b\x1b[2J\r\n\r\n", BAD_VALUE)                                     \
  X(OK11 "A: b\rC: d\r\n\r\n", BAD_VALUE)                                      \
  X(OK11 "A: b\r\r\n\r\n", BAD_VALUE)                                          \
  X(OK11 "A: b\nC: d\r\n\r\n", NO_CRLF)                                        \
  X(OK11 "A: b\n\r\n", NO_CRLF)                                                \
  X(OK11 "A: b\r\n\n", NO_CRLF)                                                \
  X(OK11 "\n", NO_CRLF)                                                        \
  X(OK11 "\r\r\n", NO_NAME)                                                    \
  /* H24: empty lines in front */                                              \
  X("\r\n" OK11 "\r\n", "200 [] end")                                          \
  X("\r\n\r\n\r\n\r\n" OK11 "\r\n", "200 [] end")                              \
  X("\r\n\r\n\r\n\r\n\r\n" OK11 "\r\n",                                        \
    "error: empty lines come before the status line")                          \
  X("\n" OK11 "\r\n", NOT_HTTP)                                                \
  X("\r" OK11 "\r\n", NOT_HTTP)                                                \
  /* H25: ends that come too early */                                          \
  X("", "lost")                                                                \
  X("H", "lost")                                                               \
  X("HTTP/1.1", "lost")                                                        \
  X(OK11, "lost")                                                              \
  X(OK11 "A: b", "lost")                                                       \
  X(OK11 "A: b\r\n\r", "lost")                                                 \
  X("\r\n", "lost")                                                            \
  /* B1: chunk sizes and data */                                               \
  X(CHUNKED "g\r\n", CH "[] " BAD_SIZE)                                        \
  X(CHUNKED "-5\r\nabcde\r\n", CH "[] " BAD_SIZE)                              \
  X(CHUNKED "+5\r\nabcde\r\n", CH "[] " BAD_SIZE)                              \
  X(CHUNKED "0x5\r\nabcde\r\n", CH "[] " BAD_SIZE)                             \
  X(CHUNKED "\r\n", CH "[] " BAD_SIZE)                                         \
  X(CHUNKED ";a\r\n", CH "[] " BAD_SIZE)                                       \
  X(CHUNKED " 5\r\nabcde\r\n", CH "[] " BAD_SIZE)                              \
  X(CHUNKED "5 \r\nabcde\r\n", CH "[] " BAD_SIZE)                              \
  X(CHUNKED "5\t\r\nabcde\r\n", CH "[] " BAD_SIZE)                             \
  X(CHUNKED "5 ;a\r\nabcde\r\n", CH "[] " BAD_SIZE)                            \
  X(CHUNKED "5\nabcde\r\n", CH "[] " BAD_SIZE)                                 \
  X(CHUNKED "5\r\rabcde\r\n", CH "[] " BAD_SIZE)                               \
  X(CHUNKED "5;a\nabcde\r\n", CH "[] " BAD_SIZE)                               \
  X(CHUNKED "fffffffffffffffff\r\na",                                          \
    CH "[] error: a chunk's size is over 64 bits")                             \
  X(CHUNKED "10000000000000000\r\na",                                          \
    CH "[] error: a chunk's size is over 64 bits")                             \
  X(CHUNKED "1\r\nab\r\n", CH "[a] " BAD_CHUNK)                                \
  X(CHUNKED "1\r\na\n", CH "[a] " BAD_CHUNK)                                   \
  X(CHUNKED "1\r\na\r1", CH "[a] " BAD_CHUNK)                                  \
  X(CHUNKED "1\r\na0\r\n\r\n", CH "[a] " BAD_CHUNK)                            \
  X(CHUNKED "2\r\na\r\n0\r\n\r\n", CH "[a\r] " BAD_CHUNK)                      \
  X(CHUNKED "1\r\na\r\n\r\n", CH "[a] " BAD_SIZE)                              \
  /* B2: sizes that promise much */                                            \
  X(CHUNKED "ffffffffffffffff\r\nab", CH "[ab] lost")                          \
  X(CHUNKED "8000000000000000\r\nab", CH "[ab] lost")                          \
  X(CHUNKED "00000000000000000000000000000000000000003\r\nabc\r\n0\r\n\r\n",   \
    CH "[abc] end")                                                            \
  X(CHUNKED "000000000000000000000000\r\n\r\n", CH "[] end")                   \
  /* B3: extensions */                                                         \
  X(CHUNKED "3;a\r\nabc\r\n0;b=c\r\n\r\n", CH "[abc] end")                     \
  X(CHUNKED "3;a=\"b;\\\"c\"\r\nabc\r\n0\r\n\r\n", CH "[abc] end")             \
  X(CHUNKED "3; a = b ;c\r\nabc\r\n0\r\n\r\n", CH "[abc] end")                 \
  X(CHUNKED "3;\r\nabc\r\n0;;;\r\n\r\n", CH "[abc] end")                       \
  X(CHUNKED "3;a\x01\r\nabc\r\n", CH "[] " BAD_SIZE)                           \
  X(CHUNKED "3;a\0\r\nabc\r\n", CH "[] " BAD_SIZE)                             \
  X(CHUNKED "3;a\x80\r\nabc\r\n", CH "[] " BAD_SIZE)                           \
  /* B4: trailers */                                                           \
  X(CHUNKED "3\r\nabc\r\n0\r\nA: b\r\n\r\n", CH "[abc] end")                   \
  X(CHUNKED "0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n",          \
    CH "[] end")                                                               \
  X(CHUNKED "0\r\nA:\r\nB:c\r\n\r\n", CH "[] end")                             \
  X(CHUNKED "0\r\n: b\r\n\r\n", CH "[] " BAD_TRAILER)                          \
  X(CHUNKED "0\r\nA: b\n\r\n", CH "[] " BAD_TRAILER)                           \
  X(CHUNKED "0\r\nA: b\r\n c\r\n\r\n", CH "[] " BAD_TRAILER)                   \
  X(CHUNKED "0\r\nA b\r\n\r\n", CH "[] " BAD_TRAILER)                          \
  X(CHUNKED "0\r\nA: \x01\r\n\r\n", CH "[] " BAD_TRAILER)                      \
  X(CHUNKED "0\r\n\n", CH "[] " BAD_TRAILER)                                   \
  X(CHUNKED "0\r\n\rx", CH "[] " BAD_TRAILER)                                  \
  X(CHUNKED "0\n\n", CH "[] " BAD_SIZE)                                        \
  /* B5: cut bodies */                                                         \
  X(CHUNKED, CH "[] lost")                                                     \
  X(CHUNKED "3", CH "[] lost")                                                 \
  X(CHUNKED "3\r\nab", CH "[ab] lost")                                         \
  X(CHUNKED "3\r\nabc", CH "[abc] lost")                                       \
  X(CHUNKED "3\r\nabc\r\n", CH "[abc] lost")                                   \
  X(CHUNKED "3\r\nabc\r\n0\r\n", CH "[abc] lost")                              \
  X(CHUNKED "3\r\nabc\r\n0\r\n\r", CH "[abc] lost")                            \
  X(OK11 "Content-Length: 3\r\n\r\n", "200 Content-Length=3, [] lost")         \
  X(OK11 "Content-Length: 3\r\n\r\nab", "200 Content-Length=3, [ab] lost")     \
  /* B7, B8: bytes after the end are not looked at */                          \
  X(OK11 "Content-Length: 0\r\n\r\nabc", "200 Content-Length=0, [] end")       \
  X(OK11 "Content-Length: 1\r\n\r\na" OK11 "\r\n",                             \
    "200 Content-Length=1, [a] end")                                           \
  X(OK11 "Connection: close\r\nContent-Length: 1\r\n\r\nabc",                  \
    "200 Connection=close,Content-Length=1, [a] end")                          \
  X(CHUNKED "0\r\n\r\n" OK11 "\r\n", CH "[] end")                              \
  X(CHUNKED "0\r\n\r\n\0\xff", CH "[] end")                                    \
  /* B9: no body by status */                                                  \
  X("HTTP/1.1 204 x\r\n\r\nabc", "204 [] end")                                 \
  X("HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\nabc",                          \
    "204 Content-Length=3, [] end")                                            \
  X("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n",                    \
    "204 Transfer-Encoding=chunked, [] end")                                   \
  X("HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\n",                             \
    "304 Content-Length=3, [] end")                                            \
  X("HTTP/1.0 304 x\r\n\r\nabc", "304 [] end")

#define REPLY_HEAD_ROWS(X)                                                     \
  X(OK11 "\r\nabc", "200 [] end")                                              \
  X(OK11 "Content-Length: 3\r\n\r\n", "200 Content-Length=3, [] end")          \
  X(CHUNKED, CH "[] end")                                                      \
  X("HTTP/1.0 200 x\r\nConnection: close\r\n\r\n",                             \
    "200 Connection=close, [] end")                                            \
  X("HTTP/1.1 100 x\r\n\r\n" OK11 "\r\n", "200 [] end")                        \
  X(OK11 "Content-Length: x\r\n\r\n", BAD_LENGTH)

#endif
