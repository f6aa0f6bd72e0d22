// Who talks most to one worker: requests and refusals of the last minutes by client and by path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/ip_address.hpp"
#include "ratelimit/instant.hpp"
#include "ratelimit/recent_hitters.hpp"
#include "ratelimit/text_hash.hpp"

namespace sekisho::proxy {

// Four sketches of `slots` slots, about 1 MB in all, taken by the constructor: record() allocates nothing,
// whoever sends what. Belongs to the worker's thread; others get a copy by way of it (Server::talkers).
class Talkers {
 public:
  static constexpr std::size_t slots = 1024;
  // Paths are told apart by so many bytes (policy::Admission::path is not longer).
  static constexpr std::size_t longest_path = 128;

  // What one takes, rounded up.
  static constexpr std::size_t bytes = std::size_t{1} << 20;

  explicit Talkers(ratelimit::Instant now);

  // One request that is over. The client is that of its prefix; an empty path is not known.
  void record(const config::IpAddress& client, const config::ClientIp& prefixes, std::string_view path,
              bool refused, ratelimit::Instant now);
  // Drops what is too old at `now`; call it before the sketches are read.
  void turn(ratelimit::Instant now);

  const ratelimit::RecentHitters& clients() const { return clients_; }
  const ratelimit::RecentHitters& refused_clients() const { return refused_clients_; }
  const ratelimit::RecentHitters& paths() const { return paths_; }
  const ratelimit::RecentHitters& refused_paths() const { return refused_paths_; }

  // An item of the sketches by client as text: an address, or its prefix ("2001:db8::/64").
  static std::string client_text(std::string_view item);

 private:
  // The last text that was hashed: whoever asks again and again asks the same.
  struct Hashed {
    std::string text;
    std::uint64_t hash = 0;
  };
  std::uint64_t hash_of(std::string_view text, Hashed& last) const;

  ratelimit::TextHasher hasher_;
  Hashed client_, path_;
  ratelimit::RecentHitters clients_, refused_clients_, paths_, refused_paths_;
};

}  // namespace sekisho::proxy
