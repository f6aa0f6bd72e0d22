// What finish gives back: the charges of a request that a drain kept from the upstream, and of no other.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/in_process.hpp"

namespace sekisho::test {
namespace {

constexpr std::string_view yaml = R"(
listen: 127.0.0.1:0
upstream: {servers: "127.0.0.1:1", max_in_flight: 1}
log: {access: /dev/null}
limits: [{name: all, rate: 5/h}]
)";

constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: www.example.jp\r\n\r\n";

// Takes requests and never says a word.
struct SilentOrigin {
  SilentOrigin() {
    sockaddr_in address = loopback(0);
    ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener, 8);
    socklen_t size = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  ~SilentOrigin() {
    if (connection >= 0) ::close(connection);
    ::close(listener);
  }
  // Waits for a request.
  bool has_one() {
    const timeval patience{30, 0};
    ::setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connection = ::accept(listener, nullptr, nullptr);
    char bytes[64];
    return connection >= 0 && ::recv(connection, bytes, sizeof bytes, 0) > 0;
  }
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int connection = -1;
  std::uint16_t port = 0;
};

template <class Condition>
bool comes_true(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// How many more requests of 127.0.0.1 the limit admits.
int left(InProcessServer& server) {
  const auto engine = server.engine();
  const auto now = std::chrono::steady_clock::now();
  const std::vector<policy::Field> fields{{"Host", "www.example.jp", policy::FieldId::host}};
  policy::Admission admission;
  for (int count = 0;; ++count) {
    engine->admit({"GET", "/", 11, fields, *config::IpAddress::parse("127.0.0.1")}, now,
                  std::chrono::system_clock::now(), admission);
    if (admission.outcome != policy::Outcome::proxied) return count;
    engine->finish(admission, 200, now);
    admission.reset();
  }
}

TEST(Finish, GivesBackWhatADrainKeptFromTheUpstream) {
  SilentOrigin origin;
  InProcessServer server{std::string(yaml), origin.port};
  const int served = connect_to(server.port());
  ::send(served, request.data(), request.size(), MSG_NOSIGNAL);
  ASSERT_TRUE(origin.has_one());
  const int queued = connect_to(server.port());
  ::send(queued, request.data(), request.size(), MSG_NOSIGNAL);
  ASSERT_TRUE(comes_true([&] { return server.upstream().in_flight->waiting() == 1; }));
  EXPECT_EQ(server.server().stop(), 2u);
  // Of five: the one that the upstream had is spent, the one that still waited for it is not.
  EXPECT_EQ(left(server), 4);
  ::close(served);
  ::close(queued);
}

}  // namespace
}  // namespace sekisho::test
