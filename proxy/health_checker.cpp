#include "proxy/health_checker.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <optional>
#include <string>

#include "proxy/diagnostic_log.hpp"
#include "proxy/endpoint_address.hpp"
#include "proxy/name_lookup.hpp"

namespace sekisho::proxy {

namespace asio = boost::asio;

struct HealthChecker::Watch : std::enable_shared_from_this<Watch> {
  using Socket = boost::beast::basic_stream<asio::generic::stream_protocol>;

  Watch(asio::io_context& the_io, const config::Upstream& upstream,
        std::shared_ptr<UpstreamShared> the_shared)
      : io(the_io),
        pause(the_io),
        server(upstream.servers.front()),
        shared(std::move(the_shared)),
        connect_timeout(upstream.connect_timeout),
        interval(upstream.health_check.interval) {}

  static asio::awaitable<void> run(std::shared_ptr<Watch> self) {
    while (!self->stopped) {
      const std::string problem = co_await check(*self);
      if (self->stopped) co_return;
      self->conclude(problem);
      self->pause.expires_after(self->interval);
      co_await self->pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }

  // Empty where a connection could be made.
  static asio::awaitable<std::string> check(Watch& self) {
    if (self.server.kind == config::Endpoint::Kind::name) {
      NameLookup found = co_await look_up_name(self.server.host, self.server.port, self.pause);
      if (self.stopped) co_return std::string();
      if (found.endpoints.empty()) co_return "its name does not resolve: " + found.problem;
      self.shared->set_endpoints(std::move(found.endpoints));
    }
    std::string problem = "no address";
    for (const StreamEndpoint& endpoint : self.shared->endpoints()) {
      Socket socket(self.io);
      self.connecting = &socket;
      socket.expires_after(self.connect_timeout);
      const auto [error] = co_await socket.async_connect(endpoint, asio::as_tuple(asio::use_awaitable));
      self.connecting = nullptr;
      if (!error) co_return std::string();
      problem = error == boost::beast::error::timeout ? "connecting timed out" : error.message();
    }
    co_return problem;
  }

  void conclude(const std::string& problem) {
    const bool up = problem.empty();
    if (up) shared->ever_reached.store(true, std::memory_order_relaxed);
    shared->healthy.store(up, std::memory_order_relaxed);
    if (last == up) return;
    last = up;
    if (up) {
      log_event(LogLevel::info, "upstream_up", fmt::format("upstream {} takes connections", server.text),
                {{"server", server.text}});
    } else {
      log_event(LogLevel::error, "upstream_down",
                fmt::format("upstream {} is down: {}", server.text, problem),
                {{"server", server.text}, {"reason", problem}});
    }
  }

  void stop() {
    stopped = true;
    pause.cancel();
    if (connecting != nullptr) connecting->close();
  }

  asio::io_context& io;
  asio::steady_timer pause;
  const config::Endpoint server;
  const std::shared_ptr<UpstreamShared> shared;
  const config::Duration connect_timeout, interval;
  Socket* connecting = nullptr;
  std::optional<bool> last;
  bool stopped = false;
};

void HealthChecker::watch(const config::Upstream& upstream, std::shared_ptr<UpstreamShared> shared) {
  const auto before = std::move(watch_);
  if (before != nullptr) before->stop();
  watch_ = std::make_shared<Watch>(io_, upstream, std::move(shared));
  // A change of state is news, a reload is not.
  if (before != nullptr && before->server.text == watch_->server.text) watch_->last = before->last;
  if (watch_->server.kind != config::Endpoint::Kind::name)
    watch_->shared->set_endpoints({socket_endpoint(watch_->server)});
  asio::co_spawn(io_, Watch::run(watch_), [](const std::exception_ptr&) {});
}

void HealthChecker::stop() {
  if (watch_ != nullptr) watch_->stop();
  watch_ = nullptr;
}

}  // namespace sekisho::proxy
