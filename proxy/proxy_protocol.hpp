// The PROXY protocol's header, versions 1 and 2 (HAProxy's proxy-protocol.txt, 2.1 and 2.2): bytes to values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/ip_address.hpp"

namespace sekisho::proxy {

// Version 1: one line, its CRLF included. Version 2: what may follow its first 16 bytes, addresses and TLVs.
inline constexpr std::size_t longest_proxy_line = 107;
inline constexpr std::size_t longest_proxy_block = 4096;
inline constexpr std::size_t longest_proxy_header = 16 + longest_proxy_block;

struct ProxyHeader {
  enum class Status : std::uint8_t {
    need_more,  // so far it may become one; every byte given is the header's
    complete,
    malformed,
  };
  Status status = Status::malformed;
  std::size_t consumed = 0;  // of a complete one: the client's own bytes begin here
  // Whom the proxy speaks for. None where it does not say: its own connection (LOCAL, a health check), an
  // UNKNOWN or unspecified family, a UNIX socket. The peer is the client then.
  std::optional<config::IpAddress> source;
  std::uint16_t destination_port = 0;  // that the client connected to; with a source
};

// Reads a header at the beginning of `bytes`. Strict: one space between words, no leading zeros, addresses of
// the family that is named, stream protocols alone. TLVs are skipped unread.
ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace sekisho::proxy
