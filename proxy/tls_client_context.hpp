// How one upstream server is spoken to by TLS: whom to trust, and by what name.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/openssl_handles.hpp"

namespace sekisho::proxy {

// Immutable but for the log's pace; used by all threads at once.
class TlsClientContext {
 public:
  // One for each of `servers`, in their order. Empty where `tls` is off, or after errors, all of which are
  // told at their places.
  static std::vector<std::shared_ptr<const TlsClientContext>> make(
      const config::UpstreamTls& tls, const std::vector<config::Endpoint>& servers,
      config::Diagnostics& diagnostics);

  // A connection's, in the connecting state: SNI for names, and the certificate must be trusted and be for
  // the server's name or address, unless verify is false. Null where memory fails.
  SslHandle new_session() const;

  // The same for an SSL object made elsewhere (Asio's, of native_context()). False where memory fails.
  bool prepare(SSL* ssl) const;
  SSL_CTX* native_context() const { return context_.get(); }

  // Says in the log that a handshake failed, and why; once a minute at the most. From any thread.
  void say_failure(const std::string& reason) const;

  // Equal where the settings and the trusted certificates are: connections made under one may serve the
  // other.
  const std::string& identity() const { return identity_; }

 private:
  SslContextHandle context_;
  std::string server_;    // as in the file
  std::string name_;      // checked against the certificate, and asked for; empty: neither
  bool address_ = false;  // name_ is an IP address
  bool verify_ = true;
  std::string identity_;
  mutable std::atomic<std::int64_t> silent_until_{0};  // steady clock
};

// Whether connections of one may serve the other; null is plain.
bool same_tls(const TlsClientContext* a, const TlsClientContext* b);

}  // namespace sekisho::proxy
