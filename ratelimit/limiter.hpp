// One limit: a quota, its virtual clock and its table of buckets (GCRA, exact; LIMITER: docs/limiter.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ratelimit/decision.hpp"
#include "ratelimit/key.hpp"
#include "ratelimit/quota.hpp"

namespace sekisho::ratelimit {

struct LimiterStats {
  std::uint64_t capacity = 0;        // clients it was sized for
  std::uint64_t live = 0;            // buckets in debt at the last sweep
  std::uint64_t evictions = 0;       // live buckets dropped because both their lines were full
  std::uint64_t evicted_tokens = 0;  // their debt, rounded up: an upper bound on what was over-admitted
};

// Thread-safe throughout; peek, charge, refund and prefetch are lock-free, allocate nothing and make no
// system call. A bucket is a token bucket: `burst` at once, `count` back each `period`; a refused charge
// writes nothing.
class Limiter {
 public:
  // Takes the whole table at once (bytes_for(capacity)), zeroed. Throws std::bad_alloc.
  Limiter(const Quota& quota, std::size_t capacity, Instant now);
  ~Limiter();
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;

  static std::size_t bytes_for(std::size_t capacity);  // 16 bytes a client, rounded up to whole lines
  // False where `quota` cannot be represented at all (say so at load time).
  static bool representable(const Quota& quota);

  // What charge() would answer, without charging.
  Decision peek(Key key, Instant now) const;
  Decision charge(Key key, Instant now);
  // Gives back a charge made at `charged_at`; never leaves the bucket better off than without it (T5).
  void refund(Key key, Instant charged_at, Instant now);
  // Asks the processor for the key's two lines.
  void prefetch(Key key) const;

  // Whether rescale(quota) keeps within the head-room of this limiter's clock units.
  bool can_rescale(const Quota& quota) const;
  // From `now` on, the new quota; every bucket keeps its tokens (T6). Requires can_rescale. One caller at a
  // time.
  void rescale(const Quota& quota, Instant now);
  Quota quota() const;

  // Walks every line once: zeroes idle words, removes abandoned claims, counts the live. Never blocks a
  // decision. One caller at a time; once a minute at the least.
  void sweep(Instant now);
  LimiterStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// One limit's part in a request that several limits judge.
struct Charge {
  Limiter* limiter = nullptr;
  Key key;
  Decision decision;  // filled in: what this limit alone says
};

}  // namespace sekisho::ratelimit
