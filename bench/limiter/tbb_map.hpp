// oneTBB's concurrent_hash_map: a lock for each bucket and each element.
#pragma once

#include <tbb/concurrent_hash_map.h>

#include <cstddef>

#include "bench/limiter/terms.hpp"

namespace sekisho::bench {

class TbbMap {
 public:
  static constexpr const char* name = "tbb_map";
  static constexpr bool judges = true;

  TbbMap(const ratelimit::Quota& quota, std::size_t clients, ratelimit::Instant start)
      : terms_(quota, start), values_(clients) {}

  // A call, as to a library: not part of the loop that measures it.
  [[gnu::noinline]] Answer charge(ratelimit::Key key, ratelimit::Instant now) {
    const std::uint64_t units = terms_.units(now);
    Values::accessor found;  // holds the element's lock
    values_.insert(found, {key, units});
    return charge_value(found->second, units, terms_);
  }

 private:
  struct Compare {
    static std::size_t hash(const ratelimit::Key& key) { return key.high; }
    static bool equal(const ratelimit::Key& left, const ratelimit::Key& right) { return left == right; }
  };
  using Values = tbb::concurrent_hash_map<ratelimit::Key, std::uint64_t, Compare>;

  const Terms terms_;
  Values values_;
};

}  // namespace sekisho::bench
