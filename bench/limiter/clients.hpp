// The clients that the limiters judge, as keys.
#pragma once

#include <cstdint>
#include <string_view>

#include "ratelimit/key.hpp"

namespace sekisho::bench {

// As the proxy makes it of an address: a salt and 16 bytes through SipHash.
inline ratelimit::Key key_of(std::uint32_t client) {
  static const ratelimit::KeyHasher hasher({0x0123456789abcdef, 0xfedcba9876543210});
  const std::uint64_t address[] = {client, ~std::uint64_t{client}};
  return hasher(7, std::string_view(reinterpret_cast<const char*>(address), sizeof address));
}

}  // namespace sekisho::bench
