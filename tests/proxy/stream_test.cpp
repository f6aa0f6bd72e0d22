#include "proxy/socket_stream.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sekisho::proxy {
namespace {

struct Pair {
  Pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    near = SocketStream::adopt(io, AF_UNIX, ends[0]);
    far = ends[1];
  }
  ~Pair() { leave(); }
  void leave() {
    if (far >= 0) ::close(far);
    far = -1;
  }

  asio::io_context io;
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
  EXPECT_FALSE(pair.near->hung_up());
  ::shutdown(pair.far, SHUT_WR);
  EXPECT_TRUE(pair.near->hung_up()) << "a half-close";
  pair.leave();
  EXPECT_TRUE(pair.near->hung_up());
  char byte = 0;
  pair.near->start_read({&byte, 1});
  pair.io.run();
  EXPECT_EQ(byte, 'x') << "nothing was taken by the look";
}

}  // namespace
}  // namespace sekisho::proxy
