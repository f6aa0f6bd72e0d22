// The heads of requests that a worker read last: one that comes again, byte for byte, is not read again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/message_head.hpp"

namespace sekisho::proxy {

// What a head says depends on its bytes alone, but for the bounds on heads. Whoever floods a site sends the
// same ones all the time; a head that came once costs no more than a copy of its bytes, and what it says is
// kept from the second time on. Allocates nothing once warm. One worker's.
class HeadMemory {
 public:
  static constexpr std::size_t longest = 1024;  // longer ones are never known

  // Heads past these bounds are not recalled.
  void set_limits(const HeadLimits& limits) { limits_ = limits; }
  // Where `input` begins with a head that is known: what it says, with views into `input`, written over
  // `head`, and how long it is. Else 0.
  std::size_t recall(std::string_view input, RequestHead& head) const;
  // What was read: `bytes` is the whole head, of which `head` has its views. Gives it its serial number.
  void note(std::string_view bytes, RequestHead& head);

 private:
  static constexpr std::size_t places = 8;
  static constexpr std::size_t shortest = 24;  // of which the place is told

  struct Known {
    std::array<char, longest> bytes;
    std::size_t size = 0;  // 0: nothing
    RequestHead head;      // with views into `bytes`; of serial number 0: not yet
    std::string_view text() const { return {bytes.data(), size}; }
  };

  static std::size_t place_of(std::string_view input);

  HeadLimits limits_;
  std::vector<Known> known_ = std::vector<Known>(places);
  std::uint64_t serial_ = 0;
};

}  // namespace sekisho::proxy
