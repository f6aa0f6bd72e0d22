#include "ratelimit/recent_keys.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <thread>
#include <vector>

namespace sekisho::ratelimit {
namespace {

// The writer moves words for a microsecond every ten seconds. Where it loses its processor just then, it is
// waited for, for a fifth of a second at most.
constexpr int quick_tries = 100;
constexpr int most_tries = 300;

constexpr std::uint64_t hash_of(std::uint64_t word) {
  return word >> 8;
}

// How long before `newest`, in slices, the word's key last came.
constexpr std::uint32_t age_of(std::uint64_t word, std::uint32_t newest) {
  return (newest - static_cast<std::uint32_t>(word)) & 0xff;
}

}  // namespace

struct RecentKeys::Reading {
  std::array<std::uint64_t, places> words;
  std::size_t size = 0;
  unsigned level = 0;
};

std::uint32_t RecentKeys::stamp_of(Instant now) {
  return static_cast<std::uint32_t>(now.time_since_epoch() / slice) + 1;
}

unsigned RecentKeys::level_of(std::uint64_t word) {
  return std::min(static_cast<unsigned>(std::countl_zero(word)), levels - 1);
}

void RecentKeys::add(Key key, Instant now) {
  const std::uint32_t stamp = stamp_of(now);
  if (stamp > newest_.load(std::memory_order_relaxed)) turn(stamp);
  const std::uint64_t hash = std::max<std::uint64_t>(hash_of(key.low), 1);
  const std::uint64_t word = hash << 8 | (newest_.load(std::memory_order_relaxed) & 0xff);
  for (;;) {
    if (level_of(word) < level_) {
      drop(level_of(word));
      return;
    }
    std::size_t at = hash % places;
    std::uint64_t found = 0;
    while ((found = words_[at].load(std::memory_order_relaxed)) != 0 && hash_of(found) != hash)
      at = (at + 1) % places;
    if (found == word) return;
    if (found != 0 || used_ < exact_keys) {
      used_ += found == 0 ? 1 : 0;
      words_[at].store(word, std::memory_order_release);
      return;
    }
    if (level_ == levels - 1) return;
    sample_less();
  }
}

void RecentKeys::drop(unsigned level) {
  const std::uint32_t newest = newest_.load(std::memory_order_relaxed);
  if (dropped_[level].load(std::memory_order_relaxed) != newest)
    dropped_[level].store(newest, std::memory_order_release);
}

// Leaves out half of the keys.
void RecentKeys::sample_less() {
  drop(level_);
  ++level_;
  keep_if(newest_.load(std::memory_order_relaxed),
          [this](std::uint64_t word) { return level_of(word) >= level_; });
}

// The first key of a new slice: those that are too old go, and where few are left, more may come in. What
// was left out before still bounds what can be said: dropped_ remembers it.
void RecentKeys::turn(std::uint32_t stamp) {
  const std::uint32_t newest = newest_.load(std::memory_order_relaxed);
  const std::uint32_t passed = stamp - newest;
  keep_if(stamp,
          [=](std::uint64_t word) { return passed < slices && age_of(word, newest) + passed < slices; });
  if (level_ > 0 && used_ <= exact_keys / 4) --level_;
}

template <class Keep>
void RecentKeys::keep_if(std::uint32_t newest, Keep keep) {
  std::array<std::uint64_t, places> kept;
  std::size_t count = 0;
  for (const auto& place : words_) {
    const std::uint64_t word = place.load(std::memory_order_relaxed);
    if (word != 0 && keep(word)) kept[count++] = word;
  }
  // Whoever reads something stored from here on also sees that the version is odd, or higher.
  const std::uint32_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  newest_.store(newest, std::memory_order_release);
  for (auto& place : words_) place.store(0, std::memory_order_release);
  for (const std::uint64_t word : std::span(kept).first(count)) {
    std::size_t at = hash_of(word) % places;
    while (words_[at].load(std::memory_order_relaxed) != 0) at = (at + 1) % places;
    words_[at].store(word, std::memory_order_release);
  }
  used_ = static_cast<std::uint32_t>(count);
  version_.store(version + 2, std::memory_order_release);
}

bool RecentKeys::try_to_read(std::uint32_t now, Reading& out) const {
  const std::uint32_t version = version_.load(std::memory_order_acquire);
  if (version % 2 != 0) return false;
  out.size = 0;
  out.level = 0;
  const std::uint32_t newest = newest_.load(std::memory_order_acquire);
  now = std::max(now, newest);
  if (newest == 0 || now - newest >= slices) return true;
  for (const auto& place : words_) {
    const std::uint64_t word = place.load(std::memory_order_acquire);
    if (word != 0 && age_of(word, newest) + (now - newest) < slices) out.words[out.size++] = word;
  }
  for (unsigned level = 0; level < levels; ++level) {
    const std::uint32_t dropped = dropped_[level].load(std::memory_order_acquire);
    if (dropped != 0 && now - std::min(now, dropped) < slices) out.level = level + 1;
  }
  return version_.load(std::memory_order_relaxed) == version;
}

// After many tries what was seen last stands, although a key may be missing.
void RecentKeys::read(std::uint32_t now, Reading& out) const {
  out.size = 0;
  out.level = 0;
  for (int tries = 0; tries < most_tries && !try_to_read(now, out); ++tries) {
    if (tries < quick_tries) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

std::uint64_t RecentKeys::count(std::span<const RecentKeys* const> sets, Instant now) {
  std::vector<std::uint64_t> hashes;
  unsigned level = 0;
  Reading reading;
  for (const RecentKeys* set : sets) {
    set->read(stamp_of(now), reading);
    level = std::max(level, reading.level);
    for (const std::uint64_t word : std::span(reading.words).first(reading.size)) {
      hashes.push_back(hash_of(word));
    }
  }
  std::erase_if(hashes, [level](std::uint64_t hash) { return level_of(hash << 8) < level; });
  std::ranges::sort(hashes);
  const auto repeated = std::ranges::unique(hashes);
  hashes.erase(repeated.begin(), repeated.end());
  return std::uint64_t{hashes.size()} << level;
}

}  // namespace sekisho::ratelimit
