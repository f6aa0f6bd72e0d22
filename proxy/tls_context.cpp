#include "proxy/tls_context.hpp"

namespace sekisho::proxy {

SslContextHandle new_tls_context(const SSL_METHOD* method) {
  SslContextHandle context(SSL_CTX_new(method));
  if (!context) return nullptr;
  SSL_CTX* c = context.get();
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(
      c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // Header and content of a record, and the next where it is there, come with one receive.
  SSL_CTX_set_read_ahead(c, 1);
  return context;
}

}  // namespace sekisho::proxy
