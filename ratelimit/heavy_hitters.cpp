#include "ratelimit/heavy_hitters.hpp"

#include <algorithm>
#include <bit>

namespace sekisho::ratelimit {

HeavyHitters::HeavyHitters(std::size_t slots, std::size_t text_bytes)
    : text_bytes_(text_bytes),
      slots_(slots),
      groups_(slots),
      heads_(std::bit_ceil(4 * slots)),
      texts_(slots * text_bytes) {
  clear();
}

void HeavyHitters::clear() {
  used_ = 0;
  total_ = 0;
  lowest_ = none;
  std::ranges::fill(heads_, none);
  free_group_ = 0;
  for (std::size_t at = 0; at < groups_.size(); ++at) groups_[at].above = static_cast<Index>(at + 1);
  groups_.back().above = none;
}

HeavyHitters::Item HeavyHitters::item(std::size_t at) const {
  return {text(at), groups_[slots_[at].group].count, slots_[at].error};
}

HeavyHitters::Index HeavyHitters::find(std::string_view item, std::uint32_t hash) const {
  Index at = heads_[hash & (heads_.size() - 1)];
  while (at != none && !(slots_[at].hash == hash && text(at) == item)) at = slots_[at].chained;
  return at;
}

void HeavyHitters::add(std::string_view item, std::uint64_t wide_hash) {
  item = item.substr(0, text_bytes_);
  const auto hash = static_cast<std::uint32_t>(wide_hash ^ wide_hash >> 32);
  ++total_;
  Index slot = find(item, hash);
  if (slot != none) {
    raise(slot);
  } else if (used_ < slots_.size()) {
    slot = static_cast<Index>(used_++);
    slots_[slot].error = 0;
    name(slot, item, hash);
    const bool have_ones = lowest_ != none && groups_[lowest_].count == 1;
    join(slot, have_ones ? lowest_ : insert_group(1, none, lowest_));
  } else {
    slot = groups_[lowest_].first;
    forget(slot);
    slots_[slot].error = groups_[lowest_].count;
    name(slot, item, hash);
    raise(slot);
  }
}

void HeavyHitters::name(Index at, std::string_view item, std::uint32_t hash) {
  Slot& slot = slots_[at];
  slot.hash = hash;
  slot.length = static_cast<Index>(item.size());
  item.copy(texts_.data() + at * text_bytes_, item.size());
  slot.chained = head(hash);
  head(hash) = at;
}

void HeavyHitters::forget(Index slot) {
  Index* link = &head(slots_[slot].hash);
  while (*link != slot) link = &slots_[*link].chained;
  *link = slots_[slot].chained;
}

// One more of the slot's item.
void HeavyHitters::raise(Index slot) {
  const Index old = slots_[slot].group;
  const std::uint64_t count = groups_[old].count + 1;
  const Index above = groups_[old].above;
  if (above != none && groups_[above].count == count) {
    leave(slot);
    join(slot, above);
  } else if (slots_[slot].next == slot) {
    groups_[old].count = count;  // alone in its group, which rises with it
  } else {
    leave(slot);
    join(slot, insert_group(count, old, above));
  }
}

void HeavyHitters::join(Index at, Index to) {
  Slot& slot = slots_[at];
  Group& group = groups_[to];
  slot.group = to;
  if (group.first == none) {
    group.first = slot.next = slot.before = at;
    return;
  }
  slot.next = group.first;
  slot.before = slots_[group.first].before;
  slots_[slot.before].next = at;
  slots_[group.first].before = at;
}

void HeavyHitters::leave(Index at) {
  Slot& slot = slots_[at];
  Group& group = groups_[slot.group];
  if (slot.next != at) {
    slots_[slot.before].next = slot.next;
    slots_[slot.next].before = slot.before;
    if (group.first == at) group.first = slot.next;
    return;
  }
  (group.below == none ? lowest_ : groups_[group.below].above) = group.above;
  if (group.above != none) groups_[group.above].below = group.below;
  group.above = free_group_;
  free_group_ = slot.group;
}

HeavyHitters::Index HeavyHitters::insert_group(std::uint64_t count, Index below, Index above) {
  const Index made = free_group_;
  free_group_ = groups_[made].above;
  groups_[made] = {count, none, above, below};
  (below == none ? lowest_ : groups_[below].above) = made;
  if (above != none) groups_[above].below = made;
  return made;
}

}  // namespace sekisho::ratelimit
