#include "config/endpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sekisho::config {
namespace {

using Kind = Endpoint::Kind;

TEST(Endpoints, Understood) {
  struct Case {
    std::string_view text;
    EndpointUse use;
    Kind kind;
    std::string_view host;
    std::uint16_t port;
  };
  const Case cases[] = {
      {"127.0.0.1:3000", EndpointUse::connect, Kind::ip, "127.0.0.1", 3000},
      {"[::1]:3000", EndpointUse::connect, Kind::ip, "::1", 3000},
      {"app:3000", EndpointUse::connect, Kind::name, "app", 3000},
      {"app.internal.example:65535", EndpointUse::connect, Kind::name, "app.internal.example", 65535},
      {"web_1:80", EndpointUse::connect, Kind::name, "web_1", 80},
      {"unix:/run/puma.sock", EndpointUse::connect, Kind::unix_path, "/run/puma.sock", 0},
      {"0.0.0.0:8080", EndpointUse::listen, Kind::ip, "0.0.0.0", 8080},
      {"[::]:0", EndpointUse::listen, Kind::ip, "::", 0},
      {"unix:/run/s.sock", EndpointUse::listen, Kind::unix_path, "/run/s.sock", 0},
  };
  for (const Case& c : cases) {
    std::string problem;
    const auto endpoint = parse_endpoint(c.text, c.use, {1, 2, 3}, problem);
    ASSERT_TRUE(endpoint) << c.text << ": " << problem;
    EXPECT_EQ(endpoint->kind, c.kind) << c.text;
    EXPECT_EQ(endpoint->host, c.host) << c.text;
    EXPECT_EQ(endpoint->port, c.port) << c.text;
    EXPECT_EQ(endpoint->text, c.text);
    EXPECT_EQ(endpoint->mark.line, 2U);
  }
}

TEST(Endpoints, Refused) {
  struct Case {
    std::string_view text;
    EndpointUse use;
    std::string_view says;
  };
  const std::string long_path = "unix:/" + std::string(200, 'x');
  const Case cases[] = {
      {"", EndpointUse::connect, "has no port"},
      {"app", EndpointUse::connect, "has no port"},
      {"app:", EndpointUse::connect, "has no port"},
      {"3000", EndpointUse::connect, "write HOST:PORT, such as 127.0.0.1:3000"},
      {":3000", EndpointUse::connect, "HOST:PORT"},
      {"app:0", EndpointUse::connect, "port from 1 to 65535"},
      {"app:65536", EndpointUse::connect, "port from 1 to 65535"},
      {"app:080", EndpointUse::connect, "port from 1 to 65535"},
      {"app:http", EndpointUse::connect, "port from 1 to 65535"},
      {"http://app:80", EndpointUse::connect, "is a URL"},
      {"::1:3000", EndpointUse::connect, "in brackets"},
      {"[::1", EndpointUse::connect, "in brackets"},
      {"[app]:80", EndpointUse::connect, "valid IP address"},
      {"[127.0.0.1]:80", EndpointUse::connect, "valid IP address"},
      {"127.0.0.01:80", EndpointUse::connect, "valid IP address"},
      {"256.0.0.1:80", EndpointUse::connect, "valid IP address"},
      {"2130706433:80", EndpointUse::connect, "valid IP address"},
      {"a b:80", EndpointUse::connect, "HOST:PORT"},
      {"a..b:80", EndpointUse::connect, "HOST:PORT"},
      {"unix:run/x", EndpointUse::connect, "absolute"},
      {"unix:", EndpointUse::connect, "absolute"},
      {long_path, EndpointUse::connect, "shorter than"},
      {"localhost:80", EndpointUse::listen, "an IP address is needed"},
      {"*:80", EndpointUse::listen, "an IP address is needed"},
      {"8080", EndpointUse::listen, "write HOST:PORT, such as 0.0.0.0:8080"},
  };
  for (const Case& c : cases) {
    std::string problem;
    EXPECT_FALSE(parse_endpoint(c.text, c.use, {}, problem)) << c.text;
    EXPECT_THAT(problem, testing::HasSubstr(std::string(c.says))) << c.text;
  }
}

}  // namespace
}  // namespace sekisho::config
