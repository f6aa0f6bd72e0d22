#include "ratelimit/bans.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "ratelimit/atomics.hpp"
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

// How much is done at most while workers wait.
constexpr std::size_t at_a_time = 64;
constexpr std::size_t words_at_a_time = 4096;

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
    waiting_.fetch_add(1, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    waiting_.fetch_sub(1, std::memory_order_relaxed);
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
    // Of several claims for one ban, none is killed: whoever makes or kills one holds the mutex.
    const Update update = bans.table.update(bans.table.place(key), rules(now), decide);
    if (!set) return std::nullopt;
    if (update.evicted_weight > 0) note_eviction(milliseconds(update.evicted_weight), now);
    BanEntry entry{key,    std::string(limit), std::string(client), end_of(until),
                   length, repetition,         terms.recipe};
    if (!list_.add(entry, now)) ++unlisted_;
    latest_end_ = std::max(latest_end_, entry.until);
    any_.store(true, std::memory_order_relaxed);
    return entry;
  }

  void enforce(std::vector<BanningLimit> limits) {
    const std::lock_guard lock(mutex_);
    enforced_ = std::move(limits);
  }

  bool lift(const BanEntry& ban, Instant now) {
    const std::lock_guard lock(mutex_);
    const bool held = banned_for(ban.key, now).has_value();
    const auto decide = [&](std::optional<std::uint64_t> value) {
      return value ? std::optional(stamp(now)) : std::nullopt;
    };
    // In each: what is idle in one is as good as absent there, and the one before would be asked.
    for (const auto& bans : tables_.all()) bans->table.update(bans->table.place(ban.key), rules(now), decide);
    if (list_.lift(ban.key)) return true;
    if (!held) return false;
    if (unlisted_ > 0) --unlisted_;
    list_.events().add(BanEvent::Kind::lifted, ban);
    return true;
  }

  std::vector<BanEntry> list(Instant now) const {
    std::vector<BanEntry> entries = read(now, [this](const BanEntry& entry) { return enforced(entry); });
    std::ranges::stable_sort(entries, std::greater(),
                             [](const BanEntry& entry) { return entry.until - entry.length; });
    return entries;
  }

  std::vector<BanEntry> find(std::string_view client, Instant now) const {
    return read(now, [&](const BanEntry& entry) { return entry.client == client; });
  }

  BanNews take_events(Instant now) {
    settle(now);
    const std::lock_guard lock(mutex_);
    return list_.events().take();
  }

  void sweep(Instant now, Instant quiet) {
    std::uint64_t held = 0, held_by_oldest = 0;
    for (const auto& bans : tables_.all()) {
      const std::uint64_t before = held;
      held += sweep(bans->table, now);
      if (bans == tables_.all().front()) held_by_oldest = held - before;
    }
    settle(now);
    std::vector<std::unique_ptr<BanTable>> unread;  // freed when the mutex is not held: that takes its time
    const std::lock_guard lock(mutex_);
    if (unlisted_ > 0) unlisted_ = held > list_.running() ? held - list_.running() : 0;
    // New bans are set in the present table alone, so what the oldest was found not to hold it never will.
    unread = tables_.sweep(now, quiet, [&](BanTable&) { return held_by_oldest == 0; });
  }

  std::uint64_t active(std::string_view limit, Instant now) const {
    settle(now);
    const std::lock_guard lock(mutex_);
    if (!enforced_) return list_.running(limit);
    const auto found = std::ranges::find(*enforced_, limit, &BanningLimit::name);
    return found == enforced_->end() ? 0 : list_.running(*found);
  }

  BansStats stats() const {
    const std::lock_guard lock(mutex_);
    return {evictions_, unlisted_, list_.events().dropped()};
  }

 private:
  // A mutex that is let go and taken again at once would never be had by who sleeps for it.
  void let_workers_in() const {
    for (int turn = 0; turn < 100 && waiting_.load(std::memory_order_relaxed) > 0; ++turn)
      std::this_thread::yield();
  }

  // Ends what is over.
  void settle(Instant now) const {
    for (bool all = false; !all; let_workers_in()) {
      const std::lock_guard lock(mutex_);
      all = list_.settle(now, at_a_time);
      if (all && latest_end_ <= now) any_.store(false, std::memory_order_relaxed);
    }
  }

  template <class Wanted>
  std::vector<BanEntry> read(Instant now, Wanted wanted) const {
    std::vector<BanEntry> entries;
    const auto visit = [&](const BanEntry& entry) {
      if (entry.until > now && wanted(entry)) entries.push_back(entry);
    };
    BanList::ByEnd place;
    for (bool more = true; more; let_workers_in()) {
      const std::lock_guard lock(mutex_);
      more = list_.read(place, at_a_time, visit);
    }
    return entries;
  }

  // How many bans in force it holds.
  std::uint64_t sweep(Table<StdAtomics>& table, Instant now) {
    std::uint64_t held = 0;
    const auto visit = [&](std::uint64_t value) { held += Gcra::debt(value, stamp(now)) > 0 ? 1 : 0; };
    for (auto rest = table.words(); !rest.empty(); let_workers_in()) {
      const auto some = rest.first(std::min(words_at_a_time, rest.size()));
      rest = rest.subspan(some.size());
      const std::lock_guard lock(mutex_);
      Table<StdAtomics>::sweep(some, rules(now), visit);
    }
    return held;
  }

  // What had `left` to run was dropped; words name nobody, so the list is asked who is gone that ends then.
  void note_eviction(milliseconds left, Instant now) {
    ++evictions_;
    const auto gone = [&](Key key) { return !banned_for(key, now); };
    if (!list_.evict(end_of(units(now) + left), gone) && unlisted_ > 0) --unlisted_;
  }

  bool enforced(const BanEntry& ban) const {
    return !enforced_ || std::ranges::find(*enforced_, ban.set_by()) != enforced_->end();
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
  mutable std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::atomic<unsigned> waiting_{0};  // workers, for the mutex
  mutable BanList list_;
  std::optional<std::vector<BanningLimit>> enforced_;
  std::uint64_t evictions_ = 0;
  std::uint64_t unlisted_ = 0;
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
void Bans::enforce(std::vector<BanningLimit> limits) {
  impl_->enforce(std::move(limits));
}
std::vector<BanEntry> Bans::list(Instant now) const {
  return impl_->list(now);
}
std::vector<BanEntry> Bans::find(std::string_view client, Instant now) const {
  return impl_->find(client, now);
}
bool Bans::lift(const BanEntry& ban, Instant now) {
  return impl_->lift(ban, now);
}
BanNews Bans::take_events(Instant now) {
  return impl_->take_events(now);
}
void Bans::sweep(Instant now, Instant quiet) {
  impl_->sweep(now, quiet);
}
std::uint64_t Bans::active(std::string_view limit, Instant now) const {
  return impl_->active(limit, now);
}
BansStats Bans::stats() const {
  return impl_->stats();
}

}  // namespace sekisho::ratelimit
