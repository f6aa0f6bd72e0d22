// The table in which a limit's buckets stand, and what they are when another takes its place.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ratelimit/atomics.hpp"
#include "ratelimit/buckets.hpp"
#include "ratelimit/instant.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::ratelimit {

// A change of the capacity, or one of the quota that leaves the head-room of the clock's units, needs another
// table with a clock of its own. The old one is then written no more, and a key that the new one has no
// member for is looked up there: what it owed at the moment of the change it owes in the new one's units.
// Nothing is moved, so nothing stops; a member that was carried over hides the old one. Once nothing in the
// old table would be a debt any more it can be taken away (docs/limiter.md, "Another table").
struct BucketTable {
  // Throws std::bad_alloc.
  BucketTable(std::size_t the_capacity, unsigned the_fraction_bits)
      : buckets(the_capacity), capacity(the_capacity), fraction_bits(the_fraction_bits) {}

  // The value of the key here or carried over, in this table's units.
  std::optional<std::uint64_t> value(Key key) const;
  // What stands in the table before this one; for a key that has no member here.
  std::optional<std::uint64_t> carried(Key key) const;
  // A value of `old`, the table before this one, in this table's units; nullopt where nothing was owed.
  std::optional<std::uint64_t> convert(const BucketTable& old, std::uint64_t value) const;

  Buckets<StdAtomics> buckets;
  const std::size_t capacity;
  const unsigned fraction_bits;
  std::atomic<BucketTable*> before{nullptr};
  // Of the change; set before `before` is.
  std::uint64_t stamp = 0;         // the reading of this table's clock
  std::uint64_t before_stamp = 0;  // that of the clock before
  Instant since{};                 // of the change
};

}  // namespace sekisho::ratelimit
