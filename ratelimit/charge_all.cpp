#include "ratelimit/charge_all.hpp"

namespace sekisho::ratelimit {

bool charge_all(std::span<Charge> charges, Instant now) {
  bool admitted = true;
  for (Charge& charge : charges) {
    charge.decision = charge.limiter->peek(charge.key, now);
    admitted = admitted && charge.decision.admitted;
  }
  if (!admitted) return false;

  for (std::size_t at = 0; at < charges.size(); ++at) {
    charges[at].decision = charges[at].limiter->charge(charges[at].key, now);
    if (charges[at].decision.admitted) continue;
    for (const Charge& earlier : charges.first(at)) earlier.limiter->refund(earlier.key, now, now);
    return false;
  }
  return true;
}

}  // namespace sekisho::ratelimit
