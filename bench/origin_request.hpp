// One request as the demonstration upstream reads it: it sits behind a proxy and trusts the framing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sekisho::bench {

// Everything in it points into the head that it was parsed from.
struct OriginRequest {
  std::string_view method;
  std::string_view path;
  std::string_view query;
  std::string_view head;  // the whole of it, as it came
  std::string_view request_id;
  std::uint64_t content_length = 0;
  bool chunked = false;
  bool keep_alive = true;
  bool upgrade = false;
  bool expects_continue = false;

  bool has_body() const { return chunked || content_length > 0; }
  // The number that the query gives to `name`, else `otherwise`.
  std::uint64_t number(std::string_view name, std::uint64_t otherwise) const;
};

// Parses a head that ends with its empty line; nothing where it is no request. Allocates nothing: this
// upstream stands behind every benchmark, and should cost as little as it can.
std::optional<OriginRequest> parse_origin_request(std::string_view head);

}  // namespace sekisho::bench
