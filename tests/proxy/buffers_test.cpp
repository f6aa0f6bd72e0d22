#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "proxy/block_chain.hpp"
#include "proxy/buffer_pool.hpp"
#include "proxy/input_buffer.hpp"

namespace sekisho::proxy {
namespace {

struct Buffers : testing::Test {
  BufferBudget budget{4 * 1024 * 1024};
  Count held;
  HeapUse heap;
  BufferPool pool{budget, held, heap};

  static std::string content(const BlockChain& chain, std::size_t offset = 0) {
    std::array<boost::asio::const_buffer, 256> buffers;
    const std::size_t count = chain.peek(buffers, offset);
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
      all.append(static_cast<const char*>(buffers[i].data()), buffers[i].size());
    return all;
  }
};

TEST_F(Buffers, ThePoolCountsWhatIsHeldAndRefusesPastTheTotal) {
  char* first = pool.take(2 * 1024 * 1024, false);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(held.get(), 2u * 1024 * 1024);
  EXPECT_EQ(pool.take(4 * 1024 * 1024, false), nullptr);
  char* must = pool.take(4 * 1024 * 1024, true);
  ASSERT_NE(must, nullptr);
  pool.give(must, 4 * 1024 * 1024);
  pool.give(first, 2 * 1024 * 1024);
  EXPECT_EQ(held.get(), 0u);
  EXPECT_TRUE(pool.has_room(64 * 1024));
}

TEST_F(Buffers, WhatTheHeapGaveIsCountedUntilItIsFreed) {
  constexpr std::size_t size = 2 * 1024 * 1024;  // more than is kept of it for reuse
  EXPECT_EQ(heap.take_most(heap.held()), 0U);
  char* first = pool.take(size, false);
  char* second = pool.take(size / 2, false);
  pool.give(first, size);
  EXPECT_EQ(heap.held(), size + size / 2) << "kept for reuse";
  pool.give(second, size / 2);
  pool.trim();
  pool.trim();
  EXPECT_EQ(held.get(), 0U);
  EXPECT_EQ(heap.held(), size + size / 2) << "the one that a worker keeps of each";
  std::vector<char*> many;
  for (int i = 0; i < 100; ++i) many.push_back(pool.take(4096, false));
  for (char* buffer : many) pool.give(buffer, 4096);
  pool.trim();
  EXPECT_EQ(heap.held(), size + size / 2 + 64 * 4096);
  EXPECT_EQ(heap.take_most(heap.held()), size + size / 2 + 100 * 4096) << "between two looks too";
  EXPECT_EQ(heap.take_most(heap.held()), heap.held()) << "counted from the last look";
}

TEST_F(Buffers, WhatComesFreePaysAnOverdraftBackBeforeAnybodyReadsAhead) {
  constexpr std::size_t block = 64 * 1024;
  char* all = pool.take(4 * 1024 * 1024, false);
  ASSERT_NE(all, nullptr);
  char* first = pool.take(block, true);
  char* second = pool.take(block, true);
  pool.give(first, block);
  EXPECT_FALSE(pool.has_room(block));
  pool.give(second, block);
  EXPECT_FALSE(pool.has_room(block));
  pool.give(all, 4 * 1024 * 1024);
  EXPECT_TRUE(pool.has_room(block));
}

TEST_F(Buffers, WhatIsGivenBackByOnePoolServesAnother) {
  Count other_held;
  HeapUse other_heap;
  BufferPool other(budget, other_held, other_heap);
  char* all = pool.take(4 * 1024 * 1024, false);
  ASSERT_NE(all, nullptr);
  EXPECT_FALSE(other.has_room(4096));
  pool.give(all, 4 * 1024 * 1024);
  EXPECT_TRUE(other.has_room(4096));
}

TEST_F(Buffers, AChainGivesBackWhatWentInWhateverTheSteps) {
  std::mt19937_64 random(11);
  BlockChain chain(pool);
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    if (random() % 2 == 0) {
      const std::string bytes(random() % 40'000, static_cast<char>('a' + i % 26));
      chain.append(bytes);
      expected += bytes;
    } else if (!expected.empty()) {
      const std::size_t n = random() % (expected.size() + 1);
      chain.consume(n);
      expected.erase(0, n);
    }
    ASSERT_EQ(chain.size(), expected.size());
    if (expected.size() < 1'000'000) {
      const std::size_t offset = expected.empty() ? 0 : random() % expected.size();
      ASSERT_EQ(content(chain, offset), expected.substr(offset));
    }
  }
  chain.clear();
  EXPECT_EQ(held.get(), 0u);
}

TEST_F(Buffers, InputGrowsToItsBoundAndKeepsWhatIsUnread) {
  InputBuffer input(pool);
  ASSERT_TRUE(input.make_room(4096, 8192));
  std::string expected;
  for (int i = 0; input.make_room(4096, 8192); ++i) {
    const auto space = input.space();
    const std::size_t n = std::min<std::size_t>(space.size(), 1000);
    const std::string bytes(n, static_cast<char>('a' + i));
    std::copy(bytes.begin(), bytes.end(), space.begin());
    input.filled(n);
    expected += bytes;
  }
  EXPECT_EQ(expected.size(), 8192u);
  EXPECT_EQ(input.unread(), expected);
  input.consume(100);
  EXPECT_TRUE(input.make_room(4096, 8192));
  EXPECT_EQ(input.unread(), expected.substr(100));
  input.prepend("front");
  EXPECT_EQ(input.unread(), "front" + expected.substr(100));
  input.release();
  EXPECT_EQ(held.get(), 0u);
}

}  // namespace
}  // namespace sekisho::proxy
