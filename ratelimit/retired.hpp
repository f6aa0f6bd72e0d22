// What no new reader can find, kept until no old one can be reading it.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "ratelimit/instant.hpp"

namespace sekisho::ratelimit {

// Reclamation by quiescent states (McKenney and Slingwine, "Read-Copy Update", 1998): readers hold nothing
// from one turn of their loops to the next, so what was unlinked before every thread's last turn has none
// left. Not thread-safe.
template <class T>
class Retired {
 public:
  // `unlinked`: a moment at which the last pointer to it was gone already.
  void add(std::unique_ptr<T> object, Instant unlinked) {
    objects_.emplace_back(unlinked, std::move(object));
  }
  // `quiet`: every thread was between two turns at some moment not before it.
  void free(Instant quiet) {
    std::erase_if(objects_, [quiet](const auto& object) { return object.first < quiet; });
  }

 private:
  std::vector<std::pair<Instant, std::unique_ptr<T>>> objects_;
};

}  // namespace sekisho::ratelimit
