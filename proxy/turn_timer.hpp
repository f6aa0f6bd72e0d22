// When the requests that `delay` holds back may go on: to the millisecond, as the wheel's slots are not.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/set.hpp>

#include "proxy/stream.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

using ratelimit::Instant;

// One request's turn, on the frame of the coroutine that waits for it: whoever stops waiting is out of the
// line by that.
struct Turn
    : public boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  Turn(Instant the_time, StreamListener& the_sleeper) : at(the_time), sleeper(the_sleeper) {}

  const Instant at;
  StreamListener& sleeper;  // rung once at `at` or later

  friend bool operator<(const Turn& left, const Turn& right) { return left.at < right.at; }
};

// One timer for all the turns of a worker, armed for the nearest. Never rings early; only requests that wait
// pay for it. One worker's.
class TurnTimer {
 public:
  explicit TurnTimer(asio::io_context& io) : timer_(io) {}

  void add(Turn& turn);

 private:
  void arm();
  void ring_those_due();

  asio::steady_timer timer_;
  Instant armed_ = Instant::max();  // where a turn before that has gone, it rings nobody
  boost::intrusive::multiset<Turn, boost::intrusive::constant_time_size<false>> waiting_;
};

}  // namespace sekisho::proxy
