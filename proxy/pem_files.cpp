#include "proxy/pem_files.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <optional>

#include "config/source.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::size_t most_bytes = 4 * config::MiB;

std::optional<std::string> read_text(const config::Text& path, config::Diagnostics& diagnostics) {
  std::string problem;
  auto text = config::read_regular_file(path.value, most_bytes, problem);
  if (!text) diagnostics.error(path.mark, fmt::format("{} {}", path.value, problem));
  return text;
}

BioHandle reader_of(const std::string& text) {
  return BioHandle(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

bool at_end_of_pem() {
  const unsigned long code = ERR_peek_last_error();
  return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::string_view view_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string day_of(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

}  // namespace

std::string take_openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : "unknown error";
  ERR_clear_error();
  return text;
}

std::vector<CertificateHandle> read_certificates(const config::Text& path, config::Diagnostics& diagnostics) {
  const auto text = read_text(path, diagnostics);
  if (!text) return {};
  ERR_clear_error();
  const BioHandle reader = reader_of(*text);
  std::vector<CertificateHandle> certificates;
  while (X509* certificate = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool whole = at_end_of_pem();
  const std::string reason = take_openssl_reason();
  if (!whole) {
    diagnostics.error(path.mark, fmt::format("{}: its certificate {} cannot be read: {}", path.value,
                                             certificates.size() + 1, reason));
    return {};
  }
  if (certificates.empty()) {
    const bool key = text->find("PRIVATE KEY-----") != std::string::npos;
    diagnostics.error(path.mark, fmt::format("{} holds no certificate in PEM form{}", path.value,
                                             key ? ", but a private key: are the two swapped?" : ""));
  }
  return certificates;
}

PrivateKeyHandle read_private_key(const config::Text& path, config::Diagnostics& diagnostics) {
  const auto text = read_text(path, diagnostics);
  if (!text) return nullptr;
  ERR_clear_error();
  bool asked = false;
  const auto no_passphrase = [](char*, int, int, void* user) {
    *static_cast<bool*>(user) = true;
    return -1;
  };
  PrivateKeyHandle key(PEM_read_bio_PrivateKey(reader_of(*text).get(), nullptr, no_passphrase, &asked));
  const std::string reason = take_openssl_reason();
  if (key) return key;
  std::string problem;
  if (asked) {
    problem = "is encrypted: a key without a passphrase is needed";
  } else if (text->find("PRIVATE KEY-----") != std::string::npos) {
    problem = "cannot be read: " + reason;
  } else {
    const bool certificate = text->find("CERTIFICATE-----") != std::string::npos;
    problem = "holds no private key in PEM form";
    if (certificate) problem += ", but a certificate: are the two swapped?";
  }
  diagnostics.error(path.mark, fmt::format("{} {}", path.value, problem));
  return nullptr;
}

void warn_of_its_time(const X509& certificate, const config::Text& path, config::Diagnostics& diagnostics) {
  const ASN1_TIME* end = X509_get0_notAfter(&certificate);
  const ASN1_TIME* begin = X509_get0_notBefore(&certificate);
  if (X509_cmp_current_time(end) < 0) {
    diagnostics.warning(path.mark, fmt::format("{} has expired on {}", path.value, day_of(end)));
  } else if (X509_cmp_current_time(begin) > 0) {
    diagnostics.warning(path.mark, fmt::format("{} is not valid before {}", path.value, day_of(begin)));
  }
}

std::vector<std::string> certificate_names(const X509& certificate) {
  std::vector<std::string> names;
  auto* alternatives =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_DNS) names.push_back(lower(view_of(name->d.dNSName)));
  }
  if (alternatives != nullptr) {
    GENERAL_NAMES_free(alternatives);
    return names;
  }
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) {
    names.push_back(lower(view_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)))));
  }
  return names;
}

}  // namespace sekisho::proxy
