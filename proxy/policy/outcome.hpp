// How an exchange ended: the `outcome` label of sekisho_requests_total and of the access log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sekisho::policy {

enum class Outcome : std::uint8_t {
  proxied,
  limited,
  banned,
  blocked,
  host_rejected,
  bad_request,
  too_large,
  client_timeout,
  queue_full,
  upstream_error,
  client_abort,
  draining,
  tunnel,
  probe,
  internal_error,
};

inline constexpr std::size_t outcome_count = 15;

constexpr std::string_view to_string(Outcome outcome) {
  constexpr std::string_view names[outcome_count] = {
      "proxied",      "limited",   "banned",         "blocked",    "host_rejected",
      "bad_request",  "too_large", "client_timeout", "queue_full", "upstream_error",
      "client_abort", "draining",  "tunnel",         "probe",      "internal_error"};
  return names[static_cast<std::size_t>(outcome)];
}

// By what the file says of who may pass: a limit, a ban or the host guard.
constexpr bool is_refusal(Outcome outcome) {
  return outcome == Outcome::limited || outcome == Outcome::banned || outcome == Outcome::blocked ||
         outcome == Outcome::host_rejected;
}

}  // namespace sekisho::policy
