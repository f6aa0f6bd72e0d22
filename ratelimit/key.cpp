#include "ratelimit/key.hpp"

#include "ratelimit/siphash.hpp"

namespace sekisho::ratelimit {

Key KeyHasher::operator()(std::uint64_t salt, std::string_view bytes) const {
  SipHash128<1, 3> hash(secret_);
  hash.word(salt);
  const auto [low, high] = hash.finish(bytes);
  return {high, low};
}

}  // namespace sekisho::ratelimit
