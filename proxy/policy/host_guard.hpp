// The host guard: whether a request names a host of ours, and which.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "proxy/policy/request.hpp"
#include "proxy/policy/request_target.hpp"
#include "proxy/policy/text_pattern.hpp"

namespace sekisho::policy {

enum class HostVerdict : std::uint8_t {
  ok,
  bad_request,  // missing in 1.1, repeated, or no valid host: 400 and close
  rejected,     // well-formed, and not ours: hosts.action
};

struct HostJudgement {
  HostVerdict verdict = HostVerdict::ok;
  std::string_view authority;  // host[:port] as the client wrote it; empty where there was none
  std::string_view
      host;  // of it, without port, brackets kept, without one trailing dot; letter case as received
  std::string_view reason;  // static text: why it is not ok, or "" where it is
};

// What one authority (host[:port], RFC 9110 section 7.2) is, whoever it belongs to.
struct Authority {
  bool valid = false;    // letters, digits, "-", "_" and "." in labels of 1 to 63, or an IP literal in
                         // brackets; a port to 65535
  bool address = false;  // an IP address in any spelling that some resolver takes
  std::string_view host;
};
Authority read_authority(std::string_view text);

// `text` as names are compared: lower case, without port and one trailing dot. Written over `out`, whose
// memory is kept.
void normalise_host(std::string_view authority, std::string& out);

// One instance a worker: it remembers the last host, which nearly every request names again. judge()
// allocates nothing.
//
// An address in any spelling is rejected unless ip_literals is allow: dotted, IPv6 in brackets (also
// IPv4-mapped, also with a zone), with port or trailing dot, and whatever inet_aton takes: one to four parts
// in decimal, octal or hexadecimal. A name whose last label is a number is one too: no such name can be
// resolved as anything else (RFC 3696, section 2).
class HostGuard {
 public:
  // `routed` are names that routes say; they are admitted too.
  static HostGuard compile(const config::Hosts& config, const config::Texts& routed,
                           config::Diagnostics& diagnostics);

  // `target` is the request's, taken apart.
  HostJudgement judge(const Request& request, const RequestTarget& target) const;

 private:
  // What one authority is, and whether its host may be asked for.
  struct Known {
    Authority read;
    bool named = false;  // in hosts, or that admits any
  };
  Known know(std::string_view authority) const;

  // The last authority, where it is not long, and what is known of it.
  struct Memo {
    std::array<char, 64> text{};
    std::size_t size = 0;
    Known known;  // of its host the length counts
  };
  mutable Memo memo_;
  HostPatterns names_;
  bool reject_addresses_ = true;
};

}  // namespace sekisho::policy
