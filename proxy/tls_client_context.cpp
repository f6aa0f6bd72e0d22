#include "proxy/tls_client_context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "config/ip_address.hpp"
#include "proxy/diagnostic_log.hpp"
#include "proxy/pem_files.hpp"
#include "proxy/tls_context.hpp"

namespace sekisho::proxy {
namespace {

constexpr auto say_failure_every = std::chrono::minutes(1);

// Where OpenSSL looks for the system's certificates.
std::string system_store(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return value != nullptr ? value : otherwise;
}

void trust_system(SSL_CTX* context, config::Mark mark, std::string& identity,
                  config::Diagnostics& diagnostics) {
  ERR_clear_error();
  SSL_CTX_set_default_verify_paths(context);
  ERR_clear_error();
  const std::string file = system_store(X509_get_default_cert_file_env(), X509_get_default_cert_file());
  const std::string folder = system_store(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
  struct stat found {};
  if (::stat(file.c_str(), &found) == 0) {
    identity += fmt::format("|{}:{}.{}", file, found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
  }
  std::error_code ignored;
  const bool none =
      sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context))) <= 0 &&
      (!std::filesystem::is_directory(folder, ignored) || std::filesystem::is_empty(folder, ignored));
  if (none) {
    diagnostics.warning(mark,
                        fmt::format("the system trusts no certificates ({} and {} hold none), so no upstream "
                                    "will be trusted: name a ca, or install ca-certificates",
                                    file, folder));
  }
}

bool trust_file(SSL_CTX* context, const config::Text& ca, std::string& identity,
                config::Diagnostics& diagnostics) {
  const std::vector<CertificateHandle> certificates = read_certificates(ca, diagnostics);
  for (const CertificateHandle& certificate : certificates) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    unsigned int size = digest.size();
    const bool good = X509_digest(certificate.get(), EVP_sha256(), digest.data(), &size) == 1 &&
                      X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get()) == 1;
    if (!good) {
      diagnostics.error(ca.mark, fmt::format("{} cannot be used: {}", ca.value, take_openssl_reason()));
      return false;
    }
    for (const unsigned char byte : digest) identity += fmt::format("{:02x}", byte);
    warn_of_its_time(*certificate, ca, diagnostics);
  }
  return !certificates.empty();
}

}  // namespace

std::vector<std::shared_ptr<const TlsClientContext>> TlsClientContext::make(
    const config::UpstreamTls& tls, const std::vector<config::Endpoint>& servers,
    config::Diagnostics& diagnostics) {
  if (!tls.enabled) return {};
  const SslContextHandle context = new_tls_context(TLS_client_method());
  if (!context) {
    diagnostics.error(tls.mark, "tls cannot be set up: " + take_openssl_reason());
    return {};
  }
  SSL_CTX_set_alpn_protos(context.get(), http11_protocol.data(), http11_protocol.size());
  std::string identity = fmt::format("{}|{}|", tls.verify, tls.server_name.value);
  bool whole = true;
  if (!tls.ca.value.empty()) {
    whole = trust_file(context.get(), tls.ca, identity, diagnostics);
    if (!tls.verify) diagnostics.warning(tls.ca.mark, "ca is not looked at where verify is false");
  } else if (tls.verify) {
    trust_system(context.get(), tls.mark, identity, diagnostics);
  }
  // A CA that was issued by another is enough to be trusted where the file names it.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
  SSL_CTX_set_verify(context.get(), tls.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);

  std::vector<std::shared_ptr<const TlsClientContext>> made;
  for (const config::Endpoint& server : servers) {
    const bool path = server.kind == config::Endpoint::Kind::unix_path;
    if (path && tls.verify && tls.server_name.value.empty()) {
      diagnostics.error(tls.mark, fmt::format("{} has no name to check its certificate against: tls needs a "
                                              "server_name",
                                              server.text));
      whole = false;
      continue;
    }
    auto each = std::make_shared<TlsClientContext>();
    SSL_CTX_up_ref(context.get());
    each->context_.reset(context.get());
    each->server_ = server.text;
    each->name_ = !tls.server_name.value.empty() ? tls.server_name.value : path ? std::string() : server.host;
    each->address_ = config::IpAddress::parse(each->name_).has_value();
    each->verify_ = tls.verify;
    each->identity_ = identity;
    made.push_back(std::move(each));
  }
  if (!whole) made.clear();
  return made;
}

bool TlsClientContext::prepare(SSL* ssl) const {
  if (name_.empty()) return true;
  // SSL_set_tlsext_host_name, which is a macro with casts.
  const auto ask_for = [&](std::string name) {
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
  };
  if (!address_ && !ask_for(name_)) return false;
  if (!verify_) return true;
  if (address_) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name_.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl, name_.c_str()) == 1;
}

SslHandle TlsClientContext::new_session() const {
  SslHandle session(SSL_new(context_.get()));
  if (!session || !prepare(session.get())) return nullptr;
  SSL_set_connect_state(session.get());
  return session;
}

void TlsClientContext::say_failure(const std::string& reason) const {
  const auto clock = std::chrono::steady_clock::now().time_since_epoch();
  const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(clock).count();
  std::int64_t until = silent_until_.load(std::memory_order_relaxed);
  if (now < until) return;
  const std::int64_t next = now + std::chrono::nanoseconds(say_failure_every).count();
  if (!silent_until_.compare_exchange_strong(until, next, std::memory_order_relaxed)) return;
  post_event(LogLevel::error, "upstream_tls", fmt::format("upstream {}: {}", server_, reason),
             {{"server", server_}, {"reason", reason}});
}

bool same_tls(const TlsClientContext* a, const TlsClientContext* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->identity() == b->identity();
}

}  // namespace sekisho::proxy
