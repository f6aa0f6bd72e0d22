// What a TLS listener offers: its certificates, one chosen by the name that the client asks for.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/openssl_handles.hpp"

namespace sekisho::proxy {

// TLS 1.2 and 1.3, ALPN http/1.1 (a client that offers only others is refused), sessions resumed by tickets
// that every worker can read. Immutable; used by all workers at once.
class TlsServerContexts {
 public:
  // From a listener's pairs of files. Null after errors, all of which are told at their places.
  static std::shared_ptr<const TlsServerContexts> make(const std::vector<config::CertificatePair>& pairs,
                                                       config::Diagnostics& diagnostics);

  // A connection's, in the accepting state; null where memory fails. This object must outlive it.
  SslHandle new_session() const;

  // Which pair's certificate is shown for `name`: one that names it, else one with a wildcard for it, else
  // the first. Of several the first in the file.
  std::size_t choose(std::string_view name) const;

 private:
  using Places = std::map<std::string, std::size_t, std::less<>>;

  static int choose_by_name(SSL* ssl, int* alert, void* contexts);
  bool add(const config::CertificatePair& pair, config::Diagnostics& diagnostics);
  void add_names(const X509& certificate);

  std::vector<SslContextHandle> contexts_;
  Places names_, wildcards_;  // "*.example.jp" stands as ".example.jp"
};

}  // namespace sekisho::proxy
