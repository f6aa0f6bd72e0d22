#include "bench/origin_session.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "bench/origin_request.hpp"

namespace sekisho::bench {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;

constexpr std::size_t kHeadLimit = 256 * 1024;
constexpr std::size_t kEchoLimit = 1024 * 1024;
constexpr std::size_t kPiece = 16 * 1024;

std::string page(std::string_view path) {
  std::string shown;
  for (const char c : path.substr(0, 200)) {
    if (c == '<' || c == '&' || c == '>') {
      shown += fmt::format("&#{};", static_cast<int>(c));
    } else {
      shown += c;
    }
  }
  return fmt::format(
      "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>Behind Sekisho</title></head>\n"
      "<body><h1>Behind Sekisho</h1><p>The demonstration upstream was asked for "
      "<code>{}</code>.</p></body></html>\n",
      shown);
}

const std::string& filler() {
  static const std::string text = [] {
    std::string line = "Travellers show their permit at the barrier and pass.\n";
    std::string result;
    while (result.size() < kPiece) result += line;
    result.resize(kPiece);
    return result;
  }();
  return text;
}

class Session {
 public:
  explicit Session(asio::generic::stream_protocol::socket socket) : socket_(std::move(socket)) {}

  awaitable<void> run() {
    for (;;) {
      const std::size_t size = co_await asio::async_read_until(
          socket_, asio::dynamic_buffer(input_, kHeadLimit), "\r\n\r\n", use_awaitable);
      auto request = parse_origin_request(std::string_view(input_).substr(0, size));
      input_.erase(0, size);
      if (!request) {
        request.emplace();
        request->keep_alive = false;
        co_await respond(*request, 400, "text/plain", "no request\n");
        co_return;
      }
      if (request->upgrade) {
        co_await echo_tunnel();
        co_return;
      }
      co_await answer(*request);
      if (!request->keep_alive) co_return;
    }
  }

 private:
  using Sink = std::function<void(std::string_view)>;

  awaitable<void> answer(const OriginRequest& request) {
    if (request.expects_continue) co_await write("HTTP/1.1 100 Continue\r\n\r\n");
    if (request.path == "/upload") {
      std::uint64_t size = 0;
      uLong crc = crc32(0, nullptr, 0);
      co_await read_body(request, [&](std::string_view piece) {
        size += piece.size();
        crc = crc32_z(crc, reinterpret_cast<const Bytef*>(piece.data()), piece.size());
      });
      co_await respond(request, 200, "application/json",
                       fmt::format("{{\"size\":{},\"crc32\":{}}}", size, crc));
      co_return;
    }
    std::string body;
    bool too_large = false;
    co_await read_body(request, [&](std::string_view piece) {
      too_large = too_large || body.size() + piece.size() > kEchoLimit;
      if (!too_large) body += piece;
    });
    if (too_large) {
      co_await respond(request, 413, "text/plain", "at most 1 MiB comes back\n");
    } else if (request.path == "/bytes") {
      co_await respond_bytes(request);
    } else if (request.path == "/chunked") {
      co_await respond_chunked(request);
    } else if (request.path == "/events") {
      co_await respond_events(request);
    } else if (request.path == "/fields") {
      co_await respond(request, 200, "text/plain", request.head);
    } else if (request.path.starts_with("/status/")) {
      const int status = std::atoi(request.path.c_str() + 8);
      co_await respond(request, status >= 200 && status <= 599 ? status : 400, "text/plain", "");
    } else if (request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
      co_await respond(request, 200, "application/octet-stream", body);
    } else {
      if (request.path == "/slow") co_await pause(request.number("ms", 1000));
      co_await respond(request, 200, "text/html; charset=utf-8", page(request.path));
    }
  }

  awaitable<void> respond(const OriginRequest& request, int status, std::string_view type,
                          std::string_view body) {
    const bool bodiless = status == 204 || status == 304;
    std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status, status < 400 ? "OK" : "Error");
    if (!bodiless) text += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", type, body.size());
    text += request.keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
    if (request.method != "HEAD" && !bodiless) text += body;
    co_await write(text);
  }

