#include "proxy/task_count.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace sekisho::proxy {
namespace {

using namespace std::chrono_literals;
using News = TaskCount::News;

constexpr ratelimit::Instant begin{};

std::vector<StreamEndpoint> addresses(std::initializer_list<const char*> texts) {
  std::vector<StreamEndpoint> result;
  for (const char* text : texts) {
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    if (::inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
      result.emplace_back(&v4, sizeof v4);
    } else if (::inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
      result.emplace_back(&v6, sizeof v6);
    } else {
      ADD_FAILURE() << text;
    }
  }
  return result;
}

TEST(TasksBehind, CountsDistinctAddressesOfTheLargerFamily) {
  EXPECT_EQ(tasks_behind({}), 0U);
  EXPECT_EQ(tasks_behind(addresses({"10.0.0.1"})), 1U);
  EXPECT_EQ(tasks_behind(addresses({"10.0.0.1", "10.0.0.2", "10.0.0.1"})), 2U);
  EXPECT_EQ(tasks_behind(addresses({"2001:db8::1", "2001:db8::2", "2001:db8::2"})), 2U);
  // Tasks of both families have an address of each; one of them may not be known yet.
  EXPECT_EQ(tasks_behind(addresses({"10.0.0.1", "2001:db8::1", "10.0.0.2", "2001:db8::2"})), 2U);
  EXPECT_EQ(tasks_behind(addresses({"10.0.0.1", "2001:db8::1", "2001:db8::2", "2001:db8::3"})), 3U);
}

TEST(TasksBehind, AreNoMoreThanTheFileMaySay) {
  std::vector<StreamEndpoint> many;
  for (std::uint32_t i = 0; i < 10'001; ++i) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(0x0a00'0000 + i);
    many.emplace_back(&address, sizeof address);
  }
  EXPECT_EQ(tasks_behind(many), 10'000U);
}

// What the number is after each of the answers.
std::vector<std::uint64_t> numbers(TaskCount count, std::initializer_list<std::uint64_t> answers) {
  std::vector<std::uint64_t> result;
  ratelimit::Instant now = begin;
  for (const std::uint64_t answer : answers) {
    count.see(answer, now += 5s);
    result.push_back(count.number());
  }
  return result;
}

using Numbers = std::vector<std::uint64_t>;

TEST(TaskCount, HoldsWhatItWasToldUntilTheFirstAnswer) {
  TaskCount count(1);
  EXPECT_EQ(count.number(), 1U);
  EXPECT_FALSE(count.counted());
  EXPECT_EQ(numbers(TaskCount(1), {0, 0, 3}), (Numbers{1, 1, 3}));
  // A number that was never counted is no reason to wait.
  EXPECT_EQ(numbers(TaskCount(9), {0, 2}), (Numbers{9, 2}));
}

TEST(TaskCount, ARiseCountsAtOnce) {
  EXPECT_EQ(numbers(TaskCount(1), {2, 3, 7}), (Numbers{2, 3, 7}));
}

TEST(TaskCount, AFallCountsWhenSeenThreeTimesInARow) {
  EXPECT_EQ(numbers(TaskCount(1), {4, 3, 3, 3}), (Numbers{4, 4, 4, 3}));
  EXPECT_EQ(numbers(TaskCount(1), {4, 3, 3, 4, 3, 3, 3}), (Numbers{4, 4, 4, 4, 4, 4, 3})) << "one came back";
  EXPECT_EQ(numbers(TaskCount(1), {4, 1, 3, 2, 2, 2}), (Numbers{4, 4, 4, 3, 3, 2}))
      << "no further than the most of the three";
  EXPECT_EQ(numbers(TaskCount(1), {4, 3, 5, 4, 4, 4}), (Numbers{4, 4, 5, 5, 5, 4}));
}

TEST(TaskCount, ALookUpWithoutAnAnswerSaysNothing) {
  EXPECT_EQ(numbers(TaskCount(1), {4, 0, 0, 0, 0, 0}), (Numbers{4, 4, 4, 4, 4, 4}));
  EXPECT_EQ(numbers(TaskCount(1), {4, 3, 0, 3, 0, 3}), (Numbers{4, 4, 4, 4, 4, 3}))
      << "nor does it end a row";
}

TEST(TaskCount, NewsIsAnotherNumberOrTheFirstAnswer) {
  TaskCount count(1);
  EXPECT_EQ(count.see(1, begin), News::counted) << "the same number, but counted now";
  EXPECT_TRUE(count.counted());
  EXPECT_EQ(count.see(1, begin), News::none);
  EXPECT_EQ(count.see(2, begin), News::counted);
  EXPECT_EQ(count.see(1, begin), News::none);
  EXPECT_EQ(count.see(1, begin), News::none);
  EXPECT_EQ(count.see(1, begin), News::counted);
}

TEST(TaskCount, AFailureIsNewsOnceAMinute) {
  TaskCount count(1);
  EXPECT_EQ(count.see(0, begin), News::no_answer);
  EXPECT_EQ(count.see(0, begin + 5s), News::none);
  EXPECT_EQ(count.see(2, begin + 10s), News::counted);
  EXPECT_EQ(count.see(0, begin + 59s), News::none) << "also where answers came between";
  EXPECT_EQ(count.see(0, begin + 60s), News::no_answer);
  EXPECT_EQ(count.number(), 2U);
}

}  // namespace
}  // namespace sekisho::proxy
