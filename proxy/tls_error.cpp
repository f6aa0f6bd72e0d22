#include "proxy/tls_error.hpp"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

#include <string>

namespace sekisho::proxy {
namespace {

constexpr int tls_code(int reason) {
  return static_cast<int>(ERR_PACK(ERR_LIB_SSL, 0, reason));
}

// Boost's categories have no virtual destructor; this one is never destroyed through its base.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class TlsCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  // Above zero: OpenSSL's packed code. Below: why a certificate is not trusted, negated.
  std::string message(int value) const override {
    if (value < 0) {
      return std::string("tls: certificate verify failed (") + X509_verify_cert_error_string(-value) + ")";
    }
    const char* reason = ERR_reason_error_string(static_cast<unsigned long>(value));
    return std::string("tls: ") + (reason != nullptr ? reason : "failed");
  }
};
#pragma GCC diagnostic pop

}  // namespace

const boost::system::error_category& tls_category() {
  static const TlsCategory category;
  return category;
}

boost::system::error_code take_tls_error(const SSL* ssl, int socket_error) {
  // The last is TLS's own word; what led to it stands before.
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) {
    if (socket_error != 0) return {socket_error, boost::system::system_category()};
    return {tls_code(SSL_R_UNEXPECTED_EOF_WHILE_READING), tls_category()};
  }
  if (ERR_SYSTEM_ERROR(code)) return {ERR_GET_REASON(code), boost::system::system_category()};
  if (code == static_cast<unsigned long>(tls_code(SSL_R_CERTIFICATE_VERIFY_FAILED))) {
    const long why = SSL_get_verify_result(ssl);
    if (why != X509_V_OK) return {-static_cast<int>(why), tls_category()};
  }
  return {static_cast<int>(code), tls_category()};
}

bool is_plain_http(const boost::system::error_code& error) {
  return error.category() == tls_category() && error.value() == tls_code(SSL_R_HTTP_REQUEST);
}

}  // namespace sekisho::proxy
