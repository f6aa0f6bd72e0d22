#include "proxy/policy/network_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

namespace sekisho::policy {
namespace {

using config::IpAddress;
using config::Network;

const std::string ranges_file = SEKISHO_SOURCE_DIR "/proxy/policy/data/cloudfront_ranges.json";

NetworkSet set_of(const std::vector<std::string>& entries) {
  config::Diagnostics diagnostics;
  config::Texts texts;
  for (const std::string& entry : entries) texts.push_back({entry, {}});
  NetworkSet set = NetworkSet::compile(texts, {}, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  return set;
}

std::string error_of(const std::string& entry) {
  config::Diagnostics diagnostics;
  NetworkSet::compile({{entry, {0, 3, 7}}}, {}, diagnostics);
  if (diagnostics.all().size() != 1 || diagnostics.all()[0].mark.line != 3) return "not one located error";
  return diagnostics.all()[0].message;
}

bool has(const NetworkSet& set, const char* address) {
  return set.contains(*IpAddress::parse(address));
}

TEST(NetworkSet, KnowsTheNamedSets) {
  const NetworkSet loopback = set_of({"loopback"});
  EXPECT_TRUE(has(loopback, "127.255.255.255") && has(loopback, "::1"));
  EXPECT_FALSE(has(loopback, "128.0.0.0") || has(loopback, "126.255.255.255") || has(loopback, "::2"));
  const NetworkSet inner = set_of({"private"});
  for (const char* address :
       {"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1", "fd00::1"})
    EXPECT_TRUE(has(inner, address)) << address;
  for (const char* address : {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.169.0.0",
                              "fe00::", "fbff::1", "100.64.0.1", "127.0.0.1"})
    EXPECT_FALSE(has(inner, address)) << address;
  const NetworkSet link = set_of({"link_local"});
  EXPECT_TRUE(has(link, "169.254.169.254") && has(link, "fe80::1") && has(link, "febf::"));
  EXPECT_FALSE(has(link, "169.255.0.0") || has(link, "fec0::"));
}

TEST(NetworkSet, CloudfrontIsEveryPrefixOfTheFile) {
  std::ifstream file(ranges_file);
  const auto json = nlohmann::json::parse(file);
  const NetworkSet set = set_of({"cloudfront"});
  std::size_t prefixes = 0;
  for (const auto& [list, field] :
       {std::pair{"prefixes", "ip_prefix"}, std::pair{"ipv6_prefixes", "ipv6_prefix"}}) {
    for (const auto& entry : json[list]) {
      EXPECT_TRUE(set.contains(Network::parse(entry[field].get<std::string>())->address())) << entry;
      ++prefixes;
    }
  }
  EXPECT_GT(prefixes, 49U);
  EXPECT_FALSE(has(set, "8.8.8.8"));
  const std::string made = json["createDate"];
  char text[16];
  const auto date = cloudfront_ranges_date();
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  EXPECT_EQ(made.substr(0, 10), text);
  EXPECT_TRUE(date.ok());
}

TEST(NetworkSet, ReadsAwsFiles) {
  config::Diagnostics diagnostics;
  const std::vector<config::AwsIpRanges> files = {{{ranges_file, {}}, "CLOUDFRONT_ORIGIN_FACING"}};
  const NetworkSet set = NetworkSet::compile({}, files, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  EXPECT_TRUE(has(set, "130.176.0.1"));
  EXPECT_FALSE(has(set, "23.228.249.1"));  // of the service CLOUDFRONT alone
}

TEST(NetworkSet, AnAwsFileThatSaysNothingIsAnError) {
  const std::string broken = testing::TempDir() + "broken_ip_ranges.json";
  const auto message = [](const std::string& path, const std::string& service) {
    config::Diagnostics diagnostics;
    const std::vector<config::AwsIpRanges> files = {{{path, {0, 1, 1}}, service}};
    NetworkSet::compile({}, files, diagnostics);
    return diagnostics.all().size() == 1 ? diagnostics.all()[0].message : "not one error";
  };
  EXPECT_NE(message(ranges_file, "CLOUDFRONT_ORIGIN").find("did you mean"), std::string::npos)
      << message(ranges_file, "CLOUDFRONT_ORIGIN");
  EXPECT_NE(message("/nowhere/ranges.json", "X").find("cannot be opened"), std::string::npos);
  for (const char* text :
       {"", "{", "[]", "{\"prefixes\": 3}", "{\"prefixes\": [3]}", "{\"prefixes\": [{\"service\": 1}]}",
        "{\"prefixes\": [{\"service\": \"X\", \"ip_prefix\": \"10.1.0.0/8\"}]}"}) {
    std::ofstream(broken) << text;
    EXPECT_NE(message(broken, "X").find("not in the form"), std::string::npos) << text;
  }
  std::remove(broken.c_str());
}

TEST(NetworkSet, SaysWhatIsWrong) {
  EXPECT_NE(error_of("cloudfrnt").find("did you mean cloudfront?"), std::string::npos)
      << error_of("cloudfrnt");
  EXPECT_NE(error_of("10.0.0.1/8").find("did you mean 10.0.0.0/8?"), std::string::npos);
  EXPECT_NE(error_of("10.0.0.0/99").find("prefix length"), std::string::npos);
}

// Against the plain definition: some network contains it.
TEST(NetworkSet, AgreesWithItsNetworksOneByOne) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    NetworkSet set;
    std::vector<Network> networks;
    for (int i = 0; i < 40; ++i) {
      const bool v4 = random() % 2 == 0;
      std::array<std::uint8_t, 16> bytes{};
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() % 4);
      const IpAddress any =
          v4 ? IpAddress::v4(static_cast<std::uint32_t>(random()) & 0x03030303) : IpAddress::v6(bytes);
      const unsigned bits = static_cast<unsigned>(random()) % (v4 ? 33 : 129);
      networks.push_back(*Network::parse(any.truncated(bits, bits).to_string() + "/" + std::to_string(bits)));
    }
    for (const Network& network : networks) set.add(network);
    set.seal();
    for (int i = 0; i < 400; ++i) {
      std::array<std::uint8_t, 16> bytes{};
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() % 4);
      const IpAddress address = random() % 2 == 0
                                    ? IpAddress::v4(static_cast<std::uint32_t>(random()) & 0x03030303)
                                    : IpAddress::v6(bytes);
      const bool expected = std::any_of(networks.begin(), networks.end(),
                                        [&](const Network& each) { return each.contains(address); });
      ASSERT_EQ(set.contains(address), expected) << address.to_string();
    }
  }
}

}  // namespace
}  // namespace sekisho::policy
