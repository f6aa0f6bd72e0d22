#include "proxy/policy/range_age.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>

#include "proxy/policy/aws_ip_ranges.hpp"
#include "proxy/policy/network_set.hpp"

namespace sekisho::policy {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> warnings(const config::ClientIp& client_ip,
                                  std::chrono::system_clock::time_point today) {
  config::Diagnostics diagnostics;
  diagnostics.add_file("f");
  add_range_age_warnings(client_ip, today, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  std::vector<std::string> lines;
  for (const config::Diagnostic& item : diagnostics.all()) lines.push_back(diagnostics.format(item));
  return lines;
}

TEST(RangeAge, TheBuiltInRangesAreGoodForNinetyDays) {
  const sys_days made = cloudfront_ranges_date();
  config::ClientIp client_ip;
  EXPECT_THAT(warnings(client_ip, made + days(1000)), IsEmpty());
  client_ip.trusted_proxies.push_back({"cloudfront", {0, 3, 7}});
  EXPECT_THAT(warnings(client_ip, made + days(90)), IsEmpty());
  EXPECT_THAT(warnings(client_ip, made - days(900)), IsEmpty());
  EXPECT_THAT(
      warnings(client_ip, made + days(91)),
      ElementsAre(testing::AllOf(testing::StartsWith("f:3:7: "), HasSubstr("more than 90 days ago"))));
}

TEST(RangeAge, AFileSaysItsOwnDay) {
  const std::string path = testing::TempDir() + "range_age.json";
  config::ClientIp client_ip;
  client_ip.aws_ip_ranges = {{{path, {0, 4, 2}}, "X"}};
  std::ofstream(path) << R"({"createDate": "2026-02-28-01-02-03", "prefixes": []})";
  const sys_days made = std::chrono::year(2026) / 2 / 28;
  EXPECT_THAT(warnings(client_ip, made + days(90)), IsEmpty());
  EXPECT_THAT(warnings(client_ip, made + days(91)), ElementsAre(HasSubstr("2026-02-28")));
  for (const char* text : {"", "[]", "{}", R"({"createDate": 3})", R"({"createDate": "2026-13-01"})",
                           R"({"createDate": "soon"})", R"({"createDate": "2026-0x-01"})"}) {
    std::ofstream(path) << text;
    EXPECT_THAT(warnings(client_ip, made + days(1000)), IsEmpty()) << text;
  }
  std::remove(path.c_str());
}

TEST(AwsIpRanges, APipeIsNotWaitedFor) {
  const std::string path = testing::TempDir() + "aws_ip_ranges.fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::string problem;
  EXPECT_FALSE(read_aws_ip_ranges(path, "X", problem));
  EXPECT_THAT(problem, HasSubstr("is not a regular file"));
  std::remove(path.c_str());
}

}  // namespace
}  // namespace sekisho::policy
