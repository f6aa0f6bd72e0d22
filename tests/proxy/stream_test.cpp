#include "proxy/socket_stream.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace sekisho::proxy {
namespace {

struct Told final : StreamListener {
  void on_stream() override { ++times; }
  int times = 0;
};

struct Pair {
  Pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    near = SocketStream::adopt(loop, AF_UNIX, ends[0]);
    far = ends[1];
  }
  ~Pair() { leave(); }
  void leave() {
    if (far >= 0) ::close(far);
    far = -1;
  }

  EventLoop loop;
  Stream::Ptr near;
  int far = -1;
};

TEST(Stream, IsQuietUntilAByteComes) {
  Pair pair;
  EXPECT_TRUE(pair.near->quiet());
  ASSERT_EQ(::send(pair.far, "x", 1, 0), 1);
  EXPECT_FALSE(pair.near->quiet());
  EXPECT_FALSE(pair.near->quiet()) << "the byte was taken by the look";
}

TEST(Stream, IsNotQuietOnceThePeerLeft) {
  Pair pair;
  pair.leave();
  EXPECT_FALSE(pair.near->quiet());
}

TEST(Stream, TellsThatThePeerHungUpBehindBytesThatAreUnread) {
  Pair pair;
  ASSERT_EQ(::send(pair.far, "x", 1, 0), 1);
  Told told;
  pair.near->set_listener(&told);
  pair.loop.poll();
  EXPECT_FALSE(pair.near->hung_up());
  EXPECT_EQ(told.times, 0) << "nobody waits for the byte";
  ::shutdown(pair.far, SHUT_WR);
  pair.loop.poll();
  EXPECT_TRUE(pair.near->hung_up()) << "a half-close";
  EXPECT_EQ(told.times, 1);
  pair.leave();
  pair.loop.poll();
  EXPECT_TRUE(pair.near->hung_up());
  EXPECT_EQ(told.times, 1);
  char byte = 0;
  EXPECT_EQ(pair.near->try_read({&byte, 1}).bytes, 1U);
  EXPECT_EQ(byte, 'x');
  EXPECT_TRUE(pair.near->try_read({&byte, 1}).eof);
}

// A read that takes less than it could knows that it took all: what came with the end must not be taken for
// that.
TEST(Stream, WaitsForTheEndBehindAShortReadInVain) {
  Pair pair;
  ASSERT_EQ(::send(pair.far, "abc", 3, 0), 3);
  pair.leave();
  pair.loop.poll();
  std::array<char, 16> space;
  EXPECT_EQ(pair.near->try_read(space).bytes, 3U);
  pair.near->start_wait_readable();
  pair.loop.poll();
  EXPECT_FALSE(pair.near->read_wait_pending()) << "the end is there";
  EXPECT_TRUE(pair.near->try_read(space).eof);
}

TEST(Stream, WhatIsLeftAfterAReadThatFilledItsSpaceIsReadableAtOnce) {
  Pair pair;
  ASSERT_EQ(::send(pair.far, "abcd", 4, 0), 4);
  pair.loop.poll();
  std::array<char, 3> space;
  EXPECT_EQ(pair.near->try_read(space).bytes, 3U);
  pair.near->start_wait_readable();
  EXPECT_TRUE(pair.near->read_wait_pending()) << "told in a later turn";
  pair.loop.poll();
  EXPECT_FALSE(pair.near->read_wait_pending());
  EXPECT_EQ(pair.near->try_read(space).bytes, 1U);
  EXPECT_TRUE(pair.near->try_read(space).nothing());
  pair.near->start_wait_readable();
  pair.loop.poll();
  EXPECT_TRUE(pair.near->read_wait_pending());
  ASSERT_EQ(::send(pair.far, "e", 1, 0), 1);
  pair.loop.poll();
  EXPECT_FALSE(pair.near->read_wait_pending());
}

// After a read that filled its space there may be more, or not; a look that finds nothing settles that, so
// that who waits again does not wait for what is not there, turn after turn.
TEST(Stream, ALookThatFindsNothingEndsTheDoubtOfAFullRead) {
  Pair pair;
  Told told;
  pair.near->set_listener(&told);
  ASSERT_EQ(::send(pair.far, "abc", 3, 0), 3);
  pair.loop.poll();
  std::array<char, 3> space;
  EXPECT_EQ(pair.near->try_read(space).bytes, 3U);
  EXPECT_TRUE(pair.near->quiet());
  pair.near->start_wait_readable();
  pair.loop.poll();
  EXPECT_EQ(told.times, 0);
}

