// What every TLS context of ours has in common.
#pragma once

#include <array>

#include "proxy/openssl_handles.hpp"

namespace sekisho::proxy {

// The one protocol spoken, as ALPN writes it (RFC 7301).
inline constexpr std::array<unsigned char, 9> http11_protocol = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

// TLS 1.2 and 1.3, no compression, no renegotiation; set up for TlsStream's way of reading and writing. Null
// where memory fails.
SslContextHandle new_tls_context(const SSL_METHOD* method);

}  // namespace sekisho::proxy
