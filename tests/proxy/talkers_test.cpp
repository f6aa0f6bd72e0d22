// The workers' top talkers, copied while they are written.
#include "proxy/talkers.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "proxy/top_report.hpp"
#include "tests/support/in_process.hpp"

namespace sekisho::test {
namespace {

constexpr std::string_view yaml = R"(
listen: 127.0.0.1:0
upstream: 127.0.0.1:1
hosts: [www.example.jp]
log: {access: /dev/null}
limits:
  - {name: probes, match: {paths: builtin:probes}, block: true}
)";

constexpr std::string_view probe =
    "GET /.env HTTP/1.1\r\nHost: www.example.jp\r\nX-Forwarded-For: 198.51.100.8\r\n\r\n";

proxy::TopReport top(InProcessServer& server) {
  return proxy::make_top_report(server.server().talkers(), 10, std::chrono::steady_clock::now());
}

TEST(Talkers, AreCopiedWhileRequestsAreServed) {
  constexpr unsigned workers = 2;
  constexpr int clients = 4;
  constexpr int requests = 200;
  InProcessServer server{std::string(yaml), 1, workers};
  std::vector<int> connections;
  for (int i = 0; i < clients; ++i) connections.push_back(connect_to(server.port()));
  std::vector<std::thread> senders;
  for (const int connection : connections) {
    senders.emplace_back([connection] {
      char buffer[4096];
      for (int i = 0; i < requests; ++i) {
        ::send(connection, probe.data(), probe.size(), MSG_NOSIGNAL);
        ASSERT_GT(::recv(connection, buffer, sizeof buffer, 0), 0);
      }
    });
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::uint64_t seen = 0;
  while (seen < clients * requests && std::chrono::steady_clock::now() < deadline) {
    const proxy::TopReport report = top(server);
    EXPECT_EQ(report.answered, workers);
    EXPECT_GE(report.requests, seen);
    EXPECT_EQ(report.requests, report.refusals);
    seen = report.requests;
  }
  for (std::thread& sender : senders) sender.join();
  const proxy::TopReport report = top(server);
  ASSERT_EQ(report.clients.by_refusals.size(), 1u);
  EXPECT_EQ(report.clients.by_refusals.front().text, "198.51.100.8");
  EXPECT_EQ(report.clients.by_refusals.front().refusals, std::uint64_t{clients * requests});
  ASSERT_EQ(report.paths.by_requests.size(), 1u);
  EXPECT_EQ(report.paths.by_requests.front().text, "/.env");
  for (const int connection : connections) ::close(connection);
}

}  // namespace
}  // namespace sekisho::test
