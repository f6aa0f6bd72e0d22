#include "ratelimit/limiter.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "ratelimit/bucket_table.hpp"
#include "ratelimit/succession.hpp"
#include "ratelimit/terms.hpp"
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

// Whether units of this size hold the quota, and are no coarser than they need to be: where it can be had, a
// token has 2^8 at least.
bool cut_suits(const Quota& quota, unsigned fraction_bits) {
  constexpr unsigned fine_enough = 8;
  return VirtualClock::fits(quota, fraction_bits) &&
         fraction_bits >= std::min(fine_enough, VirtualClock::fraction_bits_for(quota));
}

bool same_rate(const Quota& left, const Quota& right) {
  return left.count == right.count && left.period == right.period;
}

}  // namespace

bool Verdict::waits() const {
  return admitted && terms != nullptr && debt > terms->burst;
}

Verdict Verdict::uncharged() const {
  Verdict verdict = *this;
  if (!admitted || terms == nullptr) return verdict;
  verdict.debt = Gcra::refunded(debt, terms->cost);
  verdict.remaining = Gcra::remaining(verdict.debt, terms->cost, terms->burst);
  return verdict;
}

Verdict::operator Decision() const {
  Decision decision;
  decision.admitted = admitted;
  decision.remaining = remaining;
  if (terms == nullptr) return decision;
  decision.burst = terms->quota.burst;
  const std::int64_t units = terms->clock.at(at);
  const auto after = [&](std::uint64_t owed) {
    return until(terms->clock.when(units + static_cast<std::int64_t>(owed)), at);
  };
  if (debt > 0) decision.reset_after = after(debt);
  if (waits()) decision.wait = after(debt - terms->burst);
  if (!admitted) decision.retry_after = after(debt + terms->cost - terms->ceiling);
  return decision;
}

class Limiter::Room {
 public:
  Room(std::size_t capacity, unsigned fraction_bits)
      : table(std::make_unique<BucketTable>(capacity, fraction_bits)) {}
  std::unique_ptr<BucketTable> table;
};

class Limiter::Impl {
 public:
  Impl(const Quota& quota, std::size_t capacity, Instant now)
      : tables_(std::make_unique<BucketTable>(capacity, VirtualClock::fraction_bits_for(quota))) {
    adopt(quota, VirtualClock(quota, table().fraction_bits, now));
  }

  Verdict peek(Key key, Instant now) const {
    const Terms& terms = this->terms();
    const auto outcome =
        terms.table->buckets.peek(key, stamp(terms, now), terms.cost, terms.ceiling, Carried{*terms.table});
    return answer(terms, now, outcome);
  }

  Verdict charge(Key key, Instant now) {
    const Terms& terms = this->terms();
    return charge(terms, key, now, terms.ceiling);
  }

  void overdraw(Key key, Instant now) {
    const Terms& terms = this->terms();
    // With a long delay requests are let in beyond two bursts: up to there it has to fill, or none is
    // refused.
    charge(terms, key, now, std::max(2 * terms.burst, terms.ceiling));
  }

  void refund(Key key, Instant charged_at, Instant now) {
    const Terms& terms = this->terms();
    // What the table before was charged is not worth following through two clocks.
    if (charged_at < terms.table->since) return;
    // What time has given back since the charge may have run into a full bucket's brim: only the rest is
    // returned (T5).
    const std::int64_t elapsed = std::max<std::int64_t>(0, terms.clock.at(now) - terms.clock.at(charged_at));
    const auto regained = static_cast<std::uint64_t>(elapsed);
    if (regained >= terms.cost) return;
    terms.table->buckets.refund(key, stamp(terms, now), terms.cost - regained, oldest(terms, now),
                                Carried{*terms.table});
  }

