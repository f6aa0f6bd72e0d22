#include "proxy/admin_server.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <map>
#include <stdexcept>

#include "proxy/diagnostic_log.hpp"
#include "proxy/endpoint_address.hpp"
#include "proxy/unix_socket_file.hpp"

namespace sekisho::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Protocol = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Protocol>;

constexpr std::size_t max_connections = 64;
constexpr std::uint32_t max_head = 16 * 1024;
constexpr std::uint64_t max_body = 64 * 1024;
constexpr auto call_time = std::chrono::seconds(10);
constexpr auto idle_time = std::chrono::seconds(30);

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

AdminRequest to_admin_request(const http::request<http::string_body>& request) {
  const auto text = [](beast::string_view view) { return std::string_view(view.data(), view.size()); };
  AdminRequest result;
  result.method = text(request.method_string());
  result.target = text(request.target());
  result.host = text(request[http::field::host]);
  result.hosts = static_cast<unsigned>(request.count(http::field::host));
  result.authorization = text(request[http::field::authorization]);
  result.marker = text(request["X-Sekisho"]);
  return result;
}

http::response<http::string_body> to_response(AdminResponse answer,
                                              const http::request<http::string_body>& request,
                                              bool keep_alive) {
  http::response<http::string_body> response(static_cast<http::status>(answer.status), request.version());
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  if (!answer.allow.empty()) response.set(http::field::allow, answer.allow);
  if (answer.ask_for_token) response.set(http::field::www_authenticate, "Bearer");
  response.keep_alive(keep_alive);
  response.content_length(answer.body.size());
  if (request.method() != http::verb::head) response.body() = std::move(answer.body);
  return response;
}

}  // namespace

class AdminServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, const config::Endpoint& listen, AdminScope scope, std::string token,
       AdminBackend& backend)
      : io_(io),
        acceptor_(io),
        pause_(io),
        listen_(listen),
        scope_(scope),
        token_(std::move(token)),
        backend_(&backend) {
    try {
      bind();
    } catch (const std::exception& problem) {
      const char* section = scope == AdminScope::everything ? "admin: " : "metrics: ";
      throw std::runtime_error(section + listen.text + ": " + problem.what());
    }
  }

  void start() {
    asio::co_spawn(io_, accept_all(shared_from_this()), [](const std::exception_ptr&) {});
  }

  void stop() {
    backend_ = nullptr;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    file_.remove();
    for (const auto& [place, stream] : streams_) stream->close();
  }

  std::string bound_address() const {
    if (listen_.kind == config::Endpoint::Kind::unix_path) return "unix:" + listen_.host;
    const Protocol::endpoint bound = acceptor_.local_endpoint();
    asio::ip::tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), bound.data(), std::min(bound.size(), endpoint.capacity()));
    const std::string port = std::to_string(endpoint.port());
    return endpoint.address().is_v6() ? "[" + endpoint.address().to_string() + "]:" + port
                                      : endpoint.address().to_string() + ":" + port;
  }

 private:
  void bind() {
    const bool on_unix = listen_.kind == config::Endpoint::Kind::unix_path;
    const Protocol::endpoint endpoint = socket_endpoint(listen_);
    if (on_unix) make_way_for_socket(listen_.host);
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error && !on_unix) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    // Who may connect may reload and read the bans: the owner and the group.
    if (!error && on_unix) file_ = UnixSocketFile(listen_.host, 0660);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) throw std::runtime_error(error.message());
  }

  static asio::awaitable<void> accept_all(std::shared_ptr<Impl> self) {
    while (self->acceptor_.is_open()) {
      Protocol::socket socket(self->io_);
      const auto [error] = co_await self->acceptor_.async_accept(socket, as_result);
      if (!self->acceptor_.is_open()) co_return;
      if (error) {
        // Out of descriptors: that becomes no better by trying again at once.
        self->pause_.expires_after(std::chrono::milliseconds(100));
        co_await self->pause_.async_wait(as_result);
        continue;
      }
      if (self->streams_.size() >= max_connections) self->close_longest_silent();
      asio::co_spawn(self->io_, serve(self, std::move(socket)), [](const std::exception_ptr&) {});
    }
  }

  // Callers that say nothing must not keep out the one that asks whether the process is well.
  void close_longest_silent() {
    streams_.begin()->second->close();
    streams_.erase(streams_.begin());
  }

  static asio::awaitable<void> serve(std::shared_ptr<Impl> self, Protocol::socket socket) {
    Stream stream(std::move(socket));
    struct Entry {
      Impl& impl;
      std::uint64_t place;
      Entry(Impl& the_impl, Stream& stream) : impl(the_impl), place(impl.next_place_++) {
        impl.streams_.emplace(place, &stream);
      }
      ~Entry() { impl.streams_.erase(place); }
      void asked() {
        auto node = impl.streams_.extract(place);
        if (node.empty()) return;  // closed to make room
        node.key() = place = impl.next_place_++;
        impl.streams_.insert(std::move(node));
      }
    } entry(*self, stream);

    beast::flat_buffer buffer(max_head + max_body);
    for (bool keep_alive = true; keep_alive;) {
      http::request_parser<http::string_body> parser;
      parser.header_limit(max_head);
      parser.body_limit(max_body);
      // The first byte may be long in coming, the rest of the call not.
      stream.expires_after(idle_time);
      if (buffer.size() == 0) {
        const auto [error, size] = co_await stream.async_read_some(buffer.prepare(4096), as_result);
        if (error) co_return;
        buffer.commit(size);
      }
      stream.expires_after(call_time);
      const auto [error, size] = co_await http::async_read(stream, buffer, parser, as_result);
      if (self->backend_ == nullptr) co_return;
      AdminResponse answer;
      keep_alive = !error && parser.get().keep_alive();
      if (!error) {
        entry.asked();
        answer = self->call(parser.get());
      } else if (error == http::error::body_limit) {
        answer = {413, "text/plain; charset=utf-8", "the body is too large\n", {}, false};
      } else if (error == http::error::header_limit) {
        answer = {431, "text/plain; charset=utf-8", "the head is too large\n", {}, false};
      } else if (error.category() == http::make_error_code(http::error::end_of_stream).category() &&
                 error != http::error::end_of_stream && error != http::error::partial_message) {
        answer = {400, "text/plain; charset=utf-8", "bad request\n", {}, false};
      } else {
        co_return;
      }
      const auto response = to_response(std::move(answer), parser.get(), keep_alive);
      stream.expires_after(call_time);
      const auto [write_error, written] = co_await http::async_write(stream, response, as_result);
      if (write_error) co_return;
    }
    boost::system::error_code ignored;
    stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  }

  AdminResponse call(const http::request<http::string_body>& request) {
    try {
      return answer_admin(to_admin_request(request), scope_, token_, *backend_);
    } catch (const std::exception& problem) {
      log_event(LogLevel::error, "admin", problem.what());
      return {500, "text/plain; charset=utf-8", std::string(problem.what()) + "\n", {}, false};
    }
  }

  asio::io_context& io_;
  asio::basic_socket_acceptor<Protocol> acceptor_;
  asio::steady_timer pause_;
  config::Endpoint listen_;
  UnixSocketFile file_;
  AdminScope scope_;
  std::string token_;
  AdminBackend* backend_;  // nullptr once stopped
  // Open connections, in the order in which they last asked something, or else came.
  std::map<std::uint64_t, Stream*> streams_;
  std::uint64_t next_place_ = 0;
};

AdminServer::AdminServer(asio::io_context& io, const config::Endpoint& listen, AdminScope scope,
                         std::string token, AdminBackend& backend)
    : impl_(std::make_shared<Impl>(io, listen, scope, std::move(token), backend)) {
  impl_->start();
}

AdminServer::~AdminServer() {
  impl_->stop();
}

std::string AdminServer::bound_address() const {
  return impl_->bound_address();
}

}  // namespace sekisho::proxy
