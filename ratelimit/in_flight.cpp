#include "ratelimit/in_flight.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "ratelimit/atomics.hpp"
#include "ratelimit/succession.hpp"
#include "ratelimit/table.hpp"

namespace sekisho::ratelimit {
namespace {

struct CountRules {
  static constexpr bool evicts = false;
  bool spent(std::uint64_t count) const { return count == 0; }
  std::uint64_t weight(std::uint64_t count) const { return count; }
};

}  // namespace

// After a resize the old table takes no new exchange; those in it still count, and give their places back
// there.
struct CountTable {
  explicit CountTable(std::size_t the_capacity) : table(the_capacity), capacity(the_capacity) {}

  std::uint64_t count(Key key) const {
    const CountTable* old = before.load(std::memory_order_acquire);
    return table.find(table.place(key)).value_or(0) + (old != nullptr ? old->count(key) : 0);
  }
  bool nothing_counted() const {
    return std::ranges::all_of(table.words(), [](const std::uint64_t& slot) {
      const std::uint64_t seen = StdAtomics::load(slot, std::memory_order_relaxed);
      return word::is_claim(seen) || word::value(seen) == 0;
    });
  }

  Table<StdAtomics> table;
  const std::size_t capacity;
  std::atomic<CountTable*> before{nullptr};
};

class InFlight::Room {
 public:
  explicit Room(std::size_t capacity) : table(std::make_unique<CountTable>(capacity)) {}
  std::unique_ptr<CountTable> table;
};

class InFlight::Impl {
 public:
  explicit Impl(std::size_t capacity) : tables(std::make_unique<CountTable>(capacity)) {}
  Succession<CountTable> tables;
};

InFlight::InFlight(std::size_t capacity) : impl_(std::make_unique<Impl>(capacity)) {}
InFlight::~InFlight() = default;

std::size_t InFlight::bytes_for(std::size_t capacity) {
  return Table<StdAtomics>::bytes_for(capacity);
}

std::optional<Lease> InFlight::acquire(Key key, std::uint64_t most) {
  CountTable& counts = impl_->tables.present();
  bool admitted = false;
  const auto decide = [&](std::optional<std::uint64_t> count) -> std::optional<std::uint64_t> {
    const CountTable* old = counts.before.load(std::memory_order_acquire);
    const std::uint64_t here = count.value_or(0);
    const std::uint64_t present = here + (old != nullptr ? old->count(key) : 0);
    admitted = present < most && here < word::value_mask;
    return admitted ? std::optional(here + 1) : std::nullopt;
  };
  const auto place = counts.table.place(key);
  const Update update = counts.table.update(place, CountRules{}, decide);
  if (!admitted || update.full) return std::nullopt;
  return Lease(&counts, update.index, place.tag);
}

std::uint64_t InFlight::count(Key key) const {
  return impl_->tables.present().count(key);
}

void InFlight::prefetch(Key key) const {
  const auto& table = impl_->tables.present().table;
  table.prefetch(table.place(key));
}

std::size_t InFlight::capacity() const {
  return impl_->tables.present().capacity;
}

void InFlight::RoomDeleter::operator()(Room* room) const {
  delete room;
}

InFlight::RoomPtr InFlight::make_room(std::size_t capacity) {
  return RoomPtr(new Room(capacity));
}

void InFlight::resize(RoomPtr room) {
  impl_->tables.adopt(std::move(room->table));
}

void InFlight::sweep(Instant now, Instant quiet) {
  impl_->tables.sweep(now, quiet, [](const CountTable& oldest) { return oldest.nothing_counted(); });
}

Lease::Lease(Lease&& other) noexcept
    : counts_(std::exchange(other.counts_, nullptr)), index_(other.index_), tag_(other.tag_) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    counts_ = std::exchange(other.counts_, nullptr);
    index_ = other.index_;
    tag_ = other.tag_;
  }
  return *this;
}

void Lease::release() {
  CountTable* counts = std::exchange(counts_, nullptr);
  if (counts == nullptr) return;
  // The word cannot have gone: a count above 0 is never taken, and this lease is one of it.
  const auto decide = [](std::optional<std::uint64_t> count) -> std::optional<std::uint64_t> {
    if (*count == 0) std::abort();
    return *count - 1;
  };
  if (!counts->table.update_at(index_, tag_, decide)) std::abort();
}

}  // namespace sekisho::ratelimit
