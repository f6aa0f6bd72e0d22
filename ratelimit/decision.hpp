// What the limiter answers.
#pragma once

#include <cstdint>

#include "ratelimit/instant.hpp"

namespace sekisho::ratelimit {

struct Decision {
  bool admitted = true;
  std::uint64_t burst = 0;      // the bucket's size, in requests
  std::uint64_t remaining = 0;  // whole requests that would be admitted right after this decision
  Duration wait{};              // admitted beyond the burst (Quota::delay): how long until its turn; else 0
  Duration retry_after{};  // refused: until one more request would be admitted, never too short; admitted: 0
  Duration reset_after{};  // until the bucket is full again
};

struct Terms;

// A decision whose times have not been worked out: that takes divisions, and most of them nobody asks for.
// Valid as long as the limiter that gave it.
struct Verdict {
  bool admitted = true;
  std::uint64_t remaining = 0;  // as in Decision
  std::uint64_t debt = 0;       // after it, in units of the limit's clock
  Instant at{};                 // the stamp that it was given for
  const Terms* terms = nullptr;

  // Admitted beyond the burst: it has to wait for its turn.
  bool waits() const;
  // Of a look that admits: as things stand, without the charge that it was asked about.
  Verdict uncharged() const;
  operator Decision() const;  // NOLINT(google-explicit-constructor): the same, told whole
};

}  // namespace sekisho::ratelimit
