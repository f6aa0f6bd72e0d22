// Who comes most often, in bounded memory: Space-Saving (Metwally, Agrawal and El Abbadi, "Efficient
// Computation of Frequent and Top-k Elements in Data Streams", 2005).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sekisho::ratelimit {

// Counts the items of a stream in a fixed number of slots. An item that finds no slot takes that of the one
// seen least often, and its count with it, which is then its error. With N items seen in all:
//   - an item that came more than N/slots times has a slot;
//   - count - error <= how often it came <= count, and error <= floor() <= N/slots;
//   - an item without a slot came at most floor() times.
// While the slots last, every count is exact.
//
// All memory is taken by the constructor. add() is O(1): one walk of a chain, and a step in a list of groups
// of equal counts. Not thread-safe; a copy into a sketch of the same size allocates nothing.
class HeavyHitters {
 public:
  static constexpr std::size_t most_slots = 0xfffe;

  // 1 to most_slots slots for items of at most `text_bytes` (at most 65535), which are kept whole.
  HeavyHitters(std::size_t slots, std::size_t text_bytes);

  // `hash` is of the item under a secret, always the same one; it only speeds up the search. Of an item
  // longer than text_bytes the rest is ignored: cut it first, so that its hash is that of what is kept.
  void add(std::string_view item, std::uint64_t hash);
  void clear();

  std::uint64_t total() const { return total_; }
  // How often an item without a slot may have come at most: 0 until every slot is taken.
  std::uint64_t floor() const { return used_ < slots_.size() ? 0 : groups_[lowest_].count; }

  struct Item {
    std::string_view text;  // until the next change
    std::uint64_t count = 0;
    std::uint64_t error = 0;
  };
  // Calls `visit(item)` for each slot taken, in no order.
  template <class Visit>
  void each(Visit visit) const {
    for (std::size_t at = 0; at < used_; ++at) visit(item(at));
  }

 private:
  using Index = std::uint16_t;
  static constexpr Index none = 0xffff;

  struct Slot {
    std::uint64_t error = 0;
    std::uint32_t hash = 0;
    Index length = 0;
    Index group = none;
    Index next = none;     // in the group's ring
    Index before = none;   // in the group's ring
    Index chained = none;  // the next of equal place in heads_
  };
  // The items of one count, as a ring: the one that came to it first is the first to go.
  struct Group {
    std::uint64_t count = 0;
    Index first = none;
    Index above = none;  // the group of the next higher count; the next free one, where this is free
    Index below = none;
  };

  Item item(std::size_t slot) const;
  std::string_view text(std::size_t slot) const {
    return {texts_.data() + slot * text_bytes_, slots_[slot].length};
  }
  Index& head(std::uint32_t hash) { return heads_[hash & (heads_.size() - 1)]; }
  Index find(std::string_view item, std::uint32_t hash) const;
  void raise(Index slot);
  void name(Index slot, std::string_view item, std::uint32_t hash);
  void forget(Index slot);
  void join(Index slot, Index group);
  void leave(Index slot);
  // A new group between those two, either of which may be none.
  Index insert_group(std::uint64_t count, Index below, Index above);

  std::size_t text_bytes_;
  std::size_t used_ = 0;
  std::uint64_t total_ = 0;
  Index lowest_ = none;
  Index free_group_ = none;
  std::vector<Slot> slots_;
  std::vector<Group> groups_;
  std::vector<Index> heads_;
  std::vector<char> texts_;
};

}  // namespace sekisho::ratelimit
