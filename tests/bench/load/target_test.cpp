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

TEST(Target, MoreConnectionsThanOneAddressHasPorts) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 8), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::string problem;
  const auto target = target_of("127.0.0.1:" + std::to_string(ntohs(address.sin_port)), problem);
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
  ::close(listener);
}

}  // namespace
}  // namespace sekisho::load
