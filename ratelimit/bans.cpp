#include "ratelimit/bans.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "ratelimit/atomics.hpp"
#include "ratelimit/ban_list.hpp"
#include "ratelimit/debt_rules.hpp"
#include "ratelimit/gcra.hpp"
#include "ratelimit/succession.hpp"
#include "ratelimit/table.hpp"

namespace sekisho::ratelimit {
namespace {

using std::chrono::milliseconds;

// The words' clock is plain time, one unit a millisecond. No ban may look stale to a reader with an older
// stamp.
constexpr milliseconds longest = milliseconds(std::int64_t{Gcra::stale}) - std::chrono::hours(1);
constexpr milliseconds margin{1000};  // how much older than ours another worker's stamp may be

// After a resize the bans of the old table hold there; new ones are set in the new one.
struct BanTable {
  explicit BanTable(std::size_t the_capacity) : table(the_capacity), capacity(the_capacity) {}

  std::optional<std::uint64_t> find(Key key) const {
    const std::optional<std::uint64_t> here = table.find(table.place(key));
    const BanTable* old = here ? nullptr : before.load(std::memory_order_acquire);
    return old != nullptr ? old->find(key) : here;
  }

  Table<StdAtomics> table;
  const std::size_t capacity;
  std::atomic<BanTable*> before{nullptr};
};

}  // namespace

class Bans::Room {
 public:
  explicit Room(std::size_t capacity) : table(std::make_unique<BanTable>(capacity)) {}
  std::unique_ptr<BanTable> table;
};

class Bans::Impl {
 public:
  Impl(std::size_t capacity, Instant start) : start_(start), tables_(std::make_unique<BanTable>(capacity)) {}

  std::size_t capacity() const { return present().capacity; }

  void resize(std::unique_ptr<BanTable> next) {
    const std::lock_guard lock(mutex_);
    tables_.adopt(std::move(next));
  }

  bool any() const { return any_.load(std::memory_order_relaxed); }

  void prefetch(Key key) const {
    const Table<StdAtomics>& table = present().table;
    table.prefetch(table.place(key));
  }

  std::optional<Duration> banned_for(Key key, Instant now) const {
    const std::optional<std::uint64_t> value = present().find(key);
    const std::uint64_t debt = value ? Gcra::debt(*value, stamp(now)) : 0;
    if (debt == 0) return std::nullopt;
    return std::chrono::duration_cast<Duration>(end_of(units(now) + milliseconds(debt)) - now);
  }

  std::optional<BanEntry> ban(Key key, std::string_view limit, std::string_view client, const BanTerms& terms,
                              Instant now) {
    const std::lock_guard lock(mutex_);
    const unsigned repetition = list_.repetition(key, now);
    const Duration length =
        std::clamp(grown(terms, repetition), Duration(milliseconds(1)), Duration(longest));
    // Rounded down: a fresh ban of 60s must not ask for a 61st second.
    const milliseconds until = std::min(units(now + length), units(now) + longest);
    bool set = false;
    BanTable& bans = present();
    const auto decide = [&](std::optional<std::uint64_t> value) -> std::optional<std::uint64_t> {
      if (!value) value = bans.find(key);
      set = !value || Gcra::debt(*value, stamp(now)) == 0;
      return set ? std::optional(static_cast<std::uint64_t>(until.count()) & Gcra::mask) : std::nullopt;
    };
    evictions_ += bans.table.update(bans.table.place(key), rules(now), decide).evictions;
    if (!set) return std::nullopt;
    BanEntry entry{std::string(limit), std::string(client), end_of(until), length, repetition};
    list_.add(key, entry, now);
    latest_end_ = std::max(latest_end_, entry.until);
    any_.store(true, std::memory_order_relaxed);
    return entry;
  }

  void enforce(std::vector<std::string> limits) {
    const std::lock_guard lock(mutex_);
    enforced_ = std::move(limits);
  }

  std::vector<BanEntry> lift(std::string_view client, Instant now) {
    const std::lock_guard lock(mutex_);
    std::vector<BanEntry> lifted;
    for (auto& [key, entry] : list_.take(client, now)) {
      const auto decide = [&](std::optional<std::uint64_t> value) {
        return value ? std::optional(stamp(now)) : std::nullopt;
      };
      // In each: what is idle in one is as good as absent there, and the one before would be asked.
      for (const auto& bans : tables_.all()) bans->table.update(bans->table.place(key), rules(now), decide);
      lifted.push_back(std::move(entry));
    }
    return lifted;
  }

