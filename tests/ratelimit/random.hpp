// Seeds for property tests: printed with every failure, and those that once failed are run again each time.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace sekisho::test {

#ifdef SEKISHO_SANITIZED
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

// How often a test does what it does; sanitized builds are about ten times slower.
constexpr int scaled(int times) {
  return sanitized ? times / 10 : times;
}

// The numbers that lines of tests/data/ratelimit/seeds.txt begin with: seeds that once found a fault.
inline std::vector<std::uint64_t> kept_seeds() {
  std::ifstream file(SEKISHO_SOURCE_DIR "/tests/data/ratelimit/seeds.txt");
  std::vector<std::uint64_t> kept;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') kept.push_back(std::stoull(line));
  }
  if (kept.empty()) std::abort();  // the file is gone, or no longer read
  return kept;
}

// Fixed seeds, the kept ones, a new one each time, and SEKISHO_SEED from the environment if it is set.
inline std::vector<std::uint64_t> seeds(int count) {
  std::vector<std::uint64_t> chosen = kept_seeds();
  chosen.insert(chosen.end(), {0x5eed, 20240229});
  for (int at = 0; at < scaled(count); ++at) chosen.push_back(1000 + static_cast<std::uint64_t>(at));
  chosen.push_back(std::random_device()());
  if (const char* given = std::getenv("SEKISHO_SEED")) chosen.push_back(std::stoull(given));
  return chosen;
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // Uniform in [low, high].
  std::int64_t operator()(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  bool one_in(std::int64_t times) { return (*this)(1, times) == 1; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace sekisho::test
