// A queue of fixed room that allocates nothing once made.
#pragma once

#include <cstddef>
#include <vector>

namespace sekisho::load {

template <class T>
class Ring {
 public:
  explicit Ring(std::size_t room) : items_(room) {}

  bool empty() const { return size_ == 0; }
  // Never of more than there is room for: that is the caller's to know.
  void push(T item) {
    items_[(first_ + size_) % items_.size()] = item;
    ++size_;
  }
  T pop() {
    const T item = items_[first_];
    first_ = (first_ + 1) % items_.size();
    --size_;
    return item;
  }

 private:
  std::vector<T> items_;
  std::size_t first_ = 0, size_ = 0;
};

}  // namespace sekisho::load
