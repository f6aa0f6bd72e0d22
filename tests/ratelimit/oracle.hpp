// The limiter said slowly: one key's bucket in plain, unbounded integers, without words, tables or wrapping.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sekisho::test {

// Stamps are readings of the limit's clock.
class Oracle {
 public:
  Oracle() = default;
  // One that owes `debt` at the reading 0.
  explicit Oracle(std::int64_t debt) : full_at_(debt > 0 ? debt : INT64_MIN / 2) {}

  bool charge(std::int64_t now, std::int64_t cost, std::int64_t burst) {
    if (debt(now) + cost > burst) return false;
    full_at_ = std::max(full_at_, now) + cost;
    return true;
  }
  void refund(std::int64_t charged_at, std::int64_t now, std::int64_t cost) {
    const std::int64_t due = cost - std::max<std::int64_t>(0, now - charged_at);
    if (due > 0 && debt(now) > 0) full_at_ = now + std::max<std::int64_t>(0, debt(now) - due);
  }
  std::int64_t debt(std::int64_t now) const { return std::max<std::int64_t>(0, full_at_ - now); }

 private:
  std::int64_t full_at_ = INT64_MIN / 2;
};

}  // namespace sekisho::test
