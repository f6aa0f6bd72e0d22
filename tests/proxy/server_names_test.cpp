// Servers and a fleet that are named: what a resolver that changes its mind, or fails, does to the traffic.
// The resolver is this test's own: the linker takes the getaddrinfo defined here.
#include <gtest/gtest.h>
#include <netdb.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/fleet_watch.hpp"
#include "proxy/health_checker.hpp"
#include "proxy/name_lookup.hpp"
#include "tests/support/in_process.hpp"

namespace {

std::atomic<int> resolver_error{0};
std::atomic<int> resolver_calls{0};
std::atomic<int> resolver_addresses{1};
// Names that must be asked for at one time, or none is answered.
std::atomic<int> together{1};
// Never destroyed: a look-up that nobody waits for any more may outlive main.
std::mutex& mutex = *new std::mutex;
std::condition_variable& all_are_here = *new std::condition_variable;
int here = 0;

// 1: those that wait go on too.
void wait_for(int callers) {
  std::lock_guard lock(mutex);
  here = callers == 1 ? 1 : 0;
  together = callers;
  all_are_here.notify_all();
}

struct Answer {
  addrinfo info{};
  sockaddr_in address{};
};

}  // namespace

extern "C" int getaddrinfo(const char*, const char* service, const addrinfo*, addrinfo** found) {
  ++resolver_calls;
  {
    std::unique_lock lock(mutex);
    ++here;
    all_are_here.notify_all();
    all_are_here.wait(lock, [] { return here >= together; });
  }
  if (const int error = resolver_error; error != 0) return error;
  *found = nullptr;
  for (int i = resolver_addresses - 1; i >= 0; --i) {
    auto* answer = new Answer;
    answer->address = sekisho::test::loopback(static_cast<std::uint16_t>(std::atoi(service)));
    answer->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(i));
    answer->info.ai_family = AF_INET;
    answer->info.ai_addrlen = sizeof answer->address;
    answer->info.ai_addr = reinterpret_cast<sockaddr*>(&answer->address);
    answer->info.ai_next = *found;
    *found = &answer->info;
  }
  return 0;
}

extern "C" void freeaddrinfo(addrinfo* found) {
  while (found != nullptr) {
    addrinfo* const next = found->ai_next;
    delete reinterpret_cast<Answer*>(found);
    found = next;
  }
}

namespace sekisho::test {
namespace {

constexpr std::string_view first_says = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
constexpr std::string_view second_says = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2";
constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr auto patience = std::chrono::seconds(20);

proxy::StreamEndpoint endpoint(std::uint16_t port) {
  const sockaddr_in address = loopback(port);
  return {&address, sizeof address};
}

// The last byte of the answer: who gave it.
char ask(int connection) {
  ::send(connection, request.data(), request.size(), MSG_NOSIGNAL);
  std::string got;
  char buffer[4096];
  while (got.find("\r\n\r\n") == std::string::npos || got.ends_with("\r\n\r\n")) {
    const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
    if (n <= 0) return '-';
    got.append(buffer, static_cast<std::size_t>(n));
  }
  return got.back();
}

TEST(ServerNames, AnAddressThatGoesTakesItsKeptConnectionsAlong) {
  FixedOrigin first(first_says), second(second_says);
  InProcessServer server("listen: 127.0.0.1:0\nupstream: app.test:1\nlog: {access: off}\n", first.port());
  const int connection = connect_to(server.port());
  EXPECT_EQ(ask(connection), '1');
  EXPECT_EQ(ask(connection), '1');
  server.upstream().servers[0]->set_endpoints({endpoint(second.port())});
  EXPECT_EQ(ask(connection), '2') << "what was connected before is not used again";
  EXPECT_EQ(ask(connection), '2');
  // One that is added, or another order, is no reason to connect anew.
  const std::uint32_t before = server.upstream().servers[0]->addresses();
  server.upstream().servers[0]->set_endpoints({endpoint(first.port()), endpoint(second.port())});
  server.upstream().servers[0]->set_endpoints({endpoint(second.port()), endpoint(first.port())});
  EXPECT_EQ(server.upstream().servers[0]->addresses(), before);
  EXPECT_EQ(ask(connection), '2');
  ::close(connection);
}

TEST(ServerNames, ConnectionsGoToANamesAddressesInTurn) {
  FixedOrigin first("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1");
  FixedOrigin second("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n2");
  InProcessServer server("listen: 127.0.0.1:0\nupstream: app.test:1\nlog: {access: off}\n", first.port());
  server.upstream().servers[0]->set_endpoints({endpoint(first.port()), endpoint(second.port())});
  const int connection = connect_to(server.port());
  std::string answers;
  for (int i = 0; i < 6; ++i) answers += ask(connection);
  ::close(connection);
  EXPECT_TRUE(answers == "121212" || answers == "212121") << answers;
}

// Checks one named server of `yaml`, the origin behind it, until `condition` holds.
class CheckedServer {
 public:
  explicit CheckedServer(const FixedOrigin& origin)
      : config_(load(origin.port())),
        upstreams_(proxy::make_upstreams(*config_, {}, 1, nullptr)),
        checker_(io_) {
    resolver_error = 0;
    checker_.watch(*config_, *upstreams_);
  }
  ~CheckedServer() {
    checker_.stop();
    io_.run_for(std::chrono::milliseconds(100));
  }
  bool can_serve() const { return upstreams_->main().can_serve(); }
  template <typename Condition>
  bool until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition() && std::chrono::steady_clock::now() < deadline)
      io_.run_for(std::chrono::milliseconds(10));
    return condition();
  }
  // Runs on until `count` more look-ups were begun, and the last but one is over for certain.
  bool more_look_ups(int count) {
    const int wanted = resolver_calls + count;
    return until([&] { return resolver_calls >= wanted; });
  }

