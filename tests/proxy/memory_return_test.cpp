#include "proxy/memory_return.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace sekisho::proxy {
namespace {

constexpr std::uint64_t mib = 1024 * 1024;

struct MemoryReturnTest : testing::Test {
  Counters first, second;
  MemoryReturn memory{{&first, &second}};
  std::chrono::steady_clock::time_point now{std::chrono::hours(1)};

  // The looks of so many seconds, five in each; how many of them gave memory back.
  int looks(int seconds) {
    int gave = 0;
    for (int i = 0; i < 5 * seconds; ++i) {
      now += std::chrono::milliseconds(200);
      if (memory.look(now)) ++gave;
    }
    return gave;
  }
};

TEST_F(MemoryReturnTest, MuchIsGivenBackAtOnceAndWhatCameFreeAfterItOnceAllIsQuiet) {
  first.heap.took(30 * mib);
  EXPECT_EQ(looks(3), 0);
  first.heap.freed(20 * mib);
  now += std::chrono::milliseconds(200);
  EXPECT_TRUE(memory.look(now));
  first.heap.freed(mib);  // too little to hurry for
  EXPECT_EQ(looks(2), 1);
  EXPECT_EQ(looks(10), 0) << "nothing has come free since";
}

TEST_F(MemoryReturnTest, WhatRisesAndFallsBetweenTwoLooksIsSeen) {
  EXPECT_EQ(looks(1), 0);
  second.heap.took(10 * mib);
  second.heap.freed(10 * mib);
  EXPECT_EQ(looks(2), 1);
}

TEST_F(MemoryReturnTest, LittleThatComesAndGoesIsLeftAlone) {
  int gave = 0;
  for (int i = 0; i < 100; ++i) {  // ten seconds
    first.heap.took(mib);
    now += std::chrono::milliseconds(100);
    if (memory.look(now)) ++gave;
    first.heap.freed(mib);
    now += std::chrono::milliseconds(100);
    if (memory.look(now)) ++gave;
  }
  EXPECT_LE(gave, 5) << "every few seconds";
  EXPECT_GE(gave, 2);
}

TEST_F(MemoryReturnTest, VeryLittleIsKept) {
  first.heap.took(200 * 1024);
  first.heap.freed(200 * 1024);
  EXPECT_EQ(looks(30), 0);
}

}  // namespace
}  // namespace sekisho::proxy
