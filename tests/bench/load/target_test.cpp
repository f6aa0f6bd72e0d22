#include "bench/load/target.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "config/endpoint.hpp"

namespace sekisho::load {
namespace {

std::optional<Target> target_of(std::string_view text, std::string& problem) {
  const auto endpoint = config::parse_endpoint(text, config::EndpointUse::connect, {}, problem);
  return endpoint ? resolve(*endpoint, problem) : std::nullopt;
}

TEST(Target, WhatHostSays) {
  std::string problem;
  EXPECT_EQ(target_of("127.0.0.1:80", problem)->host, "127.0.0.1:80");
  EXPECT_EQ(target_of("[::1]:80", problem)->host, "[::1]:80");
  EXPECT_EQ(target_of("unix:/tmp/socket", problem)->host, "localhost");
}

TEST(Target, ThatCannotBe) {
  std::string problem;
  EXPECT_FALSE(target_of("nowhere.invalid:80", problem));
  EXPECT_THAT(problem, testing::StartsWith("nowhere.invalid: "));
}

// A socket of 127.0.0.1, which `listens` or refuses every connection, and where it is.
class Place {
 public:
  explicit Place(bool listens) {
    auto& address = reinterpret_cast<sockaddr_in&>(address_.storage);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address_.size = sizeof address;
    auto* const pointer = reinterpret_cast<sockaddr*>(&address_.storage);
    EXPECT_EQ(::bind(fd_, pointer, address_.size), 0);
    if (listens) {
      EXPECT_EQ(::listen(fd_, 8), 0);
    }
    EXPECT_EQ(::getsockname(fd_, pointer, &address_.size), 0);
  }
  ~Place() { ::close(fd_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  const SocketAddress& address() const { return address_; }
  std::uint16_t port() const {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address_.storage).sin_port);
  }

 private:
  int fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
  SocketAddress address_;
};

TEST(Target, TheFirstAddressThatConnects) {
  const Place refuses(false), listens(true), also(true);
  const auto port_of = [](const SocketAddress& address) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
  };
  EXPECT_EQ(port_of(first_that_connects({refuses.address(), listens.address(), also.address()})),
            listens.port());
  EXPECT_EQ(port_of(first_that_connects({also.address(), listens.address()})), also.port());
  EXPECT_EQ(port_of(first_that_connects({refuses.address()})), refuses.port());
}

// Whatever addresses this machine has for the name: only 127.0.0.1 listens.
TEST(Target, ANameOfBothFamilies) {
  const Place listens(true);
  std::string problem;
  const auto target = target_of("localhost:" + std::to_string(listens.port()), problem);
  ASSERT_TRUE(target) << problem;
  EXPECT_TRUE(target->loopback_v4());
}

TEST(Target, MoreConnectionsThanOneAddressHasPorts) {
  const Place listens(true);
  std::string problem;
  const auto target = target_of("127.0.0.1:" + std::to_string(listens.port()), problem);
  ASSERT_TRUE(target) << problem;

  const auto source_of = [&](std::uint64_t connection, std::uint64_t connections) {
    bool connected = false;
    const int fd = begin_connect(*target, connection, connections, 0, connected);
    EXPECT_GE(fd, 0);
    pollfd waiting{fd, POLLOUT, 0};
    if (!connected) ::poll(&waiting, 1, -1);
    sockaddr_in source{};
    socklen_t length = sizeof source;
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&source), &length), 0);
    ::close(fd);
    return std::string(::inet_ntoa(source.sin_addr));
  };
  EXPECT_EQ(source_of(19'999, 20'000), "127.0.0.1");
  EXPECT_EQ(source_of(0, 50'000), "127.0.1.1");
  EXPECT_EQ(source_of(19'999, 50'000), "127.0.1.1");
  EXPECT_EQ(source_of(40'000, 50'000), "127.0.1.3");
}

}  // namespace
}  // namespace sekisho::load
