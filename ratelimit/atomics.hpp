// The table's view of shared memory, as a policy: a test can put a scheduler under every access.
#pragma once

#include <atomic>
#include <cstdint>

#include "ratelimit/claim_id.hpp"

namespace sekisho::ratelimit {

// Any policy offers these five static functions. One with this name as well lets the table read words past
// it, in search of the one to load.
struct StdAtomics {
  static constexpr bool filter_reads_past_me = true;

  static std::uint64_t load(const std::uint64_t& word, std::memory_order order) {
    // atomic_ref of a const object comes after C++20; a load through it stores nothing.
    return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(word)).load(order);
  }
  static bool compare_exchange_weak(std::uint64_t& word, std::uint64_t& expected, std::uint64_t desired,
                                    std::memory_order order) {
    return std::atomic_ref<std::uint64_t>(word).compare_exchange_weak(expected, desired, order, order);
  }
  static bool compare_exchange_strong(std::uint64_t& word, std::uint64_t& expected, std::uint64_t desired,
                                      std::memory_order order) {
    return std::atomic_ref<std::uint64_t>(word).compare_exchange_strong(expected, desired, order, order);
  }
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  // A value that no other claim in flight has.
  static std::uint64_t claim_id() {
    return next_claim_id();
  }
};

static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free);

}  // namespace sekisho::ratelimit
