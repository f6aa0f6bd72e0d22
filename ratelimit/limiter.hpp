// One limit: a quota, its virtual clock and its table of buckets (GCRA, exact; docs/limiter.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ratelimit/decision.hpp"
#include "ratelimit/key.hpp"
#include "ratelimit/quota.hpp"

namespace sekisho::ratelimit {

struct LimiterStats {
  std::uint64_t capacity = 0;        // clients it was sized for
  std::uint64_t live = 0;            // buckets in debt at the last sweep
  std::uint64_t evictions = 0;       // live buckets dropped because both their lines were full
  std::uint64_t evicted_tokens = 0;  // their debt, rounded up: an upper bound on what was over-admitted
};

// Thread-safe throughout; peek, charge, overdraw, refund and prefetch are lock-free, allocate nothing and
// make no system call. A bucket is a token bucket: `burst` at once, `count` back each `period`; a refused
// charge writes nothing.
class Limiter {
 public:
  // Memory for a table, taken whole and zeroed, that a limiter can go over to.
  class Room;
  struct RoomDeleter {
    void operator()(Room* room) const;
  };
  using RoomPtr = std::unique_ptr<Room, RoomDeleter>;

  // Takes the whole table at once (bytes_for(capacity)), zeroed. Throws std::bad_alloc.
  Limiter(const Quota& quota, std::size_t capacity, Instant now);
  ~Limiter();
  Limiter(const Limiter&) = delete;
  Limiter& operator=(const Limiter&) = delete;

  static std::size_t bytes_for(std::size_t capacity);  // 16 bytes a client, rounded up to whole lines
  // False where `quota` cannot be represented at all (say so at load time).
  static bool representable(const Quota& quota);

  // What charge() would answer, without charging.
  Verdict peek(Key key, Instant now) const;
  Verdict charge(Key key, Instant now);
  // A charge after the fact: it is not refused, but stops where the bucket would owe more than another burst,
  // or than the delay allows.
  void overdraw(Key key, Instant now);
  // Gives back a charge made at `charged_at`; never leaves the bucket better off than without it (T5).
  void refund(Key key, Instant charged_at, Instant now);
  // The bucket owes nothing any more, in tables from before a rescale() neither. One caller at a time, and
  // not beside rescale() or sweep().
  void forgive(Key key, Instant now);
  // Asks the processor for the key's two lines.
  void prefetch(Key key) const;

  // Whether rescale(quota, capacity) needs memory for another table: its size, or that of the clock's units,
  // has to be another.
  bool needs_room(const Quota& quota, std::size_t capacity) const;
  // Throws std::bad_alloc.
  static RoomPtr make_room(const Quota& quota, std::size_t capacity);
  // From `now` on, the new quota and capacity; every bucket keeps its tokens (T6), whatever the change.
  // Requires representable(quota), and `room` made for the two where needs_room() says so. One caller at a
  // time. A charge that another thread is making at this moment may land in the table before and be lost.
  void rescale(const Quota& quota, std::size_t capacity, Instant now, RoomPtr room = nullptr);
  // The same with the capacity as it is; takes the memory itself where it needs some. Throws std::bad_alloc.
  void rescale(const Quota& quota, Instant now);
  Quota quota() const;
  std::size_t capacity() const;
  // Whether a table from before the last rescale() is still kept.
  bool carries() const;

  // Walks every line once: zeroes idle words, removes abandoned claims, counts the live. Never blocks a
  // decision. One caller at a time; once a minute at the least. `quiet`: every thread that uses the limiter
  // was outside its functions at some moment no earlier than this; tables of before that are done with are
  // freed by it.
  void sweep(Instant now, Instant quiet = Instant::min());
  LimiterStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// One limit's part in a request that several limits judge.
struct Charge {
  Limiter* limiter = nullptr;
  Key key;
  Verdict decision;  // filled in: what this limit alone says
};

}  // namespace sekisho::ratelimit
