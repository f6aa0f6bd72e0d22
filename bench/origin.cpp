// sekisho-origin: the small upstream that scripts/run demonstrates with, and that tests and benchmarks run
// against.
#include <fmt/core.h>

#include <unistd.h>
#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "bench/origin_session.hpp"

namespace asio = boost::asio;

namespace {

constexpr const char* paths =
    "What it answers:\n"
    "  /rails?...            a page with the fields of a Rails application, to order:\n"
    "                          n=BYTES (8192)  ms=DELAY (0)  chunk=BYTES (0: Content-Length)  status=N "
    "(200)\n"
    "                          error=N: every Nth page is a 500   cut=N: every Nth ends in its middle\n"
    "  /bytes?n=N            N bytes, with Content-Length\n"
    "  /chunked?n=N&chunk=C  N bytes in chunks of C bytes (16384, which is the most)\n"
    "  /slow?ms=N            the usual page after N milliseconds\n"
    "  /events?count=N&ms=M  an event stream of N events, M milliseconds apart\n"
    "  /status/N             an empty answer with that status\n"
    "  /fields               the request's head as it came\n"
    "  /upload (POST)        {\"size\": bytes, \"crc32\": of them}\n"
    "  any other POST        the body, up to 1 MiB, as it came\n"
    "  Upgrade               101, then every byte comes back\n"
    "  anything else         a small HTML page";

template <typename Acceptor>
asio::awaitable<void> accept_all(Acceptor& acceptor) {
  for (;;) {
    boost::system::error_code error;
    auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error) continue;  // the peer left before it was accepted
    if constexpr (std::is_same_v<Acceptor, asio::ip::tcp::acceptor>) {
      socket.set_option(asio::ip::tcp::no_delay(true), error);
    }
    asio::generic::stream_protocol::socket stream(std::move(socket));
    asio::co_spawn(acceptor.get_executor(), sekisho::bench::serve_origin(std::move(stream)), asio::detached);
  }
}

template <typename Acceptor>
void serve(asio::io_context& context, Acceptor acceptor, const std::string& address) {
  fmt::print("sekisho-origin listens on {}\n", address);
  std::fflush(stdout);
  asio::co_spawn(context, accept_all(acceptor), asio::detached);
  context.run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A small HTTP/1.1 upstream for demonstrations, tests and benchmarks", "sekisho-origin");
  app.footer(paths);
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string path;
  app.add_option("--host", host, "address to listen on")->capture_default_str();
  auto* port_option = app.add_option("--port", port, "TCP port; 0 takes a free one")->capture_default_str();
  app.add_option("--unix", path, "listen on this UNIX socket instead")->excludes(port_option);
  CLI11_PARSE(app, argc, argv);

  try {
    asio::io_context context(1);
    asio::signal_set signals(context, SIGTERM, SIGINT);
    signals.async_wait([&](const boost::system::error_code&, int) { context.stop(); });
    if (path.empty()) {
      asio::ip::tcp::acceptor acceptor(context, {asio::ip::make_address(host), port});
      const std::string address = fmt::format("{}:{}", host, acceptor.local_endpoint().port());
      serve(context, std::move(acceptor), address);
    } else {
      ::unlink(path.c_str());
      serve(context, asio::local::stream_protocol::acceptor(context, {path}), "unix:" + path);
      ::unlink(path.c_str());
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "sekisho-origin: {}\n", error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
