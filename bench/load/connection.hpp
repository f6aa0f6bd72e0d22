// One client connection, as its worker keeps it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/load/allowance.hpp"
#include "bench/load/response_parser.hpp"

namespace sekisho::load {

struct Connection {
  enum class State : std::uint8_t { closed, connecting, open };

  State state = State::closed;
  bool pacing = false;  // a tick of a slow reader or sender is in the timers
  int fd = -1;
  std::uint32_t generation = 0;  // of the socket: events and ticks of an earlier one mean nothing

  std::int64_t started = 0;     // of the requests under way: when they were due, or began
  std::int64_t progressed = 0;  // when a byte last went or came
  std::int64_t idle_since = 0;
  std::uint64_t used = 0;      // requests sent on this socket
  std::uint32_t left = 0;      // responses to come
  std::uint32_t to_write = 0;  // requests of these that are not on their way yet

  std::size_t path = 0;          // the next request's
  std::string unsent;            // what the socket did not take,
  std::string_view unsent_body;  // and what follows it, within the images
  ResponseParser parser;

  Allowance reading, sending;  // where these are slow

  bool held_up() const { return !unsent.empty() || !unsent_body.empty(); }
  bool writing() const { return to_write > 0 || held_up(); }
};

}  // namespace sekisho::load
