// A token bucket in real arithmetic: nothing is rounded.
#pragma once

#include <algorithm>

#include "ratelimit/quota.hpp"

namespace sekisho::test {

// Time and debt are fractions of a token whose denominator is the quota's period in nanoseconds: a nanosecond
// gives `count` of them back, a request takes `period`. 128 bits hold them exactly.
class RationalBucket {
 public:
  RationalBucket(const ratelimit::Quota& quota, ratelimit::Instant start)
      : count_(quota.count), period_(quota.period.count()), burst_(quota.burst), start_(start) {}

  bool admits(ratelimit::Instant now) const { return debt(now) + period_ <= burst_ * period_; }
  bool charge(ratelimit::Instant now) {
    if (!admits(now)) return false;
    force(now);
    return true;
  }
  bool full(ratelimit::Instant now) const { return debt(now) == 0; }
  // Takes a token whether it is there or not.
  void force(ratelimit::Instant now) { full_at_ = std::max(full_at_, time(now)) + period_; }
  // Whether, for some moment before `now`, more has been taken since then than the burst, what came back, and
  // 2^-bits of a token.
  bool overdrawn(ratelimit::Instant now, unsigned bits) const {
    return debt(now) > burst_ * period_ && (debt(now) - burst_ * period_) << bits > period_;
  }

 private:
  __extension__ using Wide = __int128;
  Wide time(ratelimit::Instant now) const {
    return static_cast<Wide>(ratelimit::Duration(now - start_).count()) * count_;
  }
  Wide debt(ratelimit::Instant now) const { return std::max<Wide>(0, full_at_ - time(now)); }

  Wide count_;
  Wide period_;
  Wide burst_;
  ratelimit::Instant start_;
  Wide full_at_ = 0;
};

}  // namespace sekisho::test
