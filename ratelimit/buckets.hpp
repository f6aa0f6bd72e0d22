// Token buckets in a table, in units of a virtual clock that the caller reads (docs/limiter.md).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ratelimit/debt_rules.hpp"
#include "ratelimit/gcra.hpp"
#include "ratelimit/key.hpp"
#include "ratelimit/table.hpp"

namespace sekisho::ratelimit {

// Where no debt is carried over from another table.
struct NothingCarried {
  std::optional<std::uint64_t> operator()(Key) const { return std::nullopt; }
};

// Every stamp `now` is a reading of one clock, taken modulo 2^36 here; costs and ceilings (the debt that may
// not be passed: a burst, or more) are in its units, at most 2^33. `carried` gives the value of a key that
// has no member here. Thread-safe and lock-free; a refusal stores nothing.
template <class Atomics>
class Buckets {
 public:
  struct Outcome {
    bool admitted;
    std::uint64_t debt;  // after it
  };
  struct Evicted {
    std::uint64_t buckets;
    std::uint64_t units;
  };

  explicit Buckets(std::size_t capacity) : table_(capacity) {}

  template <class Carried = NothingCarried>
  Outcome peek(Key key, std::uint64_t now, std::uint64_t cost, std::uint64_t ceiling,
               Carried carried = {}) const {
    std::optional<std::uint64_t> value = table_.find(table_.place(key));
    if (!value) value = carried(key);
    return judge(value, now, cost, ceiling);
  }

  template <class Carried = NothingCarried>
  Outcome charge(Key key, std::uint64_t now, std::uint64_t cost, std::uint64_t ceiling, std::uint64_t oldest,
                 Carried carried = {}) {
    if (const Attempt first = attempt(key, now, cost, ceiling, 0); first.ending != Attempt::unsettled)
      return {first.ending == Attempt::admitted, first.debt};
    Outcome outcome{};
    const auto decide = [&](std::optional<std::uint64_t> value) -> std::optional<std::uint64_t> {
      outcome = judge(value ? value : carried(key), now, cost, ceiling);
      if (!outcome.admitted) return std::nullopt;
      return Gcra::value_of(outcome.debt, now);
    };
    count(table_.update(table_.place(key), DebtRules{now, oldest}, decide));
    return outcome;
  }

  // A charge as it nearly always is: the bucket is found at the first look and, where it admits, no other
  // thread is faster. Otherwise nothing has happened, and only charge() can tell. `remaining`, how many more
  // costs (powers of two) `burst` leaves, is worked out before the swap, because what reads memory after it
  // has to wait for it.
  struct Attempt {
    enum Ending { admitted, refused, unsettled } ending;
    std::uint64_t debt;
    std::uint64_t remaining;
  };
  Attempt attempt(Key key, std::uint64_t now, std::uint64_t cost, std::uint64_t ceiling,
                  std::uint64_t burst) {
    const auto place = table_.place(key);
    const auto hit = table_.look(place);
    if (!hit) [[unlikely]]
      return {Attempt::unsettled, 0, 0};
    const Outcome outcome = judge(word::value(hit.word), now, cost, ceiling);
    const std::uint64_t remaining = Gcra::remaining(outcome.debt, cost, burst);
    if (!outcome.admitted) return {Attempt::refused, outcome.debt, remaining};
    if (!table_.replace(hit, place.tag, Gcra::value_of(outcome.debt, now))) [[unlikely]]
      return {Attempt::unsettled, 0, 0};
    return {Attempt::admitted, outcome.debt, remaining};
  }

  // Takes `amount` off the bucket's debt, as far as there is any.
  template <class Carried = NothingCarried>
  void refund(Key key, std::uint64_t now, std::uint64_t amount, std::uint64_t oldest, Carried carried = {}) {
    if (amount == 0) return;
    const auto decide = [&](std::optional<std::uint64_t> value) -> std::optional<std::uint64_t> {
      if (!value) value = carried(key);
      const std::uint64_t debt = value ? Gcra::debt(*value, now) : 0;
      if (debt == 0) return std::nullopt;
      return Gcra::value_of(Gcra::refunded(debt, amount), now);
    };
    count(table_.update(table_.place(key), DebtRules{now, oldest}, decide));
  }

  // Zeroes what is spent; returns how many buckets are in debt.
  std::uint64_t sweep(std::uint64_t now, std::uint64_t oldest) {
    std::uint64_t live = 0;
    table_.sweep(DebtRules{now, oldest},
                 [&](std::uint64_t value) { live += Gcra::debt(value, now) > 0 ? 1 : 0; });
    return live;
  }

  Evicted evicted() const {
    return {evicted_buckets_.load(std::memory_order_relaxed), evicted_units_.load(std::memory_order_relaxed)};
  }

  void prefetch(Key key) const { table_.prefetch(table_.place(key)); }
  const Table<Atomics>& table() const { return table_; }

 private:
  static Outcome judge(std::optional<std::uint64_t> value, std::uint64_t now, std::uint64_t cost,
                       std::uint64_t ceiling) {
    const std::uint64_t debt = value ? Gcra::debt(*value, now) : 0;
    const bool admitted = Gcra::admits(debt, cost, ceiling);
    return {admitted, admitted ? debt + cost : debt};
  }

  void count(const Update& update) {
    if (update.evictions == 0) return;
    evicted_buckets_.fetch_add(update.evictions, std::memory_order_relaxed);
    evicted_units_.fetch_add(update.evicted_weight, std::memory_order_relaxed);
  }

  Table<Atomics> table_;
  std::atomic<std::uint64_t> evicted_buckets_{0};
  std::atomic<std::uint64_t> evicted_units_{0};
};

}  // namespace sekisho::ratelimit
