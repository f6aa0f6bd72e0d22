// How many exchanges of one key are in progress, bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "ratelimit/key.hpp"

namespace sekisho::ratelimit {

class InFlight;

// One exchange's place in its key's count; gives it back when destroyed, on whatever thread. Movable; must
// not outlive the InFlight that it came from.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }

  bool held() const { return owner_ != nullptr; }
  // Gives the place back now; a second call does nothing.
  void release();

 private:
  friend class InFlight;
  Lease(InFlight* owner, std::size_t index, std::uint64_t tag) : owner_(owner), index_(index), tag_(tag) {}

  InFlight* owner_ = nullptr;
  std::size_t index_ = 0;
  std::uint64_t tag_ = 0;
};

// Counts per key in the same kind of table as the buckets. A count of 0 is as good as absent; a count above 0
// is never dropped. With a `capacity` of all the exchanges that can be in progress at once it does not fill;
// if it does, acquire refuses. Thread-safe and lock-free; allocates nothing after the constructor.
class InFlight {
 public:
  // Takes the whole table at once (bytes_for(capacity)), zeroed. Throws std::bad_alloc.
  explicit InFlight(std::size_t capacity);
  ~InFlight();
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  static std::size_t bytes_for(std::size_t capacity);

  // A place for one more exchange; nullopt when the key has `most` in progress already.
  std::optional<Lease> acquire(Key key, std::uint64_t most);
  std::uint64_t count(Key key) const;

 private:
  friend class Lease;
  void release(std::size_t index, std::uint64_t tag);

  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::ratelimit
