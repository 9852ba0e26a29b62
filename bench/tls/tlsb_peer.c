/* See tlsb_peer.h. */
#include "tlsb_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int use_identity(SSL_CTX *context, const struct tlsb_identity *who) {
  BIO *cert_bio = BIO_new_mem_buf(who->cert, -1);
  BIO *key_bio = BIO_new_mem_buf(who->key, -1);
  X509 *cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
  int works = SSL_CTX_use_certificate(context, cert) &&
              SSL_CTX_use_PrivateKey(context, key);
  X509_free(cert);
  EVP_PKEY_free(key);
  BIO_free(cert_bio);
  BIO_free(key_bio);
  return works;
}

/* One cipher suite, one group, one hash: so both clients do the same work. In
 * TLS 1.2 RSA signs by PKCS#1, in 1.3 it may by PSS alone. */
static int use_algorithms(SSL_CTX *context, const struct tlsb_plan *plan) {
  int chacha = plan->suite == TLSB_CHACHA;
  int version = plan->version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  return SSL_CTX_set_min_proto_version(context, version) &&
         SSL_CTX_set_max_proto_version(context, version) &&
         SSL_CTX_set_ciphersuites(context, chacha
                                               ? "TLS_CHACHA20_POLY1305_SHA256"
                                               : "TLS_AES_128_GCM_SHA256") &&
         SSL_CTX_set_cipher_list(context, chacha ? "ECDHE+CHACHA20"
                                                 : "ECDHE+AESGCM+AES128") &&
         SSL_CTX_set1_groups_list(context, "X25519") &&
         SSL_CTX_set1_sigalgs_list(context, plan->version == 13
                                                ? "ECDSA+SHA256:RSA-PSS+SHA256"
                                                : "ECDSA+SHA256:RSA+SHA256");
}

SSL_CTX *tlsb_peer_context(const struct tlsb_task *task) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (context == NULL || !use_algorithms(context, &task->plan) ||
      !use_identity(context, &task->identity))
    tlsb_fail("server: OpenSSL refused the settings");
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets */
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (task->plan.kind == TLSB_BULK &&
      !SSL_CTX_set_max_send_fragment(context, task->plan.record_bytes))
    tlsb_fail("server: records of that size cannot be");
  return context;
}

struct tlsb_peer *tlsb_peer_new(SSL_CTX *context, int fd) {
  struct tlsb_peer *peer = calloc(1, sizeof *peer);
  BIO *in = BIO_new(BIO_s_mem());
  BIO *out = BIO_new(BIO_s_mem());
  SSL *ssl = SSL_new(context);
  if (peer == NULL || in == NULL || out == NULL || ssl == NULL)
    tlsb_fail("server: memory");
  BIO_set_mem_eof_return(in, -1);
  SSL_set_bio(ssl, in, out);
  SSL_set_accept_state(ssl);
  peer->ssl = ssl;
  peer->fd = fd;
  return peer;
}

void tlsb_peer_free(struct tlsb_peer *peer) {
  SSL_free(peer->ssl);
  close(peer->fd);
  free(peer);
}

int tlsb_peer_read(struct tlsb_peer *peer, char *to, size_t room) {
  static char cipher[TLSB_READ_BYTES];
  ssize_t got = recv(peer->fd, cipher, sizeof cipher, 0);
  if (got < 0 && errno == EAGAIN)
    return 0;
  if (got <= 0 || BIO_write(SSL_get_rbio(peer->ssl), cipher, (int)got) != got)
    return -1;
  ERR_clear_error();
  int plain = SSL_read(peer->ssl, to, (int)room);
  if (tlsb_peer_flush(peer) < 0)
    return -1;
  if (plain > 0)
    return plain;
  return SSL_get_error(peer->ssl, plain) == SSL_ERROR_WANT_READ ? 0 : -1;
}

void tlsb_peer_write(struct tlsb_peer *peer, const char *bytes, size_t len) {
  if (SSL_write(peer->ssl, bytes, (int)len) != (int)len)
    tlsb_fail("server: a write failed");
}

void tlsb_peer_bye(struct tlsb_peer *peer) { (void)SSL_shutdown(peer->ssl); }

int tlsb_peer_flush(struct tlsb_peer *peer) {
  BIO *out = SSL_get_wbio(peer->ssl);
  char *bytes = NULL;
  size_t len = (size_t)BIO_get_mem_data(out, &bytes);
  if (peer->sent < len) {
    ssize_t sent =
        send(peer->fd, bytes + peer->sent, len - peer->sent, MSG_NOSIGNAL);
    if (sent < 0)
      return errno == EAGAIN ? 0 : -1;
    peer->sent += (size_t)sent;
  }
  if (peer->sent < len)
    return 0;
  peer->sent = 0;
  (void)BIO_reset(out);
  return 1;
}
