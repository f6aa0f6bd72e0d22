#include "ratelimit/charge_all.hpp"

namespace sekisho::ratelimit {

bool peek_all(std::span<Charge> charges, Instant now) {
  bool admitted = true;
  for (Charge& charge : charges) {
    charge.decision = charge.limiter->peek(charge.key, now);
    admitted = admitted && charge.decision.admitted;
  }
  return admitted;
}

bool charge_peeked(std::span<Charge> charges, Instant now) {
  for (std::size_t at = 0; at < charges.size(); ++at) {
    charges[at].decision = charges[at].limiter->charge(charges[at].key, now);
    if (charges[at].decision.admitted) continue;
    for (const Charge& earlier : charges.first(at)) earlier.limiter->refund(earlier.key, now, now);
    return false;
  }
  return true;
}

bool charge_all(std::span<Charge> charges, Instant now) {
  // One alone is all or nothing by itself.
  return (charges.size() < 2 || peek_all(charges, now)) && charge_peeked(charges, now);
}

}  // namespace sekisho::ratelimit
