// Zipf's distribution with exponent 1 over 1..n (Hoermann and Derflinger, "Rejection-inversion to generate
// variates from monotone discrete distributions").
#pragma once

#include <algorithm>
#include <cmath>
#include <random>

namespace sekisho::bench {

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

}  // namespace sekisho::bench
