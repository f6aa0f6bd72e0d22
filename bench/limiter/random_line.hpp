// The floor: no limiter that keeps a client's state in shared memory can do less than change one line of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bench/limiter/terms.hpp"
#include "ratelimit/key.hpp"
#include "ratelimit/limiter.hpp"
#include "ratelimit/pages.hpp"

namespace sekisho::bench {

// One atomic addition to a line that the key's hash chooses, in as much memory of the same kind as our table
// for so many clients.
class RandomLine {
 public:
  static constexpr const char* name = "floor";
  static constexpr bool judges = false;

  RandomLine(const ratelimit::Quota&, std::size_t clients, ratelimit::Instant)
      : lines_(ratelimit::Limiter::bytes_for(clients) / line_bytes), pages_(lines_ * line_bytes) {}

  Answer charge(ratelimit::Key key, ratelimit::Instant) {
    __extension__ using Wide = unsigned __int128;
    const auto line = static_cast<std::size_t>(static_cast<Wide>(key.high) * lines_ >> 64);
    std::uint64_t& word = static_cast<std::uint64_t*>(pages_.data())[line * (line_bytes / sizeof(word))];
    std::atomic_ref(word).fetch_add(1, std::memory_order_relaxed);
    return {true, 0};
  }

 private:
  static constexpr std::size_t line_bytes = 64;

  std::size_t lines_;
  ratelimit::Pages pages_;
};

}  // namespace sekisho::bench
