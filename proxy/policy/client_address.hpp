// The client's address: from the right of the forwarding header, over trusted proxies, to the first that is
// not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "config/ip_address.hpp"
#include "proxy/policy/network_set.hpp"
#include "proxy/policy/request.hpp"

namespace sekisho::policy {

struct DerivedClient {
  config::IpAddress address;
  bool peer_trusted = false;
};

// What became of one hop of the walk.
enum class HopVerdict : std::uint8_t {
  trusted,     // passed over
  client,      // not a trusted proxy: the client
  no_address,  // ends the walk at the hop before
};

// Told each hop in the order of the walk, the peer first; `explain` prints them.
class HopObserver {
 public:
  // `header` is empty for the peer; `entry` is what stood there, as received. `address` is absent for
  // no_address.
  virtual void hop(std::string_view header, std::string_view entry, std::optional<config::IpAddress> address,
                   HopVerdict verdict) = 0;

 protected:
  ~HopObserver() = default;
};

// Immutable; derive() allocates nothing and may be called from any thread.
//
// The header counts only where the peer is trusted. Its field lines are one list, read from the right: empty
// elements are skipped, trusted proxies passed over, the first that is not trusted is the client. What stands
// left of it is the client's own claim and is never looked at. If all are trusted the leftmost is the client.
// An entry that is no address (RFC 7239's "unknown" and "_hidden" among them) ends the walk: the client is
// then the hop that sent it, the last one passed over. A walk passes over at most `max_hops` entries.
class ClientAddress {
 public:
  static constexpr unsigned max_hops = 1000;

  static ClientAddress compile(const config::ClientIp& config, config::Diagnostics& diagnostics);

  DerivedClient derive(const Request& request, HopObserver* observer = nullptr) const;
  bool trusts(const config::IpAddress& peer) const { return trusted_.contains(peer); }

 private:
  enum class Source : std::uint8_t { x_forwarded_for, forwarded, single };

  class Walk;
  void read_list(const Request& request, bool forwarded, Walk& walk) const;
  // False where the request has no such header.
  bool read_single(const Request& request, Walk& walk) const;

  NetworkSet trusted_;
  Source source_ = Source::x_forwarded_for;
  std::string header_;  // in lower case
  bool port_always_ = false;
};

// Text of one entry of a forwarding header: an address, alone, with a port after it, or (IPv6) in brackets
// with or without one.
std::optional<config::IpAddress> parse_forwarded_address(std::string_view entry);

}  // namespace sekisho::policy
