// How many exchanges of one key are in progress, bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "ratelimit/instant.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::ratelimit {

struct CountTable;

// One exchange's place in its key's count; gives it back when destroyed, on whatever thread. Movable; must
// not outlive the InFlight that it came from.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }

  bool held() const { return counts_ != nullptr; }
  // Gives the place back now; a second call does nothing.
  void release();

 private:
  friend class InFlight;
  Lease(CountTable* counts, std::size_t index, std::uint64_t tag)
      : counts_(counts), index_(index), tag_(tag) {}

  CountTable* counts_ = nullptr;
  std::size_t index_ = 0;
  std::uint64_t tag_ = 0;
};

// Counts per key in the same kind of table as the buckets. A count of 0 is as good as absent; a count above 0
// is never dropped. With a `capacity` of all the exchanges that can be in progress at once it does not fill;
// if it does, acquire refuses. Thread-safe; acquire, count, prefetch and a lease's release are lock-free and
// allocate nothing.
class InFlight {
 public:
  // Memory for a table, taken whole and zeroed.
  class Room;
  struct RoomDeleter {
    void operator()(Room* room) const;
  };
  using RoomPtr = std::unique_ptr<Room, RoomDeleter>;

  // Takes the whole table at once (bytes_for(capacity)), zeroed. Throws std::bad_alloc.
  explicit InFlight(std::size_t capacity);
  ~InFlight();
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  static std::size_t bytes_for(std::size_t capacity);

  // A place for one more exchange; nullopt when the key has `most` in progress already.
  std::optional<Lease> acquire(Key key, std::uint64_t most);
  std::uint64_t count(Key key) const;
  // Asks the processor for the key's two lines.
  void prefetch(Key key) const;

  std::size_t capacity() const;
  // Throws std::bad_alloc.
  static RoomPtr make_room(std::size_t capacity);
  // From here on the capacity that `room` was made for; what is in progress goes on counting. One caller at a
  // time.
  void resize(RoomPtr room);
  // Frees tables of before that nothing is counted in any more. `quiet` as for Limiter::sweep. One caller at
  // a time.
  void sweep(Instant now, Instant quiet);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::ratelimit
