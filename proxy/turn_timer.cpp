#include "proxy/turn_timer.hpp"

namespace sekisho::proxy {

void TurnTimer::add(Turn& turn) {
  waiting_.insert(turn);
  if (turn.at < armed_) arm();
}

void TurnTimer::arm() {
  armed_ = waiting_.begin()->at;
  timer_.expires_at(armed_);  // ends the wait before
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) ring_those_due();
  });
}

void TurnTimer::ring_those_due() {
  const Instant now = std::chrono::steady_clock::now();
  // Those rung may take others out of the line, or put new ones in.
  while (!waiting_.empty() && waiting_.begin()->at <= now) {
    Turn& turn = *waiting_.begin();
    turn.unlink();
    turn.sleeper.on_stream();
  }
  armed_ = Instant::max();
  if (!waiting_.empty()) arm();
}

}  // namespace sekisho::proxy
