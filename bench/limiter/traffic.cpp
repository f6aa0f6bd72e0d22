#include "bench/limiter/traffic.hpp"

#include <algorithm>
#include <bit>
#include <random>

#include "bench/zipf.hpp"

namespace sekisho::bench {
namespace {

std::size_t length_for(std::uint32_t clients) {
  return std::clamp(std::bit_ceil(std::size_t{4} * clients), std::size_t{1} << 16, std::size_t{1} << 24);
}

}  // namespace

const char* name_of(Traffic traffic) {
  switch (traffic) {
    case Traffic::uniform:
      return "uniform";
    case Traffic::zipf:
      return "zipf";
    case Traffic::single:
      break;
  }
  return "single";
}

std::vector<std::uint32_t> draw(Traffic traffic, std::uint32_t clients) {
  std::vector<std::uint32_t> result(length_for(clients), 0);
  if (traffic == Traffic::single) return result;
  std::mt19937_64 random(clients);  // the same in every run
  const Zipf zipf(clients);
  for (std::uint32_t& client : result) {
    client = static_cast<std::uint32_t>(traffic == Traffic::zipf ? zipf(random) - 1
                                                                 : static_cast<double>(random() % clients));
  }
  return result;
}

}  // namespace sekisho::bench
