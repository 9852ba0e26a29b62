/* See tls_rest.h. What is private in 3.6 is reached here, for mbedTLS cannot do
 * this by itself: a maximum fragment length (RFC 6066 4), by which some builds
 * shrink their buffers, cuts off servers that do not heed it.
 *
 * All that mbedTLS keeps in the buffers from one record to the next is the
 * counter at the start of the input; the rest is pointers into them. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "tls_rest.h"

#include <string.h>

#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>

/* More than mbedTLS takes for a record beyond its content: header, IV, MAC,
 * padding, and what compression may add (RFC 5246 6.2). */
#define AROUND_BYTES 2048
#define IN_BYTES (MBEDTLS_SSL_IN_CONTENT_LEN + AROUND_BYTES)
#define OUT_BYTES (MBEDTLS_SSL_OUT_CONTENT_LEN + AROUND_BYTES)

#define COUNTER_BYTES 8

/* How long the buffers are at least; where they vary, mbedTLS may have cut them
 * at the end of the handshake. */
#if defined(MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH)
#define IN_LEN(ssl) ((ssl)->in_buf_len)
#define OUT_LEN(ssl) ((ssl)->out_buf_len)
#else
#define IN_LEN(ssl) ((size_t)MBEDTLS_SSL_IN_CONTENT_LEN)
#define OUT_LEN(ssl) ((size_t)MBEDTLS_SSL_OUT_CONTENT_LEN)
#endif

struct half {
  unsigned char **buf;
  unsigned char **pointers[RUNNEL__TLS_REST_POINTERS];
  uint16_t *at;
};

static struct half in_of(struct runnel__tls_rest *rest,
                         mbedtls_ssl_context *ssl) {
  return (struct half){&ssl->in_buf,
                       {&ssl->in_ctr, &ssl->in_hdr, &ssl->in_len, &ssl->in_iv,
                        &ssl->in_msg,
#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
                        &ssl->in_cid
#else
                        NULL
#endif
                       },
                       rest->in_at};
}

static struct half out_of(struct runnel__tls_rest *rest,
                          mbedtls_ssl_context *ssl) {
  return (struct half){&ssl->out_buf,
                       {&ssl->out_ctr, &ssl->out_hdr, &ssl->out_len,
                        &ssl->out_iv, &ssl->out_msg,
#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
                        &ssl->out_cid
#else
                        NULL
#endif
                       },
                       rest->out_at};
}

static void let_go(struct half half) {
  unsigned char *buf = *half.buf;
  for (size_t i = 0; i < RUNNEL__TLS_REST_POINTERS; i++)
    if (half.pointers[i] != NULL) {
      half.at[i] = (uint16_t)(*half.pointers[i] - buf);
      *half.pointers[i] = NULL;
    }
  *half.buf = NULL;
}

static void wipe(unsigned char *buf, size_t len) {
  if (buf != NULL)
    mbedtls_platform_zeroize(buf, len);
  mbedtls_free(buf);
}

void runnel__tls_spare_free(struct runnel__tls_spare *spare) {
  wipe(spare->in, IN_BYTES);
  wipe(spare->out, OUT_BYTES);
  *spare = (struct runnel__tls_spare){NULL, NULL};
}

static void take_back(struct half half, unsigned char *buf) {
  *half.buf = buf;
  for (size_t i = 0; i < RUNNEL__TLS_REST_POINTERS; i++)
    if (half.pointers[i] != NULL)
      *half.pointers[i] = buf + half.at[i];
}

/* A message that comes in several records is put together in the buffer, and
 * the next header is read behind it. */
static int is_in_use(const mbedtls_ssl_context *ssl) {
  return ssl->in_left != 0 || ssl->out_left != 0 ||
         ssl->in_hdr != ssl->in_buf + COUNTER_BYTES ||
         mbedtls_ssl_check_pending(ssl) != 0;
}

void runnel__tls_rest(struct runnel__tls_rest *rest, mbedtls_ssl_context *ssl,
                      struct runnel__tls_spare *spare) {
  if (rest->rests || is_in_use(ssl))
    return;
  struct runnel__tls_spare left = {ssl->in_buf, ssl->out_buf};
  memcpy(rest->counter, ssl->in_buf, COUNTER_BYTES);
  let_go(in_of(rest, ssl));
  let_go(out_of(rest, ssl));
  rest->rests = 1;
  if (rest->ours && spare->in == NULL) {
    *spare = left;
  } else {
    wipe(left.in, IN_LEN(ssl));
    wipe(left.out, OUT_LEN(ssl));
  }
}

/* What the buffers hold of another connection is never read: each record is
 * written before. 0: no memory. */
static int take(struct runnel__tls_spare *spare,
                struct runnel__tls_spare *taken) {
  *taken = *spare;
  *spare = (struct runnel__tls_spare){NULL, NULL};
  if (taken->in != NULL)
    return 1;
  taken->in = mbedtls_calloc(1, IN_BYTES);
  taken->out = mbedtls_calloc(1, OUT_BYTES);
  if (taken->in != NULL && taken->out != NULL)
    return 1;
  runnel__tls_spare_free(taken);
  return 0;
}

int runnel__tls_wake(struct runnel__tls_rest *rest, mbedtls_ssl_context *ssl,
                     struct runnel__tls_spare *spare) {
  struct runnel__tls_spare taken;
  if (!rest->rests)
    return 0;
  if (!take(spare, &taken))
    return MBEDTLS_ERR_SSL_ALLOC_FAILED;
  take_back(in_of(rest, ssl), taken.in);
  take_back(out_of(rest, ssl), taken.out);
  memcpy(taken.in, rest->counter, COUNTER_BYTES);
#if defined(MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH)
  ssl->in_buf_len = IN_BYTES;
  ssl->out_buf_len = OUT_BYTES;
#endif
  rest->ours = 1;
  rest->rests = 0;
  return 0;
}
