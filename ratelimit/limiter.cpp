#include "ratelimit/limiter.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <vector>

#include "ratelimit/atomics.hpp"
#include "ratelimit/buckets.hpp"
#include "ratelimit/virtual_clock.hpp"

namespace sekisho::ratelimit {
namespace {

// Another worker's stamp may be this much older than ours: less, and taking a word that is idle to us could
// lose its debt.
constexpr Duration margin = std::chrono::seconds(1);

Duration until(Instant then, Instant now) {
  if (then == Instant::max()) return Duration::max();
  return std::max(Duration::zero(), std::chrono::duration_cast<Duration>(then - now));
}

// A quota as the words see it. Immutable.
struct Terms {
  Terms(const Quota& new_quota, const VirtualClock& new_clock)
      : quota(new_quota),
        clock(new_clock),
        cost(std::uint64_t{1} << clock.fraction_bits()),
        burst(quota.burst << clock.fraction_bits()) {}

  Quota quota;
  VirtualClock clock;
  std::uint64_t cost;
  std::uint64_t burst;
};

bool same_rate(const Quota& left, const Quota& right) {
  return left.count == right.count && left.period == right.period;
}

}  // namespace

class Limiter::Impl {
 public:
  Impl(const Quota& quota, std::size_t capacity, Instant now) : capacity_(capacity), buckets_(capacity) {
    if (!Limiter::representable(quota)) std::abort();
    adopt(quota, VirtualClock(quota, VirtualClock::fraction_bits_for(quota), now));
  }

  Decision peek(Key key, Instant now) const {
    const Terms& terms = this->terms();
    const std::int64_t units = terms.clock.at(now);
    return answer(terms, now, units, buckets_.peek(key, stamp(units), terms.cost, terms.burst));
  }

  Decision charge(Key key, Instant now) {
    const Terms& terms = this->terms();
    const std::int64_t units = terms.clock.at(now);
    return answer(terms, now, units,
                  buckets_.charge(key, stamp(units), terms.cost, terms.burst, oldest(terms, now)));
  }

  void refund(Key key, Instant charged_at, Instant now) {
    const Terms& terms = this->terms();
    const std::int64_t units = terms.clock.at(now);
    // What time has given back since the charge may have run into a full bucket's brim: only the rest is
    // returned (T5).
    const std::int64_t elapsed = std::max<std::int64_t>(0, units - terms.clock.at(charged_at));
    const std::uint64_t regained = static_cast<std::uint64_t>(elapsed);
    if (regained >= terms.cost) return;
    buckets_.refund(key, stamp(units), terms.cost - regained, oldest(terms, now));
  }

  void prefetch(Key key) const { buckets_.prefetch(key); }

  bool can_rescale(const Quota& quota) const {
    return VirtualClock::fits(quota, terms().clock.fraction_bits());
  }

  void rescale(const Quota& quota, Instant now) {
    if (!can_rescale(quota)) std::abort();
    const Terms& present = terms();
    if (present.quota == quota) return;
    adopt(quota, same_rate(present.quota, quota) ? present.clock : present.clock.bent(quota, now));
  }

  Quota quota() const { return terms().quota; }

  void sweep(Instant now) {
    const Terms& terms = this->terms();
    live_.store(buckets_.sweep(stamp(terms.clock.at(now)), oldest(terms, now)), std::memory_order_relaxed);
  }

  LimiterStats stats() const {
    const auto evicted = buckets_.evicted();
    const unsigned bits = terms().clock.fraction_bits();
    const std::uint64_t tokens = (evicted.units + (std::uint64_t{1} << bits) - 1) >> bits;
    return {capacity_, live_.load(std::memory_order_relaxed), evicted.buckets, tokens};
  }

 private:
  static std::uint64_t stamp(std::int64_t units) { return static_cast<std::uint64_t>(units); }

  static std::uint64_t oldest(const Terms& terms, Instant now) { return stamp(terms.clock.at(now - margin)); }

  const Terms& terms() const { return *terms_.load(std::memory_order_acquire); }

  void adopt(const Quota& quota, const VirtualClock& clock) {
    history_.push_back(std::make_unique<const Terms>(quota, clock));
    terms_.store(history_.back().get(), std::memory_order_release);
  }

  static Decision answer(const Terms& terms, Instant now, std::int64_t units,
                         Buckets<StdAtomics>::Verdict verdict) {
    Decision decision;
    decision.admitted = verdict.admitted;
    decision.burst = terms.quota.burst;
    if (verdict.debt < terms.burst)
      decision.remaining = (terms.burst - verdict.debt) >> terms.clock.fraction_bits();
    const auto debt = static_cast<std::int64_t>(verdict.debt);
    if (debt > 0) decision.reset_after = until(terms.clock.when(units + debt), now);
    if (!verdict.admitted) {
      const auto missing = static_cast<std::int64_t>(verdict.debt + terms.cost - terms.burst);
      decision.retry_after = until(terms.clock.when(units + missing), now);
    }
    return decision;
  }

  const std::size_t capacity_;
  Buckets<StdAtomics> buckets_;
  // Retired terms stay until the limiter dies: a worker may be reading them, and later clocks point at
  // earlier ones.
  std::vector<std::unique_ptr<const Terms>> history_;
  std::atomic<const Terms*> terms_{nullptr};
  std::atomic<std::uint64_t> live_{0};
};

Limiter::Limiter(const Quota& quota, std::size_t capacity, Instant now)
    : impl_(std::make_unique<Impl>(quota, capacity, now)) {}
Limiter::~Limiter() = default;

std::size_t Limiter::bytes_for(std::size_t capacity) {
  return Table<StdAtomics>::bytes_for(capacity);
}
bool Limiter::representable(const Quota& quota) {
  return VirtualClock::fits(quota, 0);
}

Decision Limiter::peek(Key key, Instant now) const {
  return impl_->peek(key, now);
}
Decision Limiter::charge(Key key, Instant now) {
  return impl_->charge(key, now);
}
void Limiter::refund(Key key, Instant charged_at, Instant now) {
  impl_->refund(key, charged_at, now);
}
void Limiter::prefetch(Key key) const {
  impl_->prefetch(key);
}
bool Limiter::can_rescale(const Quota& quota) const {
  return impl_->can_rescale(quota);
}
void Limiter::rescale(const Quota& quota, Instant now) {
  impl_->rescale(quota, now);
}
Quota Limiter::quota() const {
  return impl_->quota();
}
void Limiter::sweep(Instant now) {
  impl_->sweep(now);
}
LimiterStats Limiter::stats() const {
  return impl_->stats();
}

}  // namespace sekisho::ratelimit