TEST(Stream, WaitsForRoomWhereTheSocketIsFullAndOnlyThere) {
  Pair pair;
  pair.near->start_wait_writable();
  pair.loop.poll();
  EXPECT_FALSE(pair.near->write_wait_pending());
  const std::string block(1 << 20, 'x');
  const asio::const_buffer buffer(block.data(), block.size());
  while (pair.near->try_write({&buffer, 1}).bytes > 0) continue;
  pair.near->start_wait_writable();
  pair.loop.poll();
  EXPECT_TRUE(pair.near->write_wait_pending());
  std::string taken(block.size(), 0);
  while (::recv(pair.far, taken.data(), taken.size(), MSG_DONTWAIT) > 0) continue;
  pair.loop.poll();
  EXPECT_FALSE(pair.near->write_wait_pending());
}

TEST(Stream, IsToldNothingOnceClosedInTheSameTurn) {
  Pair first, second;
  // Both in one loop, each of which closes the other as it is told.
  struct Closer final : StreamListener {
    void on_stream() override {
      ++times;
      other->close();
    }
    Stream::Ptr other;
    int times = 0;
  } one, two;
  const Stream::Ptr a = SocketStream::adopt(first.loop, AF_UNIX, ::dup(first.far));
  const Stream::Ptr b = SocketStream::adopt(first.loop, AF_UNIX, ::dup(second.far));
  one.other = b;
  two.other = a;
  a->set_listener(&one);
  b->set_listener(&two);
  a->start_wait_readable();
  b->start_wait_readable();
  const asio::const_buffer byte("x", 1);
  first.near->try_write({&byte, 1});
  second.near->try_write({&byte, 1});
  first.loop.poll();
  EXPECT_EQ(one.times + two.times, 1);
}

// Descriptors that this process's event loops watch, their bells among them.
std::size_t watched() {
  std::size_t count = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the iterator's own
    if (std::filesystem::read_symlink(each.path(), gone) != "anon_inode:[eventpoll]") continue;
    std::ifstream info("/proc/self/fdinfo/" + each.path().filename().string());
    for (std::string line; std::getline(info, line);) count += line.starts_with("tfd:");
  }
  return count;
}

struct Accepted {
  Accepted() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    near = SocketStream::adopt_accepted(loop, AF_UNIX, ends[0]);
    reader.test = this;
    near->set_listener(&reader);
    far = ends[1];
  }
  ~Accepted() { ::close(far); }

  struct Reader final : StreamListener {
    void on_stream() override {
      ++times;
      const Stream::ReadOutcome outcome = test->near->try_read(space);
      read = outcome.bytes;
      watched_then = watched();
      if (!outcome.eof) test->near->start_wait_readable();
      if (leaves) test->near->close();
    }
    Accepted* test = nullptr;
    std::array<char, 16> space{};
    std::size_t read = 0, watched_then = 0;
    int times = 0;
    bool leaves = false;
  } reader;
  EventLoop loop;
  const std::size_t watched_before = watched();
  Stream::Ptr near;
  int far = -1;
};

TEST(Stream, OneJustAcceptedIsReadBeforeItIsWatched) {
  Accepted pair;
  ASSERT_EQ(::send(pair.far, "abc", 3, 0), 3);
  pair.near->start_wait_readable();
  pair.loop.poll();
  EXPECT_EQ(pair.reader.times, 1);
  EXPECT_EQ(pair.reader.read, 3U);
  EXPECT_EQ(pair.reader.watched_then, pair.watched_before);
  EXPECT_EQ(watched(), pair.watched_before + 1) << "and then it is";
  ASSERT_EQ(::send(pair.far, "d", 1, 0), 1);
  pair.loop.poll();
  EXPECT_EQ(pair.reader.times, 2);
  EXPECT_EQ(pair.reader.read, 1U);
  ::shutdown(pair.far, SHUT_WR);
  pair.loop.poll();
  EXPECT_EQ(pair.reader.times, 3);
  EXPECT_TRUE(pair.near->hung_up());
}

