// One request as the demonstration upstream reads it: it sits behind a proxy and trusts the framing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sekisho::bench {

struct OriginRequest {
  std::string method;
  std::string path;
  std::string query;
  std::string head;  // the whole of it, as it came
  std::uint64_t content_length = 0;
  bool chunked = false;
  bool keep_alive = true;
  bool upgrade = false;
  bool expects_continue = false;

  // The number that the query gives to `name`, else `otherwise`.
  std::uint64_t number(std::string_view name, std::uint64_t otherwise) const;
};

// Parses a head that ends with its empty line; nothing where it is no request.
std::optional<OriginRequest> parse_origin_request(std::string_view head);

}  // namespace sekisho::bench
