// How many distinct keys came in the last five minutes: exact while they are few, an estimate above.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ratelimit/instant.hpp"
#include "ratelimit/key.hpp"

namespace sekisho::ratelimit {

// A set of keys with the time at which each came last, in slices of ten seconds; a key counts until five
// minutes after that, and at most one slice longer. Up to `exact_keys` are kept whole. When more come, only
// those whose hash begins with one zero bit are kept on, then two, and so on, and the count is multiplied
// accordingly (adaptive sampling: Flajolet, "On adaptive sampling", 1990): its standard error is then
// 1.2 / sqrt(exact_keys), 6 %, however many there are.
//
// One thread adds, any other may count meanwhile; the writer waits for nobody and allocates nothing. A key
// that came in this slice already stores nothing. 4.2 KiB, all of it in place.
class RecentKeys {
 public:
  static constexpr Duration slice = std::chrono::seconds(10);
  static constexpr Duration window = std::chrono::minutes(5);
  static constexpr std::size_t exact_keys = 384;

  RecentKeys() = default;
  RecentKeys(const RecentKeys&) = delete;
  RecentKeys& operator=(const RecentKeys&) = delete;

  // One writer.
  void add(Key key, Instant now);

  // Distinct keys of all these sets together, each counted once; the sets' keys are of one hasher.
  // Thread-safe.
  static std::uint64_t count(std::span<const RecentKeys* const> sets, Instant now);

 private:
  struct Reading;

  static constexpr std::size_t places = 512;
  static constexpr unsigned levels = 32;
  // How many slices a key counts for, its own included.
  static constexpr std::uint32_t slices = window / slice + 1;

  static std::uint32_t stamp_of(Instant now);
  static unsigned level_of(std::uint64_t word);

  void turn(std::uint32_t stamp);
  void sample_less();
  void drop(unsigned level);
  // Those of the words of which `keep` is true are put in place anew, and `newest` is stored with them.
  template <class Keep>
  void keep_if(std::uint32_t newest, Keep keep);
  void read(std::uint32_t now, Reading& out) const;
  bool try_to_read(std::uint32_t now, Reading& out) const;

  // Slices are numbered from 1. A word is 56 bits of a key's hash, never all 0, above the low 8 bits of the
  // slice in which it came last; 0 is an empty place. Words stand at the place that their low bits of the
  // hash name, or behind it without a gap.
  std::array<std::atomic<std::uint64_t>, places> words_{};
  // The slice in which a key was last left out, by the number of zero bits that its hash begins with.
  std::array<std::atomic<std::uint32_t>, levels> dropped_{};
  std::atomic<std::uint32_t> newest_{0};   // the slice in which a key last came
  std::atomic<std::uint32_t> version_{0};  // odd while words move
  // The writer's own:
  std::uint32_t used_ = 0;  // places that are not empty
  unsigned level_ = 0;      // keys that begin with fewer zero bits are left out
};

}  // namespace sekisho::ratelimit
