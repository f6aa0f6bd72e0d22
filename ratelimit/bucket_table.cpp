#include "ratelimit/bucket_table.hpp"

#include <algorithm>

#include "ratelimit/virtual_clock.hpp"

namespace sekisho::ratelimit {
namespace {

// Beyond it a value could be taken for a stale one. Who owes more than that owes no more than that.
constexpr std::uint64_t most_debt = std::uint64_t{1} << VirtualClock::max_debt_bits;

}  // namespace

std::optional<std::uint64_t> BucketTable::value(Key key) const {
  const std::optional<std::uint64_t> here = buckets.table().find(buckets.table().place(key));
  return here ? here : carried(key);
}

std::optional<std::uint64_t> BucketTable::carried(Key key) const {
  const BucketTable* old = before.load(std::memory_order_acquire);
  if (old == nullptr) return std::nullopt;
  const std::optional<std::uint64_t> there = old->value(key);
  return there ? convert(*old, *there) : std::nullopt;
}

// Rounded up: nobody gains by a change.
std::optional<std::uint64_t> BucketTable::convert(const BucketTable& old, std::uint64_t value) const {
  const std::uint64_t owed = Gcra::debt(value, before_stamp);
  if (owed == 0) return std::nullopt;
  std::uint64_t debt = 0;
  if (old.fraction_bits >= fraction_bits) {
    const unsigned shift = old.fraction_bits - fraction_bits;
    debt = (owed + (std::uint64_t{1} << shift) - 1) >> shift;
  } else {
    debt = owed << (fraction_bits - old.fraction_bits);  // at most 16 bits more than 2^34
  }
  return Gcra::value_of(std::min(debt, most_debt), stamp);
}

}  // namespace sekisho::ratelimit
