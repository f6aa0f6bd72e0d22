#include "proxy/drain.hpp"

#include <algorithm>
#include <chrono>

#include "proxy/acceptor.hpp"

namespace sekisho::proxy {
namespace {

constexpr auto look_every = std::chrono::milliseconds(20);

}  // namespace

Drain::Drain(boost::asio::io_context& io, Server& server, const config::Shutdown& shutdown,
             std::function<void()> finished)
    : timer_(io), server_(server), shutdown_(shutdown), finished_(std::move(finished)) {}

void Drain::begin() {
  begun_ = true;
  const ratelimit::Instant now = std::chrono::steady_clock::now();
  deadline_ = now + shutdown_.drain;
  server_.announce_drain();
  timer_.expires_at(now + std::min(shutdown_.grace, shutdown_.drain));
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) turn_away();
  });
}

void Drain::turn_away() {
  server_.turn_away();
  timer_.expires_at(
      std::min<ratelimit::Instant>(std::chrono::steady_clock::now() + Acceptor::handshake_time, deadline_));
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) stop_accepting();
  });
}

void Drain::stop_accepting() {
  server_.stop_accepting(deadline_);
  look();
}

void Drain::look() {
  const ratelimit::Instant now = std::chrono::steady_clock::now();
  if (server_.open_connections() == 0 || now >= deadline_) {
    finished_();
    return;
  }
  timer_.expires_at(std::min<ratelimit::Instant>(now + look_every, deadline_));
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) look();
  });
}

}  // namespace sekisho::proxy
