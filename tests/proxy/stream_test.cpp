#include "proxy/socket_stream.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
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

}  // namespace
}  // namespace sekisho::proxy
