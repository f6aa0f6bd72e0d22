#include "proxy/health_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <string>

#include "proxy/endpoint_address.hpp"
#include "proxy/name_lookup.hpp"

namespace sekisho::proxy {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::size_t most_of_an_answer = 64 * 1024;
constexpr auto longest_farewell = std::chrono::seconds(1);

// How one server is checked; equal ones need not begin anew.
struct Check {
  config::Endpoint server;
  config::HealthCheck how;
  config::Duration connect_timeout{};
  std::string host;  // that is asked for

  bool same(const Check& other) const {
    return server.text == other.server.text && how.connect == other.how.connect &&
           how.path == other.how.path && how.interval == other.how.interval &&
           how.timeout == other.how.timeout && how.unhealthy_after == other.how.unhealthy_after &&
           how.healthy_after == other.how.healthy_after && connect_timeout == other.connect_timeout &&
           host == other.host;
  }
};

// The first of `hosts` that is a name and no pattern; else the server's own.
std::string host_to_ask(const config::Hosts& hosts, const config::Endpoint& server) {
  for (const config::Text& name : hosts.allow) {
    if (name.value.find('*') == std::string::npos) return name.value;
  }
  return server.kind == config::Endpoint::Kind::unix_path ? "localhost" : server.text;
}

}  // namespace

struct HealthChecker::Watch : std::enable_shared_from_this<Watch> {
  using Socket = boost::beast::basic_stream<asio::generic::stream_protocol>;

  Watch(asio::io_context& the_io, Check the_check, std::shared_ptr<UpstreamServer> the_server)
      : io(the_io), pause(the_io), check(std::move(the_check)), server(std::move(the_server)) {}

