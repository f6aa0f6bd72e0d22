// Several sketches read as one: those of all workers, and of both generations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ratelimit/heavy_hitters.hpp"

namespace sekisho::ratelimit {

// Keeps the promises of HeavyHitters for the streams together (Agarwal and others, "Mergeable Summaries",
// 2012): with N items seen in all and as many slots in each sketch, whatever came more than N/slots times is
// here, and count - error <= how often it came <= count. Nothing is dropped, so that is at most the sum of
// the slots. For cold use: allocates.
class MergedHitters {
 public:
  void add(const HeavyHitters& sketch);

  struct Item {
    std::string text;
    std::uint64_t count = 0;
    std::uint64_t error = 0;
  };
  // Those of the highest counts, the highest first; at most `n`. Among equal counts the smaller error comes
  // first, then the smaller text.
  std::vector<Item> top(std::size_t n) const;
  // What is known of this item: one that is in no sketch came at most floor() times.
  Item find(const std::string& text) const;

  std::uint64_t total() const { return total_; }
  std::uint64_t floor() const { return floor_; }

 private:
  // Above what is assumed of an item that a sketch does not have: the sum of the floors.
  struct Excess {
    std::int64_t count = 0;
    std::int64_t error = 0;
  };
  Item item(const std::string& text, Excess excess) const;

  std::unordered_map<std::string, Excess> items_;
  std::uint64_t floor_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace sekisho::ratelimit
