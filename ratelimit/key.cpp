#include "ratelimit/key.hpp"

#include "ratelimit/siphash.hpp"

namespace sekisho::ratelimit {

Key KeyHasher::operator()(std::uint64_t salt, std::string_view bytes) const {
  SipHash128<1, 3> hash(secret_);
  hash.word(salt);
  // What comes out first places the entry: its lines are on their way while the rest is mixed.
  const auto [first, last] = hash.finish(bytes);
  return {first, last};
}

}  // namespace sekisho::ratelimit
