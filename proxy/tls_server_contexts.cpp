#include "proxy/tls_server_contexts.hpp"

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>

#include "proxy/pem_files.hpp"
#include "proxy/tls_context.hpp"

namespace sekisho::proxy {
namespace {

// Forward secrecy and authenticated encryption alone (Mozilla's "intermediate", without the finite fields).
constexpr const char* tls12_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr std::size_t longest_name = 255;

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  const int result =
      SSL_select_next_proto(&found, chosen_size, http11_protocol.data(),
                            static_cast<unsigned int>(http11_protocol.size()), offered, offered_size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

std::shared_ptr<const TlsServerContexts> TlsServerContexts::make(
    const std::vector<config::CertificatePair>& pairs, config::Diagnostics& diagnostics) {
  auto made = std::make_shared<TlsServerContexts>();
  bool whole = true;
  for (const config::CertificatePair& pair : pairs) {
    if (!made->add(pair, diagnostics)) whole = false;
  }
  if (!whole || made->contexts_.empty()) return nullptr;
  SSL_CTX* first = made->contexts_.front().get();
  // SSL_CTX_set_tlsext_servername_callback, which is a macro with a cast.
  SSL_CTX_callback_ctrl(first, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(choose_by_name));
  SSL_CTX_set_tlsext_servername_arg(first, made.get());
  return made;
}

bool TlsServerContexts::add(const config::CertificatePair& pair, config::Diagnostics& diagnostics) {
  std::vector<CertificateHandle> chain = read_certificates(pair.certificate, diagnostics);
  const PrivateKeyHandle key = read_private_key(pair.private_key, diagnostics);
  if (chain.empty() || !key) return false;
  ERR_clear_error();
  X509* own = chain.front().get();
  if (X509_check_private_key(own, key.get()) != 1) {
    const bool later = std::ranges::any_of(
        chain, [&](const auto& each) { return X509_check_private_key(each.get(), key.get()) == 1; });
    diagnostics.error(pair.private_key.mark,
                      later ? fmt::format("{} belongs to a later certificate of {}: the server's own must be "
                                          "the first",
                                          pair.private_key.value, pair.certificate.value)
                            : fmt::format("{} is not the key of the certificate in {}",
                                          pair.private_key.value, pair.certificate.value));
    ERR_clear_error();
    return false;
  }
  SslContextHandle context = new_tls_context(TLS_server_method());
  bool good = context != nullptr && SSL_CTX_set_cipher_list(context.get(), tls12_ciphers) == 1 &&
              SSL_CTX_use_certificate(context.get(), own) == 1 &&
              SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1;
  for (auto issuer = chain.begin() + 1; good && issuer != chain.end(); ++issuer) {
    good = SSL_CTX_add1_chain_cert(context.get(), issuer->get()) == 1;
  }
  if (!good) {
    diagnostics.error(pair.certificate.mark,
                      fmt::format("{} cannot be used: {}", pair.certificate.value, take_openssl_reason()));
    return false;
  }
  warn_of_its_time(*own, pair.certificate, diagnostics);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  add_names(*own);
  contexts_.push_back(std::move(context));
  return true;
}

void TlsServerContexts::add_names(const X509& certificate) {
  const std::size_t place = contexts_.size();
  for (std::string& name : certificate_names(certificate)) {
    if (name.starts_with("*.")) {
      wildcards_.try_emplace(name.substr(1), place);
    } else {
      names_.try_emplace(std::move(name), place);
    }
  }
}

std::size_t TlsServerContexts::choose(std::string_view name) const {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > longest_name) return 0;
  char lowered[longest_name];
  std::ranges::transform(name, lowered,
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  name = std::string_view(lowered, name.size());
  if (const auto found = names_.find(name); found != names_.end()) return found->second;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0) return 0;
  const auto found = wildcards_.find(name.substr(dot));
  return found == wildcards_.end() ? 0 : found->second;
}

int TlsServerContexts::choose_by_name(SSL* ssl, int*, void* contexts) {
  const auto& self = *static_cast<const TlsServerContexts*>(contexts);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const std::size_t chosen = self.choose(name);
  if (chosen != 0) SSL_set_SSL_CTX(ssl, self.contexts_[chosen].get());
  return SSL_TLSEXT_ERR_OK;
}

SslHandle TlsServerContexts::new_session() const {
  SslHandle session(SSL_new(contexts_.front().get()));
  if (session) SSL_set_accept_state(session.get());
  return session;
}

}  // namespace sekisho::proxy
