#include "proxy/top_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

namespace sekisho::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

// A multiple of a generation's length.
constexpr ratelimit::Instant base{ratelimit::RecentHitters::generation * 1000};

class Top : public testing::Test {
 protected:
  Top() {
    for (int i = 0; i < 2; ++i) workers_.push_back(std::make_shared<Talkers>(base));
  }

  void record(std::size_t worker, const char* client, std::string_view path, bool refused = false,
              int times = 1) {
    for (int i = 0; i < times; ++i)
      workers_[worker]->record(*config::IpAddress::parse(client), prefixes_, path, refused, now_);
  }
  TopReport report(std::size_t n = 10) { return make_top_report(workers_, n, now_); }
  static std::vector<std::string> texts(const std::vector<TopEntry>& entries) {
    std::vector<std::string> result;
    for (const TopEntry& entry : entries) {
      EXPECT_EQ(entry.requests_error + entry.refusals_error, 0u);
      result.push_back(entry.text + " " + std::to_string(entry.requests) + " " +
                       std::to_string(entry.refusals));
    }
    return result;
  }

  std::vector<std::shared_ptr<Talkers>> workers_;
  config::ClientIp prefixes_;
  ratelimit::Instant now_ = base + 1s;
};

TEST_F(Top, AddsUpTheWorkers) {
  record(0, "203.0.113.7", "/a", false, 3);
  record(1, "203.0.113.7", "/b", true, 4);
  record(1, "198.51.100.1", "/a", false, 5);
  record(0, "198.51.100.2", "", true, 2);
  const TopReport top = report();
  EXPECT_EQ(top.requests, 14u);
  EXPECT_EQ(top.refusals, 6u);
  EXPECT_EQ(top.workers, 2u);
  EXPECT_EQ(top.answered, 2u);
  EXPECT_NEAR(top.window_seconds, 1, 1e-6);
  EXPECT_THAT(texts(top.clients.by_requests),
              ElementsAre("203.0.113.7 7 4", "198.51.100.1 5 0", "198.51.100.2 2 2"));
  EXPECT_THAT(texts(top.clients.by_refusals), ElementsAre("203.0.113.7 7 4", "198.51.100.2 2 2"));
  EXPECT_THAT(texts(top.paths.by_requests), ElementsAre("/a 8 0", "/b 4 4"));
  EXPECT_THAT(texts(top.paths.by_refusals), ElementsAre("/b 4 4"));
  EXPECT_THAT(texts(report(1).clients.by_requests), ElementsAre("203.0.113.7 7 4"));
}

TEST_F(Top, AddressesOfOnePrefixAreOneClient) {
  record(0, "2001:db8:1:2::7", "/");
  record(1, "2001:db8:1:2:ffff::1", "/");
  record(1, "2001:db8:1:3::1", "/");
  EXPECT_THAT(texts(report().clients.by_requests),
              ElementsAre("2001:db8:1:2::/64 2 0", "2001:db8:1:3::/64 1 0"));
  prefixes_.prefix_ipv4 = 24;
  prefixes_.prefix_ipv6 = 128;
  record(0, "203.0.113.7", "/", false, 5);
  record(0, "2001:db8:1:2::7", "/", false, 4);
  EXPECT_THAT(texts(report(2).clients.by_requests), ElementsAre("203.0.113.0/24 5 0", "2001:db8:1:2::7 4 0"));
}

TEST_F(Top, OldTalkersGo) {
  record(0, "203.0.113.7", "/", true, 3);
  now_ = base + 299s;
  EXPECT_EQ(report().requests, 3u);
  EXPECT_NEAR(report().window_seconds, 299, 1e-6);
  now_ = base + 300s;
  EXPECT_EQ(report().requests, 0u);
  EXPECT_TRUE(report().clients.by_refusals.empty());
  EXPECT_NEAR(report().window_seconds, 150, 1e-6);
}

TEST_F(Top, OfAHungWorkerNothingIsKnown) {
  record(0, "203.0.113.7", "/");
  record(1, "203.0.113.7", "/");
  workers_[1] = nullptr;
  EXPECT_EQ(report().requests, 1u);
  EXPECT_EQ(report().answered, 1u);
  EXPECT_THAT(top_table(report()), HasSubstr("1 of 2 workers did not answer"));
}

TEST_F(Top, MoreClientsThanSlotsShowTheirErrors) {
  for (std::uint32_t i = 0; i < 5 * Talkers::slots; ++i) {
    workers_[0]->record(config::IpAddress::v4(0x0a000000 + i), prefixes_, "/", false, now_);
    if (i % 10 == 0) record(0, "203.0.113.7", "/scan", true);
  }
  const TopReport top = report();
  const TopEntry& first = top.clients.by_requests.front();
  EXPECT_EQ(first.text, "203.0.113.7");
  EXPECT_GE(first.requests, 512u);
  EXPECT_LE(first.requests - first.requests_error, 512u);
  EXPECT_EQ(first.refusals, 512u);
  EXPECT_EQ(first.refusals_error, 0u);
  EXPECT_THAT(top_table(top), HasSubstr("1-"));
}

TEST_F(Top, AnyByteStaysInItsPlace) {
  using namespace std::string_literals;
  const std::string nasty = "/\x1b]0;owned\x07\"\\\n\r\0\x7f\xff\xc2\x9b\xe2\x80\xae%1b {"s;
  record(0, "203.0.113.7", nasty, true, 2);
  const std::string json = top_json(report());
  for (const char c : json) EXPECT_TRUE(static_cast<unsigned char>(c) >= ' ' && c != '\x7f') << c;
  const auto document = nlohmann::json::parse(json);
  EXPECT_EQ(document["paths"]["requests"].size(), 1u);
  EXPECT_EQ(document["paths"]["requests"][0]["requests"], 2);
  EXPECT_EQ(document["clients"]["refusals"][0]["client"], "203.0.113.7");
  const std::string table = top_table(report());
  for (const char c : table) EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
  EXPECT_THAT(table, HasSubstr("/%1B]0;owned%07\"\\%0A%0D%00%7F%FF%C2%9B%E2%80%AE%251b%20{"));
}

}  // namespace
}  // namespace sekisho::proxy