 private:
  static std::shared_ptr<const config::Config> load(std::uint16_t port) {
    const std::string yaml = "upstream: {servers: 'app.test:" + std::to_string(port) +
                             "', health_check: {path: /up, interval: 100ms, unhealthy_after: 1}}\n";
    return config::load_text(yaml, "test.yaml", std::filesystem::temp_directory_path()).config;
  }

  boost::asio::io_context io_;
  std::shared_ptr<const config::Config> config_;
  std::shared_ptr<const proxy::Upstreams> upstreams_;
  proxy::HealthChecker checker_;
};

TEST(ServerNames, AResolverThatFailsTakesNoServerAway) {
  FixedOrigin origin(first_says);
  CheckedServer server(origin);
  ASSERT_TRUE(server.until([&] { return server.can_serve(); }));
  resolver_error = EAI_AGAIN;
  ASSERT_TRUE(server.more_look_ups(3));
  EXPECT_TRUE(server.can_serve()) << "it answers at the address last known";
  resolver_error = EAI_NONAME;
  EXPECT_TRUE(server.until([&] { return !server.can_serve(); })) << "a name that is gone is a server down";
  resolver_error = 0;
  EXPECT_TRUE(server.until([&] { return server.can_serve(); }));
}

TEST(ServerNames, NamesAreLookedUpAllAtOnce) {
  resolver_error = 0;
  wait_for(4);
  const auto found = proxy::wait_for_names({{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}}, patience);
  wait_for(1);
  ASSERT_EQ(found.size(), 4U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].endpoints.size(), 1U) << found[i].problem;
    EXPECT_EQ(found[i].endpoints[0], endpoint(static_cast<std::uint16_t>(i + 1)));
  }
}

// What a fleet's watch finds, on a thread that nothing must hold up.
struct WatchedFleet {
  WatchedFleet() {
    resolver_error = 0;
    resolver_addresses = 3;
  }
  ~WatchedFleet() {
    watch.stop();
    io.run_for(std::chrono::milliseconds(100));
    resolver_error = 0;
    resolver_addresses = 1;
  }
  // Turns the loop until the first look-up is over.
  bool look() {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (watch.is_waiting() && std::chrono::steady_clock::now() < deadline) turn();
    return !watch.is_waiting();
  }
  void turn() {
    io.restart();
    io.run_for(std::chrono::milliseconds(10));
  }

  std::vector<std::uint64_t> taken;
  boost::asio::io_context io;
  proxy::FleetWatch watch{io, [this](std::uint64_t tasks) { taken.push_back(tasks); }};
};

using Taken = std::vector<std::uint64_t>;

TEST(FleetNames, AReloadMayChangeTheNameOrTakeItAway) {
  WatchedFleet fleet;
  fleet.watch.watch({1, "app.test"}, 1);
  ASSERT_TRUE(fleet.look());
  EXPECT_EQ(fleet.taken, Taken{3});
  EXPECT_TRUE(fleet.watch.status().counted);

  fleet.watch.watch({1, "app.test"}, 3);
  EXPECT_FALSE(fleet.watch.is_waiting()) << "the same name goes on as it was";
  EXPECT_TRUE(fleet.watch.status().counted);

  resolver_error = EAI_NONAME;
  fleet.watch.watch({1, "other.test"}, 3);
  ASSERT_TRUE(fleet.look());
  EXPECT_EQ(fleet.watch.status().name, "other.test");
  EXPECT_FALSE(fleet.watch.status().counted);
  EXPECT_NE(fleet.watch.status().problem, "");

  fleet.watch.watch({2, ""}, 2);
  EXPECT_EQ(fleet.watch.status().name, "");
  EXPECT_EQ(fleet.taken, Taken{3}) << "a name without an answer is no number";
}

TEST(FleetNames, AResolverThatHangsHoldsUpNothing) {
  wait_for(2);
  WatchedFleet fleet;
  const int calls = resolver_calls;
  fleet.watch.watch({1, "app.test"}, 1);
  while (resolver_calls == calls) fleet.turn();
  for (int i = 0; i < 5; ++i) fleet.turn();
  EXPECT_TRUE(fleet.watch.is_waiting());
  EXPECT_EQ(fleet.taken, Taken());
  // Its answer comes for a name that is not asked for any more.
  fleet.watch.watch({4, ""}, 4);
  wait_for(0);
  for (int i = 0; i < 5; ++i) fleet.turn();
  EXPECT_EQ(fleet.taken, Taken());
  wait_for(1);
}

}  // namespace
}  // namespace sekisho::test
