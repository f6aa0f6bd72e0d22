#include "proxy/slab_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace sekisho::proxy {
namespace {

constexpr std::size_t size = 1024;
constexpr std::size_t blocks_a_slab = (SlabPool::slab_bytes - 64) / size;

// Takes blocks, and gives them all back at its end.
class Blocks {
 public:
  explicit Blocks(Lasting lasting) : lasting_(lasting) {}
  ~Blocks() { release(); }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  void take(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) all_.push_back(SlabPool::allocate(size, lasting_));
  }
  void release() {
    for (void* block : all_) SlabPool::release(block, size, lasting_);
    all_.clear();
  }
  // Gives back all but every `nth`.
  void release_but(std::size_t nth) {
    std::vector<void*> kept;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (i % nth == 0) {
        kept.push_back(all_[i]);
      } else {
        SlabPool::release(all_[i], size, lasting_);
      }
    }
    all_ = std::move(kept);
  }
  std::set<std::uintptr_t> slabs() const {
    std::set<std::uintptr_t> found;
    for (void* block : all_) found.insert(reinterpret_cast<std::uintptr_t>(block) / SlabPool::slab_bytes);
    return found;
  }

 private:
  Lasting lasting_;
  std::vector<void*> all_;
};

std::uint64_t in_hand() {
  const SlabPool::Slabs slabs = SlabPool::slabs();
  return slabs.taken - slabs.given_back;
}

void trim(int ticks) {
  for (int i = 0; i < ticks; ++i) SlabPool::trim();
}

// What a burst needed is given back within a dozen ticks, what the traffic needs is kept.
TEST(SlabPool, GivesBackWhatNobodyNeeded) {
  constexpr std::size_t burst = 1000, steady = 200;
  const std::uint64_t before = in_hand();
  Blocks blocks(Lasting::request);
  blocks.take(burst);
  blocks.release();
  const std::uint64_t most = in_hand() - before;
  EXPECT_GE(most, burst / blocks_a_slab);
  SlabPool::trim();  // what came before is not looked at
  for (int tick = 0; tick < 20; ++tick) {
    const std::uint64_t taken = SlabPool::slabs().taken;
    blocks.take(steady);
    blocks.release();
    EXPECT_EQ(SlabPool::slabs().taken, taken) << "at tick " << tick;
    SlabPool::trim();
  }
  EXPECT_LE(in_hand() - before, (steady + 64) / blocks_a_slab + 2);
}

TEST(SlabPool, WhatLastsLeavesTheSlabsOfABurstFree) {
  const std::uint64_t before = in_hand();
  Blocks requests(Lasting::request), connections(Lasting::connection);
  for (int i = 0; i < 1000; ++i) {
    requests.take(1);
    connections.take(1);
  }
  for (const std::uintptr_t slab : connections.slabs()) EXPECT_FALSE(requests.slabs().contains(slab));
  requests.release();
  trim(20);
  EXPECT_LE(in_hand() - before, 1000 / blocks_a_slab + 1 + 64 / blocks_a_slab + 2);
}

// So that of two half empty slabs one becomes free as time goes by.
TEST(SlabPool, SlabsInUseFillUpBeforeOthersAreBegun) {
  Blocks blocks(Lasting::connection);
  blocks.take(1000);
  blocks.release_but(500);
  trim(20);
  const std::set<std::uintptr_t> in_use = blocks.slabs();
  Blocks more(Lasting::connection);
  more.take(blocks_a_slab / 2);
  for (const std::uintptr_t slab : more.slabs()) EXPECT_TRUE(in_use.contains(slab));
}

TEST(SlabPool, BlocksInUseStayWhateverIsGivenBackAroundThem) {
  Blocks blocks(Lasting::request);
  blocks.take(1000);
  blocks.release_but(7);  // every slab is in use
  const std::uint64_t before = in_hand();
  trim(50);
  EXPECT_EQ(in_hand(), before);
  blocks.take(500);
  EXPECT_EQ(in_hand(), before) << "the free blocks are there still";
}

TEST(SlabPool, AThreadThatEndsGivesItsSlabsBack) {
  const std::uint64_t before = in_hand();
  Blocks outlives(Lasting::request);
  std::thread([&] {
    Blocks blocks(Lasting::request);
    blocks.take(1000);
    outlives.take(1);
  }).join();
  EXPECT_EQ(in_hand() - before, 1U) << "the one with a block in use";
}

TEST(SlabPool, BlocksAreAlignedAndDistinctWhateverTheirSize) {
  for (std::size_t bytes = 1; bytes <= 5000; bytes += 61) {
    std::vector<char*> all;
    for (int i = 0; i < 40; ++i) {
      all.push_back(static_cast<char*>(SlabPool::allocate(bytes, Lasting::request)));
      std::fill_n(all.back(), bytes, static_cast<char>(i));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(all.back()) % alignof(std::max_align_t), 0U);
    }
    for (int i = 0; i < 40; ++i) {
      char* block = all[static_cast<std::size_t>(i)];
      EXPECT_EQ(std::count(block, block + bytes, static_cast<char>(i)), static_cast<std::ptrdiff_t>(bytes));
      SlabPool::release(block, bytes, Lasting::request);
    }
  }
}

}  // namespace
}  // namespace sekisho::proxy