TEST(Stream, OneJustAcceptedThatHasSentNothingIsWatchedAtOnce) {
  Accepted pair;
  pair.near->start_wait_readable();
  pair.loop.poll();
  EXPECT_EQ(pair.reader.times, 1) << "the look for what might be there";
  EXPECT_EQ(pair.reader.watched_then, pair.watched_before + 1);
}

TEST(Stream, OneJustAcceptedThatHasItsAnswerAtOnceIsNeverWatched) {
  Accepted pair;
  pair.reader.leaves = true;
  ASSERT_EQ(::send(pair.far, "a", 1, 0), 1);
  pair.near->start_wait_readable();
  pair.loop.poll();
  EXPECT_EQ(pair.reader.times, 1);
  EXPECT_EQ(watched(), pair.watched_before);
}

TEST(Stream, OneJustAcceptedThatIsFullIsToldOfRoom) {
  Accepted pair;
  const std::string block(1 << 20, 'x');
  const asio::const_buffer buffer(block.data(), block.size());
  while (pair.near->try_write({&buffer, 1}).bytes > 0) continue;
  EXPECT_EQ(watched(), pair.watched_before + 1);
  pair.near->start_wait_writable();
  pair.loop.poll();
  EXPECT_TRUE(pair.near->write_wait_pending());
  std::string taken(block.size(), 0);
  while (::recv(pair.far, taken.data(), taken.size(), MSG_DONTWAIT) > 0) continue;
  pair.loop.poll();
  EXPECT_FALSE(pair.near->write_wait_pending());
}

TEST(Stream, OneJustAcceptedThatCannotBeWatchedEnds) {
  EventLoop loop;
  const Stream::Ptr stream = SocketStream::adopt_accepted(loop, AF_UNIX, ::memfd_create("no socket", 0));
  Told told;
  stream->set_listener(&told);
  loop.poll();
  EXPECT_TRUE(stream->hung_up());
  EXPECT_EQ(told.times, 1);
}

TEST(Stream, OneJustAcceptedCanBeHandedOn) {
  Accepted pair;
  const auto detached = pair.near->detach();
  ASSERT_NE(detached, nullptr);
  pair.loop.poll();
  EXPECT_EQ(watched(), pair.watched_before);
  pair.near = detached->attach(pair.loop);
  EXPECT_EQ(watched(), pair.watched_before + 1);
}

// tcpi_segs_in, which the C library's tcp_info ends before.
std::uint32_t segments_to(int descriptor) {
  constexpr std::size_t place = 140;
  std::array<char, 256> info{};
  socklen_t size = info.size();
  EXPECT_EQ(::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info.data(), &size), 0);
  EXPECT_GE(size, place + sizeof(std::uint32_t));
  std::uint32_t segments = 0;
  std::memcpy(&segments, info.data() + place, sizeof segments);
  return segments;
}

TEST(Stream, TheEndThatFollowsGoesWithTheLastBytes) {
  const auto segments = [](bool end_follows) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0), far = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::bind(listener, any, size), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    EXPECT_EQ(::getsockname(listener, any, &size), 0);
    EXPECT_EQ(::connect(far, any, size), 0);
    EventLoop loop;
    const Stream::Ptr near =
        SocketStream::adopt_accepted(loop, AF_INET, ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK));
    const std::uint32_t before = segments_to(far);
    if (end_follows) near->end_follows();
    const asio::const_buffer parts[] = {asio::buffer("head ", 5), asio::buffer("body", 4)};
    EXPECT_EQ(near->try_write(parts).bytes, 9U);
    near->close();
    std::string got(16, 0);
    EXPECT_EQ(::recv(far, got.data(), got.size(), MSG_WAITALL), 9) << "the bytes, and the end";
    const std::uint32_t came = segments_to(far) - before;
    ::close(far);
    ::close(listener);
    return came;
  };
  EXPECT_EQ(segments(false), 2U);
  // The kernel waits 200 ms: who sleeps longer between two lines sees two segments.
  std::uint32_t least = 2;
  for (int tries = 0; tries < 5; ++tries) least = std::min(least, segments(true));
  EXPECT_EQ(least, 1U);
}

}  // namespace
}  // namespace sekisho::proxy
