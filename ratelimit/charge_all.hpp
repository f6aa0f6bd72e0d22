// One request judged by several limits: all are charged, or none is.
#pragma once

#include <span>

#include "ratelimit/instant.hpp"
#include "ratelimit/limiter.hpp"

namespace sekisho::ratelimit {

// True, and every limit charged, if all admit; else false, and none is. Afterwards each `decision` says what
// that limit alone says. If any refuses at first sight nothing is stored; should another request take the
// last token of one between the look and the charge, the charges before it are given back whole. Lock-free;
// allocates nothing.
bool charge_all(std::span<Charge> charges, Instant now);

// Its two halves, where something else has to be taken between them: whether all admit at first sight, with
// nothing stored; and the charges, after that.
bool peek_all(std::span<Charge> charges, Instant now);
bool charge_peeked(std::span<Charge> charges, Instant now);

}  // namespace sekisho::ratelimit
