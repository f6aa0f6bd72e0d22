// Tables that take each other's place under their readers' eyes.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "ratelimit/instant.hpp"

namespace sekisho::ratelimit {

// The present object and those before it that are still read, linked by T's `std::atomic<T*> before`. Owns
// them all. Readers find the present one and go on from it through `before`, at any time; everything else is
// for one caller at a time.
//
// Reclamation by quiescent states (McKenney and Slingwine, "Read-Copy Update", 1998): readers hold nothing
// from one turn of their loops to the next, so what was out of sight before every thread's last turn has no
// reader left. A moment that is surely after a change is the next call of sweep(), so that is what counts.
template <class T>
class Succession {
 public:
  explicit Succession(std::unique_ptr<T> first) { push(std::move(first)); }

  T& present() const { return *present_.load(std::memory_order_acquire); }
  // Puts `next` in front.
  void adopt(std::unique_ptr<T> next) {
    next->before.store(objects_.back().get(), std::memory_order_release);
    push(std::move(next));
    frozen_.reset();
  }
  // Oldest first, the present one last.
  const std::vector<std::unique_ptr<T>>& all() const { return objects_; }

  // Takes the oldest one out of the line, if no thread can be writing to any but the present one and
  // done(oldest) says that nothing in it is needed; gives what an earlier call took out, to be freed.
  // `quiet`: every thread that reads was between two turns at some moment no earlier than this.
  template <class Done>
  std::vector<std::unique_ptr<T>> sweep(Instant now, Instant quiet, Done&& done) {
    std::vector<std::unique_ptr<T>> unread;
    std::erase_if(removed_, [&](Removed& removed) {
      if (!removed.since || *removed.since >= quiet) return false;
      unread.push_back(std::move(removed.object));
      return true;
    });
    for (Removed& removed : removed_) {
      if (!removed.since) removed.since = now;
    }
    if (objects_.size() < 2) return unread;
    const bool frozen = frozen_ && *frozen_ < quiet;
    if (!frozen_) frozen_ = now;
    if (!frozen || !done(*objects_.front())) return unread;
    objects_[1]->before.store(nullptr, std::memory_order_release);
    removed_.push_back({std::move(objects_.front()), std::nullopt});
    objects_.erase(objects_.begin());
    return unread;
  }

 private:
  struct Removed {
    std::unique_ptr<T> object;
    std::optional<Instant> since;  // a moment at which no pointer to it was left to find
  };

  void push(std::unique_ptr<T> object) {
    objects_.push_back(std::move(object));
    present_.store(objects_.back().get(), std::memory_order_release);
  }

  std::vector<std::unique_ptr<T>> objects_;
  std::vector<Removed> removed_;
  std::optional<Instant> frozen_;  // a moment at which none but the present one was found to write to
  std::atomic<T*> present_{nullptr};
};

}  // namespace sekisho::ratelimit
