// Which fields of a trailer section go on at this hop (RFC 9110, 6.5.1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/connection_options.hpp"
#include "proxy/head_buffer.hpp"
#include "proxy/message_head.hpp"

namespace sekisho::proxy {

// Trailers come after the message was judged by its head, so a field that could change the judgement may not
// be among them: framing, routing, credentials, conditions, what says how the content is read, and all that
// Sekisho takes off a head. Allocates nothing.
class TrailerRules {
 public:
  enum class Towards : std::uint8_t { upstream, client };

  // `head`: the fields of the same message's head; what its Connection names stops here in the trailers too.
  // No view of it is kept.
  TrailerRules(Towards towards, std::span<const Field> head);

  bool passes(std::string_view name) const;

  // Writes the fields of `section` that pass, each as "Name: value\r\n". `section`: whole lines that
  // ChunkDecoder has let through. Returns how many there were.
  std::size_t write(std::string_view section, HeadBuffer& out) const;
  bool any_passes(std::string_view section) const;

 private:
  Towards towards_;
  // Of the names, letter case and underscores folded: a head is gone when its trailers come. Two names that
  // share one only cost a trailer.
  std::array<std::uint64_t, ConnectionOptions::max_names> named_;
  std::size_t named_count_ = 0;
};

}  // namespace sekisho::proxy
