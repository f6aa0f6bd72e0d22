// Which connection wants to be woken when: thinking, waiting to connect again, reading or sending slowly.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sekisho::load {

// A connection waits for one wake-up and one tick at most. Room for that many is never given back.
class TimerHeap {
 public:
  static constexpr std::uint32_t wake_up = 0;  // no connection's generation

  struct Entry {
    std::int64_t due;
    std::uint32_t connection;
    std::uint32_t generation;  // the socket's whose tick it is, or wake_up
  };

  void reserve(std::size_t entries) { entries_.reserve(entries); }

  void push(Entry entry) {
    entries_.push_back(entry);
    std::push_heap(entries_.begin(), entries_.end(), later);
  }

  bool empty() const { return entries_.empty(); }
  const Entry& first() const { return entries_.front(); }

  Entry pop() {
    std::pop_heap(entries_.begin(), entries_.end(), later);
    const Entry entry = entries_.back();
    entries_.pop_back();
    return entry;
  }

 private:
  static bool later(const Entry& a, const Entry& b) { return a.due > b.due; }

  std::vector<Entry> entries_;
};

}  // namespace sekisho::load
