// Names for claims: the owner id that keeps one claimant from finalising another's claim.
#pragma once

#include <cstdint>

namespace sekisho::ratelimit {

// 36 bits: the calling thread's number (16) and its count of claims (20). Allocates nothing.
std::uint64_t next_claim_id();

}  // namespace sekisho::ratelimit
