// Limiters that every one of so many clients has already met, kept from one repetition to the next: filling
// one takes longer than measuring it.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "bench/limiter/clients.hpp"
#include "bench/limiter/resident_bytes.hpp"
#include "ratelimit/quota.hpp"

namespace sekisho::bench {

struct Filling {
  std::uint32_t clients = 0;
  bool admitted = true;  // whether the limit is so wide that every further request is admitted, or so narrow
                         // that every one is refused
  friend auto operator<=>(const Filling&, const Filling&) = default;
};

inline ratelimit::Quota quota_of(const Filling& filling) {
  using std::chrono_literals::operator""h;
  constexpr std::uint64_t widest = std::uint64_t{1} << 32;
  return filling.admitted ? ratelimit::Quota{10'000, 1h, widest} : ratelimit::Quota{1, 1h, 1};
}

template <class Subject>
class Filled {
 public:
  // The one for `filling`; made by the first caller. Thread-safe.
  static Filled& get(const Filling& filling) {
    static std::mutex mutex;
    static std::map<Filling, std::unique_ptr<Filled>> all;
    const std::lock_guard lock(mutex);
    std::unique_ptr<Filled>& found = all[filling];
    if (!found) found = std::make_unique<Filled>(filling);
    return *found;
  }

  explicit Filled(const Filling& filling) {
    const std::size_t before = resident_bytes();
    const ratelimit::Instant now = std::chrono::steady_clock::now();
    subject_ = std::make_unique<Subject>(quota_of(filling), filling.clients, now);
    // In no order that the traffic repeats; the stride is prime and divides no number of clients.
    constexpr std::uint64_t stride = 2'654'435'761;
    for (std::uint64_t at = 0; at < filling.clients; ++at) {
      subject_->charge(key_of(static_cast<std::uint32_t>(at * stride % filling.clients)), now);
    }
    bytes_per_client_ = static_cast<double>(resident_bytes() - before) / static_cast<double>(filling.clients);
  }

  Subject& subject() { return *subject_; }
  double bytes_per_client() const { return bytes_per_client_; }

 private:
  std::unique_ptr<Subject> subject_;
  double bytes_per_client_ = 0;
};

}  // namespace sekisho::bench
