// Certificates and keys from the PEM files that a configuration names, every problem told at its place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/openssl_handles.hpp"

namespace sekisho::proxy {

// The certificates of a file, in its order; empty after an error at the path's mark.
std::vector<CertificateHandle> read_certificates(const config::Text& path, config::Diagnostics& diagnostics);
// As above; null after an error.
PrivateKeyHandle read_private_key(const config::Text& path, config::Diagnostics& diagnostics);

// Warns where a certificate is of no use today.
void warn_of_its_time(const X509& certificate, const config::Text& path, config::Diagnostics& diagnostics);

// The DNS names that a certificate is for, in lower case: of its subjectAltName, or its subject's common name
// where it has none.
std::vector<std::string> certificate_names(const X509& certificate);

// What OpenSSL says of its last failure on this thread; its error queue is empty afterwards.
std::string take_openssl_reason();

}  // namespace sekisho::proxy
