// A warm worker allocates nothing: counted over 10,000 proxied requests, and over as many refused ones.
#include <gtest/gtest.h>

#include <cstdlib>

#include "proxy/slab_pool.hpp"
#include "tests/support/allocation_counter.hpp"
#include "tests/support/in_process.hpp"

namespace sekisho::test {
namespace {

constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nX-Runtime: 0.012\r\nContent-Length: "
    "5\r\n\r\nhello";

constexpr std::string_view yaml = R"(
listen: 127.0.0.1:0
upstream: 127.0.0.1:1
hosts: [www.example.jp]
log: {access: /dev/null}
limits:
  - {name: probes, match: {paths: builtin:probes}, block: true}
  - {name: sign-in, match: {paths: [/users/sign_in], methods: [POST]}, rate: 5/min}
  - {name: per-client, match: {except: {paths: ["/assets/**"]}}, rate: 100000/s, burst: 100000}
)";

constexpr std::string_view admitted =
    "GET /articles/17?page=2 HTTP/1.1\r\nHost: www.example.jp\r\nX-Forwarded-For: 198.51.100.7\r\nAccept: "
    "text/html\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nCookie: session=abcdef\r\nX-Amzn-Trace-Id: "
    "Root=1-abc\r\n\r\n";

constexpr std::string_view refused =
    "GET /phpmyadmin/index.php HTTP/1.1\r\nHost: www.example.jp\r\nX-Forwarded-For: 198.51.100.8\r\n\r\n";

constexpr std::string_view response_with_trailers =
    "HTTP/1.1 200 OK\r\nTrailer: Server-Timing\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
    "Server-Timing: db;dur=53\r\nSet-Cookie: a=b\r\n\r\n";

// Blocks from the heap, and slabs from the system.
std::uint64_t taken() {
  return allocations.load() + proxy::SlabPool::slabs().taken;
}

// Sends `request` and reads one response that ends with `end`; its status. Allocates nothing.
int exchange_until(int connection, std::string_view request, std::string_view end) {
  ::send(connection, request.data(), request.size(), MSG_NOSIGNAL);
  char buffer[8192];
  std::size_t have = 0;
  for (;;) {
    const ssize_t n = ::recv(connection, buffer + have, sizeof buffer - have, 0);
    if (n <= 0) return -1;
    have += static_cast<std::size_t>(n);
    if (std::string_view(buffer, have).ends_with(end)) return std::atoi(buffer + 9);
  }
}

// Sends `request` and reads one response with a Content-Length; its status. Allocates nothing.
int exchange(int connection, std::string_view request) {
  ::send(connection, request.data(), request.size(), MSG_NOSIGNAL);
  char buffer[8192];
  std::size_t have = 0;
  for (;;) {
    const ssize_t n = ::recv(connection, buffer + have, sizeof buffer - have, 0);
    if (n <= 0) return -1;
    have += static_cast<std::size_t>(n);
    const std::string_view all(buffer, have);
    const std::size_t head = all.find("\r\n\r\n");
    if (head == std::string_view::npos) continue;
    const std::size_t at = all.find("Content-Length: ");
    const std::size_t length = std::strtoul(buffer + at + 16, nullptr, 10);
    if (have >= head + 4 + length) return std::atoi(buffer + 9);
  }
}

void expect_no_allocations(std::string_view request, int status) {
  FixedOrigin origin(response);
  InProcessServer server{std::string(yaml), origin.port()};
  const int connection = connect_to(server.port());
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(exchange(connection, request), status);
  const std::uint64_t before = taken();
  int wrong = 0;
  for (int i = 0; i < 10000; ++i) wrong += exchange(connection, request) == status ? 0 : 1;
  const std::uint64_t counted_here = taken() - before;
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(counted_here, 0u);
  ::close(connection);
}

TEST(Allocations, NoneInTenThousandProxiedRequests) {
  expect_no_allocations(admitted, 200);
}
TEST(Allocations, NoneInTenThousandResponsesWithTrailers) {
  FixedOrigin origin(response_with_trailers);
  InProcessServer server{std::string(yaml), origin.port()};
  const int connection = connect_to(server.port());
  constexpr std::string_view end = "\r\n0\r\nServer-Timing: db;dur=53\r\n\r\n";
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(exchange_until(connection, admitted, end), 200);
  const std::uint64_t before = taken();
  int wrong = 0;
  for (int i = 0; i < 10000; ++i) wrong += exchange_until(connection, admitted, end) == 200 ? 0 : 1;
  const std::uint64_t counted_here = taken() - before;
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(counted_here, 0u);
  ::close(connection);
}
TEST(Allocations, NoneInTenThousandRefusals) {
  expect_no_allocations(refused, 403);
}

}  // namespace
}  // namespace sekisho::test
