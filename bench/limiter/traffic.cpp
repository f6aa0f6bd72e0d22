#include "bench/limiter/traffic.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

namespace sekisho::bench {
namespace {

// Zipf's distribution with exponent 1 over 1..n (Hoermann and Derflinger, "Rejection-inversion to generate
// variates from monotone discrete distributions").
class Zipf {
 public:
  explicit Zipf(double n) : n_(n), first_(std::log(1.5) - 1), last_(std::log(n + 0.5)) {}

  double operator()(std::mt19937_64& random) const {
    std::uniform_real_distribution<double> between(first_, last_);
    for (;;) {
      const double drawn = between(random);
      const double x = std::exp(drawn);
      const double rank = std::clamp(std::round(x), 1.0, n_);
      if (rank - x <= close_ || drawn >= std::log(rank + 0.5) - 1 / rank) return rank;
    }
  }

 private:
  double n_;
  double first_;
  double last_;
  double close_ = 2 - std::exp(std::log(2.5) - 0.5);
};

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