  // In the older tables too: once what is idle in the present one is swept away, they would be asked again.
  void forgive(Key key, Instant now) {
    const auto& line = tables_.all();
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
      const std::uint64_t read_at = line[i + 1]->before_stamp;
      line[i]->buckets.refund(key, read_at, Gcra::stale, read_at);
    }
    const Terms& terms = this->terms();
    terms.table->buckets.refund(key, stamp(terms, now), Gcra::stale, oldest(terms, now));
  }

  void prefetch(Key key) const { terms().table->buckets.prefetch(key); }

  bool needs_room(const Quota& quota, std::size_t capacity) const {
    return capacity != table().capacity || !cut_suits(quota, table().fraction_bits);
  }

  void rescale(const Quota& quota, std::size_t capacity, Instant now, RoomPtr room) {
    const Terms& present = terms();
    if (needs_room(quota, capacity)) {
      if (room == nullptr || room->table->capacity != capacity ||
          !cut_suits(quota, room->table->fraction_bits)) {
        std::abort();
      }
      go_over(std::move(room->table), quota, now);
    } else if (!(present.quota == quota)) {
      adopt(quota, same_rate(present.quota, quota) ? present.clock : present.clock.bent(quota, now));
    }
  }

  Quota quota() const { return terms().quota; }
  std::size_t capacity() const { return table().capacity; }
  bool carries() const { return tables_.all().size() > 1; }

  void sweep(Instant now, Instant quiet) {
    const Terms& terms = this->terms();
    const std::uint64_t past = oldest(terms, now);
    live_.store(table().buckets.sweep(stamp(terms, now), past), std::memory_order_relaxed);
    tables_.sweep(now, quiet, [&](const BucketTable& oldest_table) {
      const auto owed = [&](const std::uint64_t& word) { return is_owed(word, past); };
      if (std::ranges::any_of(oldest_table.buckets.table().words(), owed)) return false;
      add_evictions(oldest_table, past_);
      return true;
    });
  }

  LimiterStats stats() const {
    LimiterStats stats{table().capacity, live_.load(std::memory_order_relaxed), past_.evictions,
                       past_.evicted_tokens};
    for (const auto& each : tables_.all()) add_evictions(*each, stats);
    return stats;
  }

 private:
  static std::uint64_t stamp(const Terms& terms, Instant now) {
    return static_cast<std::uint64_t>(terms.clock.at(now));
  }
  static std::uint64_t oldest(const Terms& terms, Instant now) { return stamp(terms, now - margin); }
  struct Carried {
    std::optional<std::uint64_t> operator()(Key key) const { return table.carried(key); }
    const BucketTable& table;
  };

  BucketTable& table() const { return tables_.present(); }
  const Terms& terms() const { return *terms_.load(std::memory_order_acquire); }

  static Verdict charge(const Terms& terms, Key key, Instant now, std::uint64_t ceiling) {
    const auto attempt =
        terms.table->buckets.attempt(key, stamp(terms, now), terms.cost, ceiling, terms.burst);
    if (attempt.ending == attempt.unsettled) [[unlikely]]
      return charge_slowly(terms, key.high, key.low, now, ceiling);
    return {attempt.ending == attempt.admitted, attempt.remaining, attempt.debt, now, &terms};
  }

  // The whole of a charge. Apart, so that what is rare takes no registers from what is not, and with its key
  // as two numbers, because g++ 12 passes a struct on by way of the stack.
  [[gnu::noinline]] static Verdict charge_slowly(const Terms& terms, std::uint64_t high, std::uint64_t low,
                                                 Instant now, std::uint64_t ceiling) {
    const auto outcome = terms.table->buckets.charge({high, low}, stamp(terms, now), terms.cost, ceiling,
                                                     oldest(terms, now), Carried{*terms.table});
    return answer(terms, now, outcome);
  }

  static Verdict answer(const Terms& terms, Instant now, Buckets<StdAtomics>::Outcome outcome) {
    const std::uint64_t remaining = Gcra::remaining(outcome.debt, terms.cost, terms.burst);
    return {outcome.admitted, remaining, outcome.debt, now, &terms};
  }

  void adopt(const Quota& quota, const VirtualClock& clock) {
    history_.push_back(std::make_unique<const Terms>(quota, clock, table()));
    terms_.store(history_.back().get(), std::memory_order_release);
  }

  // The terms are made first: with the one and not the other, a sweep would read the new table by the old
  // clock.
  void go_over(std::unique_ptr<BucketTable> next, const Quota& quota, Instant now) {
    const VirtualClock clock(quota, next->fraction_bits, now);
    next->since = now;
    next->stamp = static_cast<std::uint64_t>(clock.at(now));
    next->before_stamp = stamp(terms(), now);
    history_.push_back(std::make_unique<const Terms>(quota, clock, *next));
    tables_.adopt(std::move(next));
    terms_.store(history_.back().get(), std::memory_order_release);
  }

  // Whether a word of the oldest table is a debt at `at`, a stamp of the present clock.
  bool is_owed(const std::uint64_t& slot, std::uint64_t at) const {
    const std::uint64_t seen = StdAtomics::load(slot, std::memory_order_relaxed);
    if (seen == word::empty || word::is_claim(seen)) return false;
    std::optional<std::uint64_t> value = word::value(seen);
    const auto& line = tables_.all();
    for (std::size_t i = 1; i < line.size() && value; ++i) value = line[i]->convert(*line[i - 1], *value);
    return value && Gcra::debt(*value, at) > 0;
  }

  static void add_evictions(const BucketTable& table, LimiterStats& stats) {
    const auto evicted = table.buckets.evicted();
    stats.evictions += evicted.buckets;
    const std::uint64_t token = std::uint64_t{1} << table.fraction_bits;
    stats.evicted_tokens += (evicted.units + token - 1) / token;
  }

  Succession<BucketTable> tables_;
  LimiterStats past_;  // evictions of tables that are gone
  // Retired terms stay until the limiter dies: a worker may be reading them, and later clocks point at
  // earlier ones.
  std::vector<std::unique_ptr<const Terms>> history_;
  std::atomic<const Terms*> terms_{nullptr};
  std::atomic<std::uint64_t> live_{0};
};