  std::vector<BanEntry> list(Instant now) const {
    const std::lock_guard lock(mutex_);
    return list_.in_force(now, in_force_at(now));
  }

  std::vector<BanEntry> sweep(Instant now, Instant quiet) {
    present().table.sweep(rules(now), [](std::uint64_t) {});
    const std::lock_guard lock(mutex_);
    tables_.sweep(now, quiet, [&](BanTable& oldest) {
      bool any = false;
      oldest.table.sweep(rules(now), [&](std::uint64_t) { any = true; });
      return !any;
    });
    if (latest_end_ <= now) any_.store(false, std::memory_order_relaxed);
    return list_.ended(now);
  }

  std::uint64_t active(std::string_view limit, Instant now) const {
    const std::lock_guard lock(mutex_);
    return list_.count(limit, now, in_force_at(now));
  }

  std::uint64_t evictions() const {
    const std::lock_guard lock(mutex_);
    return evictions_;
  }

 private:
  // The list knows neither what the table dropped nor whose bans are asked for.
  BanList::Holds in_force_at(Instant now) const {
    return [this, now](Key key, const BanEntry& entry) {
      const bool enforced = !enforced_ || std::ranges::find(*enforced_, entry.limit) != enforced_->end();
      return enforced && banned_for(key, now).has_value();
    };
  }

  static Duration grown(const BanTerms& terms, unsigned repetition) {
    if (!terms.up_to) return terms.length;
    Duration length = std::min(terms.length, *terms.up_to);
    for (unsigned doubled = 1; doubled < repetition && length < *terms.up_to; ++doubled) {
      length = length > *terms.up_to / 2 ? *terms.up_to : length * 2;
    }
    return length;
  }

  milliseconds units(Instant now) const { return std::chrono::floor<milliseconds>(now - start_); }
  Instant end_of(milliseconds since_start) const { return start_ + since_start; }
  std::uint64_t stamp(Instant now) const {
    return static_cast<std::uint64_t>(units(now).count()) & Gcra::mask;
  }

  DebtRules rules(Instant now) const { return {stamp(now), stamp(now - margin)}; }

  BanTable& present() const { return tables_.present(); }

  const Instant start_;
  Succession<BanTable> tables_;
  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  BanList list_;
  std::optional<std::vector<std::string>> enforced_;  // names of limits
  std::uint64_t evictions_ = 0;
  Instant latest_end_ = Instant::min();
};

Bans::Bans(std::size_t capacity, Instant now) : impl_(std::make_unique<Impl>(capacity, now)) {}
Bans::~Bans() = default;

std::size_t Bans::bytes_for(std::size_t capacity) {
  return Table<StdAtomics>::bytes_for(capacity);
}

std::size_t Bans::capacity() const {
  return impl_->capacity();
}
void Bans::RoomDeleter::operator()(Room* room) const {
  delete room;
}
Bans::RoomPtr Bans::make_room(std::size_t capacity) {
  return RoomPtr(new Room(capacity));
}
void Bans::resize(RoomPtr room) {
  impl_->resize(std::move(room->table));
}

void Bans::prefetch(Key key) const {
  impl_->prefetch(key);
}
bool Bans::any() const {
  return impl_->any();
}
std::optional<Duration> Bans::banned_for(Key key, Instant now) const {
  return impl_->banned_for(key, now);
}
std::optional<BanEntry> Bans::ban(Key key, std::string_view limit, std::string_view client,
                                  const BanTerms& terms, Instant now) {
  return impl_->ban(key, limit, client, terms, now);
}
void Bans::enforce(std::vector<std::string> limits) {
  impl_->enforce(std::move(limits));
}
std::vector<BanEntry> Bans::lift(std::string_view client, Instant now) {
  return impl_->lift(client, now);
}
std::vector<BanEntry> Bans::list(Instant now) const {
  return impl_->list(now);
}
std::vector<BanEntry> Bans::sweep(Instant now, Instant quiet) {
  return impl_->sweep(now, quiet);
}
std::uint64_t Bans::active(std::string_view limit, Instant now) const {
  return impl_->active(limit, now);
}
std::uint64_t Bans::evictions() const {
  return impl_->evictions();
}

}  // namespace sekisho::ratelimit
