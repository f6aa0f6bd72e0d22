#include "ratelimit/in_flight.hpp"

#include <cstdlib>
#include <utility>

#include "ratelimit/atomics.hpp"
#include "ratelimit/table.hpp"

namespace sekisho::ratelimit {
namespace {

struct CountRules {
  static constexpr bool evicts = false;
  bool spent(std::uint64_t count) const { return count == 0; }
  std::uint64_t weight(std::uint64_t count) const { return count; }
};

}  // namespace

class InFlight::Impl {
 public:
  explicit Impl(std::size_t capacity) : table(capacity) {}
  Table<StdAtomics> table;
};

InFlight::InFlight(std::size_t capacity) : impl_(std::make_unique<Impl>(capacity)) {}
InFlight::~InFlight() = default;

std::size_t InFlight::bytes_for(std::size_t capacity) {
  return Table<StdAtomics>::bytes_for(capacity);
}

std::optional<Lease> InFlight::acquire(Key key, std::uint64_t most) {
  bool admitted = false;
  const auto decide = [&](std::optional<std::uint64_t> count) -> std::optional<std::uint64_t> {
    const std::uint64_t present = count.value_or(0);
    admitted = present < most && present < word::value_mask;
    return admitted ? std::optional(present + 1) : std::nullopt;
  };
  const auto place = impl_->table.place(key);
  const Update update = impl_->table.update(place, CountRules{}, decide);
  if (!admitted || update.full) return std::nullopt;
  return Lease(this, update.index, place.tag);
}

std::uint64_t InFlight::count(Key key) const {
  return impl_->table.find(impl_->table.place(key)).value_or(0);
}

void InFlight::release(std::size_t index, std::uint64_t tag) {
  // The word cannot have gone: a count above 0 is never taken, and this lease is one of it.
  const auto decide = [](std::optional<std::uint64_t> count) -> std::optional<std::uint64_t> {
    if (*count == 0) std::abort();
    return *count - 1;
  };
  if (!impl_->table.update_at(index, tag, decide)) std::abort();
}

Lease::Lease(Lease&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), index_(other.index_), tag_(other.tag_) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    owner_ = std::exchange(other.owner_, nullptr);
    index_ = other.index_;
    tag_ = other.tag_;
  }
  return *this;
}

void Lease::release() {
  if (InFlight* owner = std::exchange(owner_, nullptr)) owner->release(index_, tag_);
}

}  // namespace sekisho::ratelimit