Limiter::Limiter(const Quota& quota, std::size_t capacity, Instant now) {
  if (!representable(quota)) std::abort();
  impl_ = std::make_unique<Impl>(quota, capacity, now);
}
Limiter::~Limiter() = default;

std::size_t Limiter::bytes_for(std::size_t capacity) {
  return Table<StdAtomics>::bytes_for(capacity);
}
bool Limiter::representable(const Quota& quota) {
  return VirtualClock::fits(quota, 0);
}

Verdict Limiter::peek(Key key, Instant now) const {
  return impl_->peek(key, now);
}
Verdict Limiter::charge(Key key, Instant now) {
  return impl_->charge(key, now);
}
void Limiter::overdraw(Key key, Instant now) {
  impl_->overdraw(key, now);
}
void Limiter::refund(Key key, Instant charged_at, Instant now) {
  impl_->refund(key, charged_at, now);
}
void Limiter::forgive(Key key, Instant now) {
  impl_->forgive(key, now);
}
void Limiter::prefetch(Key key) const {
  impl_->prefetch(key);
}
bool Limiter::needs_room(const Quota& quota, std::size_t capacity) const {
  return impl_->needs_room(quota, capacity);
}
void Limiter::RoomDeleter::operator()(Room* room) const {
  delete room;
}
Limiter::RoomPtr Limiter::make_room(const Quota& quota, std::size_t capacity) {
  if (!representable(quota)) std::abort();
  return RoomPtr(new Room(capacity, VirtualClock::fraction_bits_for(quota)));
}
void Limiter::rescale(const Quota& quota, std::size_t capacity, Instant now, RoomPtr room) {
  impl_->rescale(quota, capacity, now, std::move(room));
}
void Limiter::rescale(const Quota& quota, Instant now) {
  RoomPtr room = needs_room(quota, capacity()) ? make_room(quota, capacity()) : nullptr;
  rescale(quota, capacity(), now, std::move(room));
}
Quota Limiter::quota() const {
  return impl_->quota();
}
std::size_t Limiter::capacity() const {
  return impl_->capacity();
}
bool Limiter::carries() const {
  return impl_->carries();
}
void Limiter::sweep(Instant now, Instant quiet) {
  impl_->sweep(now, quiet);
}
LimiterStats Limiter::stats() const {
  return impl_->stats();
}

}  // namespace sekisho::ratelimit
