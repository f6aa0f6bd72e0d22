#include "config/scalars.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sekisho::config {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

template <class T>
struct Case {
  std::string_view text;
  std::optional<T> value;
};

TEST(Scalars, Counts) {
  const Case<std::uint64_t> cases[] = {{"0", 0},
                                       {"7", 7},
                                       {"18446744073709551615", UINT64_MAX},
                                       {"18446744073709551616", {}},
                                       {"010", {}},
                                       {"00", {}},
                                       {"", {}},
                                       {"-1", {}},
                                       {"+1", {}},
                                       {"1_000", {}},
                                       {"0x10", {}},
                                       {"1e3", {}},
                                       {"1.0", {}},
                                       {" 1", {}}};
  for (const auto& c : cases) {
    std::string problem;
    EXPECT_EQ(parse_count(c.text, problem), c.value) << c.text;
    EXPECT_EQ(problem.empty(), c.value.has_value()) << c.text;
  }
}

TEST(Scalars, ALeadingZeroIsExplained) {
  std::string problem;
  parse_count("010", problem);
  EXPECT_THAT(problem, HasSubstr("leading zero"));
}

TEST(Scalars, Durations) {
  const Case<Duration> cases[] = {{"250ms", 250ms},
                                  {"1s", 1s},
                                  {"5m", 5min},
                                  {"5min", 5min},
                                  {"2h", 2h},
                                  {"1d", 24h},
                                  {"0s", 0s},
                                  {"1.5s", 1500ms},
                                  {"0.25h", 15min},
                                  {"1.000000001s", 1'000'000'001ns},
                                  {"0.5ms", 500'000ns},
                                  {"5", {}},
                                  {"s", {}},
                                  {"", {}},
                                  {"5 s", {}},
                                  {"-5s", {}},
                                  {"1.s", {}},
                                  {".5s", {}},
                                  {"1.2.3s", {}},
                                  {"05s", {}},
                                  {"5S", {}},
                                  {"5sec", {}},
                                  {"99999999999d", {}},
                                  {"1e3s", {}}};
  for (const auto& c : cases) {
    std::string problem;
    EXPECT_EQ(parse_duration(c.text, problem), c.value) << c.text;
    EXPECT_EQ(problem.empty(), c.value.has_value()) << c.text;
  }
}

TEST(Scalars, ADurationWithoutUnitIsToldSo) {
  std::string problem;
  parse_duration("30", problem);
  EXPECT_THAT(problem, HasSubstr("has no unit"));
}

TEST(Scalars, Sizes) {
  const Case<std::uint64_t> cases[] = {
      {"0", 0},   {"512", 512}, {"64KiB", 65536}, {"2MiB", 2 * MiB}, {"3GiB", 3 * GiB},     {"1KB", {}},
      {"1K", {}}, {"KiB", {}},  {"1.5MiB", {}},   {"010", {}},       {"9999999999GiB", {}}, {"-1", {}}};
  for (const auto& c : cases) {
    std::string problem;
    EXPECT_EQ(parse_size(c.text, problem), c.value) << c.text;
    EXPECT_EQ(problem.empty(), c.value.has_value()) << c.text;
  }
}

TEST(Scalars, Rates) {
  struct RateCase {
    std::string_view text;
    std::uint64_t count;
    Duration period;
  };
  const RateCase good[] = {{"5/s", 5, 1s},       {"200/5min", 200, 5min}, {"1000/h", 1000, 1h},
                           {"1/d", 1, 24h},      {"3/100ms", 3, 100ms},   {"30/m", 30, 1min},
                           {"1/1.5s", 1, 1500ms}};
  for (const auto& c : good) {
    std::string problem;
    const auto rate = parse_rate(c.text, problem);
    ASSERT_TRUE(rate) << c.text << problem;
    EXPECT_EQ(rate->count, c.count) << c.text;
    EXPECT_EQ(rate->period, c.period) << c.text;
  }
  for (const std::string_view text : {"5", "5/", "/s", "", "5/fortnight", "0/s", "5/0s", "05/s", "5 / s",
                                      "5/s/s", "-1/s", "5r/s", "1.5/s"}) {
    std::string problem;
    EXPECT_FALSE(parse_rate(text, problem)) << text;
    EXPECT_NE(problem, "") << text;
  }
}

TEST(Scalars, Flags) {
  std::string problem;
  EXPECT_EQ(parse_flag("true", problem), true);
  EXPECT_EQ(parse_flag("false", problem), false);
  for (const std::string_view text : {"yes", "no", "on", "off", "True", "TRUE", "1", "0", "", "y"}) {
    EXPECT_FALSE(parse_flag(text, problem)) << text;
  }
}

TEST(Scalars, Shares) {
  std::string problem;
  EXPECT_EQ(parse_share("0.01", problem), 0.01);
  EXPECT_EQ(parse_share("1", problem), 1.0);
  EXPECT_EQ(parse_share("0", problem), 0.0);
  for (const std::string_view text : {"1.1", "-0.1", "", "nan", "inf", "1e-3", "1%", "."}) {
    EXPECT_FALSE(parse_share(text, problem)) << text;
  }
}

TEST(Scalars, DurationTextReadsBack) {
  for (const Duration duration : {Duration(0s), Duration(1ms), Duration(1500ms), Duration(90s),
                                  Duration(10min), Duration(36h), Duration(48h), Duration(250'000ns)}) {
    std::string problem;
    EXPECT_EQ(parse_duration(duration_text(duration), problem), duration) << duration_text(duration);
  }
}

TEST(Scalars, SizeTextReadsBack) {
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{1000}, 80 * KiB, 3 * MiB, 2 * GiB, GiB + 1}) {
    std::string problem;
    EXPECT_EQ(parse_size(size_text(size), problem), size) << size_text(size);
  }
}

}  // namespace
}  // namespace sekisho::config