  static asio::awaitable<void> run(std::shared_ptr<Watch> self) {
    while (!self->stopped) {
      co_await look(*self);
      if (self->stopped) co_return;
      self->pause.expires_after(self->check.how.interval);
      co_await self->pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }

  static asio::awaitable<void> look(Watch& self) {
    if (self.check.server.kind == config::Endpoint::Kind::name) {
      NameLookup found = co_await look_up_name(self.check.server.host, self.check.server.port, self.pause);
      if (self.stopped) co_return;
      if (!found.endpoints.empty()) {
        self.server->set_endpoints(std::move(found.endpoints));
      } else if (!found.temporary || self.server->endpoints().empty()) {
        self.server->note_unreachable("its name does not resolve: " + found.problem);
        co_return;
      }
    }
    std::string problem = "no address";
    for (const StreamEndpoint& endpoint : self.server->endpoints()) {
      Socket socket(self.io);
      self.open = &socket;
      problem = co_await try_address(self, socket, endpoint);
      self.open = nullptr;
      if (self.stopped || problem.empty()) co_return;
    }
    self.server->note_unreachable(problem);
    self.conclude(false, problem);
  }

  // A connection as requests would have it, TLS included, and asked what there is to ask. What went wrong
  // with connecting, or nothing.
  static asio::awaitable<std::string> try_address(Watch& self, Socket& socket,
                                                  const StreamEndpoint& endpoint) {
    const auto problem_of = [](const boost::system::error_code& error) {
      return error == boost::beast::error::timeout ? "connecting timed out" : error.message();
    };
    socket.expires_after(self.check.connect_timeout);
    const auto [refused] = co_await socket.async_connect(endpoint, asio::as_tuple(asio::use_awaitable));
    if (local_shortage(refused)) {
      self.server->note_shortage(refused.message());
      co_return std::string();
    }
    if (refused) co_return problem_of(refused);
    if (self.server->tls() == nullptr) {
      self.server->note_reachable();
      if (!self.check.how.connect) co_await ask(self, socket, socket);
      co_return std::string();
    }
    SslHandle session = self.server->tls()->new_session();
    if (session == nullptr) co_return std::string();  // out of memory says nothing of the server
    asio::ssl::stream<Socket&> secured(socket, session.release());
    const auto [failed] =
        co_await secured.async_handshake(asio::ssl::stream_base::client, asio::as_tuple(asio::use_awaitable));
    if (failed) co_return "TLS: " + problem_of(failed);
    self.server->note_reachable();
    if (!self.check.how.connect) co_await ask(self, socket, secured);
    if (self.stopped) co_return std::string();
    // Servers log a connection that ends without TLS's own end as an error.
    socket.expires_after(longest_farewell);
    co_await secured.async_shutdown(asio::as_tuple(asio::use_awaitable));
    co_return std::string();
  }

  template <class AnyStream>
  static asio::awaitable<void> ask(Watch& self, Socket& socket, AnyStream& stream) {
    socket.expires_after(self.check.how.timeout);
    http::request<http::empty_body> request(http::verb::get, self.check.how.path, 11);
    request.set(http::field::host, self.check.host);
    request.set("X-Forwarded-Proto", "https");
    request.set(http::field::user_agent, "sekisho-health-check");
    request.set(http::field::connection, "close");
    const auto [unsent, sent] =
        co_await http::async_write(stream, request, asio::as_tuple(asio::use_awaitable));
    boost::beast::error_code error = unsent;
    http::response_parser<http::empty_body> answer;
    answer.header_limit(most_of_an_answer);
    if (!error) {
      // The head says it all: a body need not be waited for.
      boost::beast::flat_buffer buffer(most_of_an_answer);
      const auto [failed, size] =
          co_await http::async_read_header(stream, buffer, answer, asio::as_tuple(asio::use_awaitable));
      error = failed;
    }
    if (self.stopped || error == boost::beast::error::timeout) co_return;
    if (error) {
      self.conclude(false, fmt::format("GET {}: {}", self.check.how.path, error.message()));
    } else {
      const unsigned status = answer.get().result_int();
      self.conclude(status < 500, fmt::format("GET {} is answered {}", self.check.how.path, status));
    }
  }

  // One check by path came out well, or not; so many in a row are believed.
  void conclude(bool good, const std::string& reason) {
    if (check.how.connect) return;
    in_a_row = good == last_good ? in_a_row + 1 : 1;
    last_good = good;
    if (in_a_row >= (good ? check.how.healthy_after : check.how.unhealthy_after))
      server->note_well(good, reason);
  }

  void stop() {
    stopped = true;
    pause.cancel();
    if (open != nullptr) open->close();
  }

  asio::io_context& io;
  asio::steady_timer pause;
  const Check check;
  const std::shared_ptr<UpstreamServer> server;
  Socket* open = nullptr;
  bool last_good = true;
  std::uint64_t in_a_row = 0;
  bool stopped = false;
};

void HealthChecker::watch(const config::Config& config, const Upstreams& upstreams) {
  const auto before = std::move(watches_);
  watches_.clear();
  std::vector<std::shared_ptr<Watch>> made;
  const auto add = [&](const config::Upstream& upstream, const Upstream& shared) {
    for (std::size_t i = 0; i < upstream.servers.size(); ++i) {
      Check check{upstream.servers[i], upstream.health_check, upstream.connect_timeout,
                  host_to_ask(config.hosts, upstream.servers[i])};
      const auto same = std::ranges::find_if(before, [&](const auto& watch) {
        return watch->server == shared.servers[i] && watch->check.same(check);
      });
      if (same != before.end()) {
        watches_.push_back(*same);
        continue;
      }
      // Another way of checking knows nothing of what the last one found.
      shared.servers[i]->note_well(true, {});
      watches_.push_back(std::make_shared<Watch>(io_, std::move(check), shared.servers[i]));
      made.push_back(watches_.back());
    }
  };
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    if (config.routes[i].own_servers) add(config.routes[i].upstream, *upstreams.routes[i]);
  }
  if (config.upstream) add(*config.upstream, *upstreams.routes.back());

  for (const auto& watch : before) {
    if (std::ranges::find(watches_, watch) == watches_.end()) watch->stop();
  }
  for (const auto& watch : made) {
    if (watch->check.server.kind != config::Endpoint::Kind::name)
      watch->server->set_endpoints({socket_endpoint(watch->check.server)});
    asio::co_spawn(io_, Watch::run(watch), [](const std::exception_ptr&) {});
  }
}

void HealthChecker::stop() {
  for (const auto& watch : watches_) watch->stop();
  watches_.clear();
}

}  // namespace sekisho::proxy
