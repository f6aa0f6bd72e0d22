#include "proxy/byte_ring.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <thread>

namespace sekisho::proxy {
namespace {

void put(ByteRing& ring, std::string_view text) {
  ASSERT_GE(ring.writable().size(), text.size());
  std::memcpy(ring.writable().data(), text.data(), text.size());
  ring.commit(text.size());
}

TEST(ByteRing, ReadsWhatWasCommittedAndNothingElse) {
  ByteRing ring(4096);
  put(ring, "abc");
  EXPECT_EQ(ring.readable(), "abc");
  std::memcpy(ring.writable().data(), "xyz", 3);
  EXPECT_EQ(ring.readable(), "abc") << "not committed yet";
  ring.consume(2);
  EXPECT_EQ(ring.readable(), "c");
  put(ring, "d");
  EXPECT_EQ(ring.readable(), "cd");
}

TEST(ByteRing, IsOneSpanAcrossItsEnd) {
  ByteRing ring(4096);
  const std::string filler(ring.capacity() - 3, '.');
  put(ring, filler);
  EXPECT_EQ(ring.writable().size(), 3u);
  ring.consume(filler.size());
  EXPECT_EQ(ring.writable().size(), ring.capacity());
  put(ring, "across the end");
  EXPECT_EQ(ring.readable(), "across the end");
}

TEST(ByteRing, FullIsFullAndEmptyIsEmpty) {
  ByteRing ring(1);
  put(ring, std::string(ring.capacity(), 'x'));
  EXPECT_TRUE(ring.writable().empty());
  EXPECT_EQ(ring.readable().size(), ring.capacity());
  ring.consume(ring.capacity());
  EXPECT_TRUE(ring.readable().empty());
}

// Records of varying length, each byte of which tells its record: anything torn, lost or doubled shows.
TEST(ByteRing, OneWriterAndOneReaderAgreeOnEveryByte) {
  constexpr std::uint32_t records = 200'000;
  ByteRing ring(4096);
  const auto length_of = [](std::uint32_t i) { return 1 + (i * 2654435761u >> 20) % 300; };
  std::thread writer([&] {
    for (std::uint32_t i = 0; i < records;) {
      const std::size_t length = length_of(i);
      const auto space = ring.writable();
      if (space.size() < length) {
        std::this_thread::yield();
        continue;
      }
      // Not memset, which compilers hide from ThreadSanitizer.
      for (std::size_t at = 0; at < length; ++at) space[at] = static_cast<char>(i % 251);
      ring.commit(length);
      ++i;
    }
  });
  std::uint64_t wrong = 0;
  for (std::uint32_t i = 0; i < records;) {
    const std::string_view text = ring.readable();
    std::size_t used = 0;
    for (; i < records && used + length_of(i) <= text.size(); used += length_of(i), ++i) {
      for (const char c : text.substr(used, length_of(i))) wrong += static_cast<std::uint8_t>(c) != i % 251;
    }
    ring.consume(used);
    if (used == 0) std::this_thread::yield();
  }
  writer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_TRUE(ring.readable().empty());
}

}  // namespace
}  // namespace sekisho::proxy