  awaitable<void> respond_bytes(const OriginRequest& request) {
    std::uint64_t left = request.number("n", 1024);
    std::string text =
        fmt::format("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{}\r\n", left,
                    request.keep_alive ? "" : "Connection: close\r\n");
    if (request.method == "HEAD") left = 0;
    const std::size_t first = std::min<std::uint64_t>(left, kPiece);
    text.append(filler(), 0, first);
    left -= first;
    co_await write(text);
    while (left > 0) {
      const std::size_t size = std::min<std::uint64_t>(left, kPiece);
      co_await write(std::string_view(filler()).substr(0, size));
      left -= size;
    }
  }

  awaitable<void> respond_chunked(const OriginRequest& request) {
    co_await write(
        fmt::format("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n{}\r\n",
                    request.keep_alive ? "" : "Connection: close\r\n"));
    if (request.method == "HEAD") co_return;
    for (std::uint64_t left = request.number("n", 1024); left > 0;) {
      const std::size_t size = std::min<std::uint64_t>(left, kPiece);
      co_await write(fmt::format("{:x}\r\n{}\r\n", size, std::string_view(filler()).substr(0, size)));
      left -= size;
    }
    co_await write("0\r\n\r\n");
  }

  awaitable<void> respond_events(const OriginRequest& request) {
    const std::uint64_t count = request.number("count", 5);
    const std::uint64_t gap = request.number("ms", 1000);
    co_await write(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    for (std::uint64_t number = 0; number < count; ++number) {
      if (number > 0) co_await pause(gap);
      const std::string event = fmt::format("data: {{\"number\":{}}}\n\n", number);
      co_await write(fmt::format("{:x}\r\n{}\r\n", event.size(), event));
    }
    co_await write("0\r\n\r\n");
  }

  awaitable<void> echo_tunnel() {
    co_await write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    for (;;) {
      if (!input_.empty()) co_await write(std::exchange(input_, {}));
      co_await fill();
    }
  }

  awaitable<void> read_body(const OriginRequest& request, const Sink& sink) {
    if (!request.chunked) {
      co_await read_counted(request.content_length, sink);
      co_return;
    }
    for (;;) {
      const std::string line = co_await read_line();
      const std::uint64_t size = std::strtoull(line.c_str(), nullptr, 16);
      if (size == 0) break;
      co_await read_counted(size, sink);
      co_await read_line();
    }
    while (!(co_await read_line()).empty()) {
    }
  }

  awaitable<void> read_counted(std::uint64_t left, const Sink& sink) {
    while (left > 0) {
      if (input_.empty()) co_await fill();
      const std::size_t size = std::min<std::uint64_t>(left, input_.size());
      sink(std::string_view(input_).substr(0, size));
      input_.erase(0, size);
      left -= size;
    }
  }

  awaitable<std::string> read_line() {
    const std::size_t size = co_await asio::async_read_until(
        socket_, asio::dynamic_buffer(input_, kHeadLimit), "\r\n", use_awaitable);
    std::string line = input_.substr(0, size - 2);
    input_.erase(0, size);
    co_return line;
  }

  awaitable<void> fill() {
    const std::size_t old = input_.size();
    input_.resize(old + 64 * 1024);
    boost::system::error_code error;
    const std::size_t size = co_await socket_.async_read_some(asio::buffer(input_.data() + old, 64 * 1024),
                                                              asio::redirect_error(use_awaitable, error));
    input_.resize(old + size);
    if (error) throw boost::system::system_error(error);
  }

  awaitable<void> pause(std::uint64_t milliseconds) {
    asio::steady_timer timer(socket_.get_executor(),
                             std::chrono::milliseconds(std::min<std::uint64_t>(milliseconds, 600'000)));
    co_await timer.async_wait(use_awaitable);
  }

  awaitable<void> write(std::string_view text) {
    co_await asio::async_write(socket_, asio::buffer(text), use_awaitable);
  }

  asio::generic::stream_protocol::socket socket_;
  std::string input_;
};

}  // namespace

boost::asio::awaitable<void> serve_origin(boost::asio::generic::stream_protocol::socket socket) {
  Session session(std::move(socket));
  try {
    co_await session.run();
  } catch (const boost::system::system_error&) {
    // The peer went away, or never sent the end of a head: there is nobody left to tell.
  }
}

}  // namespace sekisho::bench
