#include "ratelimit/claim_id.hpp"

#include <atomic>

namespace sekisho::ratelimit {
namespace {

constexpr unsigned counter_bits = 20;
constexpr std::uint32_t counter_mask = (1U << counter_bits) - 1;

std::atomic<std::uint32_t> threads{0};
thread_local std::uint32_t thread_number = 0;  // 0: not yet given
thread_local std::uint32_t claims = 0;

}  // namespace

std::uint64_t next_claim_id() {
  if (thread_number == 0) thread_number = threads.fetch_add(1, std::memory_order_relaxed) % 0xffff + 1;
  claims = (claims + 1) & counter_mask;
  return std::uint64_t{thread_number} << counter_bits | claims;
}

}  // namespace sekisho::ratelimit
