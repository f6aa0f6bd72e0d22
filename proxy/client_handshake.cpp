// handshake: what a TLS listener's connection begins with.
#include <fmt/format.h>

#include <algorithm>

#include "proxy/client_connection.hpp"
#include "proxy/diagnostic_log.hpp"
#include "proxy/tls_stream.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

// A connection accepted just before the listener closed may still begin.
constexpr Duration handshake_in_drain = std::chrono::seconds(1);

}  // namespace

// False where it failed or took too long: the connection is to be closed without a word.
Task<bool> ClientConnection::handshake() {
  const auto secured = TlsStream::take_over(static_cast<SocketStream&>(*link_.stream), listener_->tls);
  secured->set_listener(this);
  link_.stream = secured;
  secured->start_handshake();
  const Instant began = now();
  for (;;) {
    const auto result = secured->connect_result();
    if (result && !*result) co_return true;
    const config::Config& config = *worker_.current().config;
    const bool closing = worker_.phase() == DrainPhase::closing;
    const Duration patience =
        closing ? std::min(config.client.header_timeout, handshake_in_drain) : config.client.header_timeout;
    if (result || cut_ || now() - began >= patience) {
      // Anybody can make these by the thousand: nothing is written, nor formatted, unless asked for.
      if (config.log.level == "debug") say_handshake_failed(result);
      over_ = cut_ = true;
      co_return false;
    }
    sleep_until(began + patience);
    co_await wakeup_;
  }
}

void ClientConnection::say_handshake_failed(const std::optional<boost::system::error_code>& result) const {
  const std::string peer = peer_.to_string();
  const std::string reason = result ? result->message() : cut_ ? "the drain cut it" : "it took too long";
  post_event(LogLevel::debug, "tls_handshake", fmt::format("the handshake of {} failed: {}", peer, reason),
             {{"peer", peer}, {"reason", reason}});
}

}  // namespace sekisho::proxy
