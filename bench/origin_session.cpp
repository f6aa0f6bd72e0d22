#include "bench/origin_session.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "bench/origin_input.hpp"
#include "bench/origin_rails.hpp"
#include "bench/origin_request.hpp"
#include "proxy/head_writer.hpp"

namespace sekisho::bench {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;

constexpr std::size_t kHeadLimit = 256 * 1024;
constexpr std::size_t kEchoLimit = 1024 * 1024;
constexpr std::size_t kPiece = 16 * 1024;         // a chunk, unless the request says otherwise
constexpr std::size_t kFillerBytes = 256 * 1024;  // what is written at once of a long body
constexpr std::size_t kFirstRoom = 4 * 1024;      // a head's; idle connections should be small
constexpr std::size_t kBodyRoom = 64 * 1024;

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
    while (result.size() < kFillerBytes) result += line;
    result.resize(kFillerBytes);
    return result;
  }();
  return text;
}

class Session {
 public:
  explicit Session(asio::generic::stream_protocol::socket socket) : socket_(std::move(socket)) {}

  awaitable<void> run() {
    for (;;) {
      std::size_t size = 0;
      while ((size = input_.text().find("\r\n\r\n")) == std::string_view::npos) {
        if (input_.text().size() >= kHeadLimit) co_return;
        co_await fill(kFirstRoom);
      }
      size += 4;
      head_.assign(input_.text(), 0, size);
      input_.drop(size);
      auto request = parse_origin_request(head_);
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
      if (!request->keep_alive || cut_) co_return;
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
    if (request.has_body()) {
      co_await read_body(request, [&](std::string_view piece) {
        too_large = too_large || body.size() + piece.size() > kEchoLimit;
        if (!too_large) body += piece;
      });
    }
    if (too_large) {
      co_await respond(request, 413, "text/plain", "at most 1 MiB comes back\n");
    } else if (request.path == "/bytes") {
      co_await respond_bytes(request);
    } else if (request.path == "/chunked") {
      co_await respond_chunked(request);
    } else if (request.path == "/rails") {
      co_await respond_like_rails(request);
    } else if (request.path == "/events") {
      co_await respond_events(request);
    } else if (request.path == "/fields") {
      co_await respond(request, 200, "text/plain", request.head);
    } else if (request.path.starts_with("/status/")) {
      int status = 0;
      std::from_chars(request.path.data() + 8, request.path.data() + request.path.size(), status);
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
    std::string& text = start_output();
    const auto end = std::back_inserter(text);
    fmt::format_to(end, "HTTP/1.1 {} {}\r\n", status, proxy::reason_phrase(static_cast<unsigned>(status)));
    if (!bodiless) fmt::format_to(end, "Content-Type: {}\r\nContent-Length: {}\r\n", type, body.size());
    end_head(request);
    if (request.method != "HEAD" && !bodiless) text += body;
    co_await write(text);
  }

  awaitable<void> respond_bytes(const OriginRequest& request) {
    const std::uint64_t size = request.number("n", 1024);
    fmt::format_to(std::back_inserter(start_output()),
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n", size);
    end_head(request);
    co_await write_counted(request, size);
  }

  awaitable<void> respond_chunked(const OriginRequest& request) {
    start_output() = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n";
    end_head(request);
    co_await write_chunks(request, request.number("n", 1024), request.number("chunk", kPiece));
  }

  // The page that an application made: after a while, of some size, now and then broken.
  awaitable<void> respond_like_rails(const OriginRequest& request) {
    static std::uint64_t pages = 0;
    const std::uint64_t number = ++pages;
    const std::uint64_t size = request.number("n", 8 * 1024);
    const std::uint64_t chunk = request.number("chunk", 0);
    if (const std::uint64_t delay = request.number("ms", 0); delay > 0) co_await pause(delay);
    const auto every = [&](std::string_view name) {
      const std::uint64_t period = request.number(name, 0);
      return period > 0 && number % period == 0;
    };
    std::uint64_t status = every("error") ? 500 : request.number("status", 200);
    if (status < 200 || status > 599) status = 400;
    cut_ = every("cut");
    const bool bodiless = status == 204 || status == 304;
    append_rails_head(start_output(), static_cast<int>(status), request, number);
    if (!bodiless && chunk == 0) fmt::format_to(std::back_inserter(output_), "Content-Length: {}\r\n", size);
    if (!bodiless && chunk > 0) output_ += "Transfer-Encoding: chunked\r\n";
    end_head(request);
    if (bodiless) {
      co_await write(output_);
    } else if (chunk == 0) {
      co_await write_counted(request, cut_ ? size / 2 : size);
    } else {
      co_await write_chunks(request, cut_ ? size / 2 : size, chunk);
    }
  }

  std::string& start_output() {
    output_.clear();
    return output_;
  }
  void end_head(const OriginRequest& request) {
    output_ += request.keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  }

  // What stands in the output, then that much of a body.
  awaitable<void> write_counted(const OriginRequest& request, std::uint64_t left) {
    if (request.method == "HEAD") left = 0;
    const std::size_t first = std::min<std::uint64_t>(left, kPiece);
    output_.append(filler(), 0, first);
    co_await write(output_);
    for (left -= first; left > 0;) {
      const std::size_t size = std::min<std::uint64_t>(left, filler().size());
      co_await write(std::string_view(filler()).substr(0, size));
      left -= size;
    }
  }

  // The same in chunks of `chunk` bytes at most, several in one write.
  awaitable<void> write_chunks(const OriginRequest& request, std::uint64_t left, std::uint64_t chunk) {
    if (request.method == "HEAD") {
      co_await write(output_);
      co_return;
    }
    chunk = std::clamp<std::uint64_t>(chunk, 1, kPiece);
    while (left > 0) {
      const std::size_t size = std::min(left, chunk);
      fmt::format_to(std::back_inserter(output_), "{:x}\r\n{}\r\n", size,
                     std::string_view(filler()).substr(0, size));
      left -= size;
      if (left > 0 && output_.size() < kBodyRoom) continue;
      if (left == 0 && !cut_) output_ += "0\r\n\r\n";
      co_await write(output_);
      output_.clear();
    }
    if (!output_.empty()) {  // a body of no bytes
      output_ += "0\r\n\r\n";
      co_await write(output_);
    }
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
      if (!input_.empty()) {
        co_await write(input_.text());
        input_.drop(input_.text().size());
      }
      co_await fill(kBodyRoom);
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
      if (input_.empty()) co_await fill(kBodyRoom);
      const std::size_t size = std::min<std::uint64_t>(left, input_.text().size());
      sink(input_.text().substr(0, size));
      input_.drop(size);
      left -= size;
    }
  }

  awaitable<std::string> read_line() {
    std::size_t size = 0;
    while ((size = input_.text().find("\r\n")) == std::string_view::npos) {
      if (input_.text().size() >= kHeadLimit) throw boost::system::system_error(asio::error::message_size);
      co_await fill(kFirstRoom);
    }
    std::string line(input_.text().substr(0, size));
    input_.drop(size + 2);
    co_return line;
  }

  // Reads what there is, as far as it goes into the room.
  awaitable<void> fill(std::size_t room) {
    const std::span<char> free = input_.make_room(room);
    boost::system::error_code error;
    const std::size_t size = co_await socket_.async_read_some(asio::buffer(free.data(), free.size()),
                                                              asio::redirect_error(use_awaitable, error));
    if (error) throw boost::system::system_error(error);
    input_.add(size);
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
  OriginInput input_;
  std::string head_, output_;  // of the request under way; their room is kept for the next
  bool cut_ = false;           // the connection ends within the response
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
