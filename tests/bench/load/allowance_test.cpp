#include "bench/load/allowance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>

namespace sekisho::load {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t millisecond = 1'000'000;

// What moves within 100 seconds whose ticks come late by up to 40 ms, where a socket has no more than
// `room` at a tick.
std::uint64_t moved(std::uint64_t rate, std::uint64_t room) {
  Allowance allowance;
  std::int64_t now = 7 * second;
  const std::int64_t begin = now;
  allowance.begin(now);
  std::uint64_t total = 0;
  for (unsigned tick = 0; now < begin + 100 * second; ++tick) {
    now = std::min(now + 50 * millisecond + tick * 7 % 41 * millisecond, begin + 100 * second);
    const std::uint64_t bytes = std::min(allowance.bytes(rate, now), room);
    allowance.spend(rate, bytes);
    total += bytes;
    EXPECT_LE(static_cast<double>(total),
              static_cast<double>(rate) * static_cast<double>(now - begin) / second + 1);
  }
  return total;
}

TEST(Allowance, TheRateIsHeldHoweverLateTheTicks) {
  for (const std::uint64_t rate : {1U, 7U, 10'240U, 51'200U, 1U << 20, 1U << 30}) {
    const std::uint64_t due = 100 * rate;
    EXPECT_GE(moved(rate, UINT64_MAX), due - due / 1'000'000 - 1) << rate;
  }
}

TEST(Allowance, WhatTheSocketHadNotIsMadeUpFor) {
  // Every other tick has less than what has become due by then; twice a tick's piece is enough.
  constexpr std::uint64_t rate = 51'200;
  EXPECT_GE(moved(rate, rate / 10), 99 * rate);
}

TEST(Allowance, NothingAtFirstAndAByteWhenItIsDue) {
  Allowance allowance;
  allowance.begin(5 * second);
  EXPECT_EQ(allowance.bytes(10, 5 * second), 0U);
  EXPECT_EQ(allowance.bytes(10, 5 * second + 99 * millisecond), 0U);
  EXPECT_EQ(allowance.bytes(10, 5 * second + 100 * millisecond), 1U);
}

TEST(Allowance, ALongWaitIsNotMadeUpFor) {
  Allowance allowance;
  allowance.begin(0);
  EXPECT_EQ(allowance.bytes(1000, 60 * second), 2000U);
  allowance.begin(60 * second);
  EXPECT_EQ(allowance.bytes(1000, 60 * second), 0U);
}

}  // namespace
}  // namespace sekisho::load
