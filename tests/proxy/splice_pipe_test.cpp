#include "proxy/splice_pipe.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

namespace sekisho::proxy {
namespace {

struct Sockets {
  Sockets() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0); }
  ~Sockets() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::array<int, 2> ends{};
};

TEST(SplicePipe, CarriesBytesFromSocketToSocketAndKnowsWhatItHolds) {
  const auto pipe = SplicePipe::make();
  ASSERT_NE(pipe, nullptr);
  Sockets from, to;
  EXPECT_EQ(pipe->fill_from(from.ends[1], 100), -1);
  EXPECT_EQ(errno, EAGAIN) << "nothing has come";
  ASSERT_EQ(::send(from.ends[0], "0123456789", 10, 0), 10);
  EXPECT_EQ(pipe->fill_from(from.ends[1], 6), 6) << "no more than was asked for";
  EXPECT_EQ(pipe->held(), 6U);
  EXPECT_EQ(pipe->empty_into(to.ends[0]), 6);
  EXPECT_EQ(pipe->held(), 0U);
  std::array<char, 16> space;
  EXPECT_EQ(::recv(to.ends[1], space.data(), space.size(), 0), 6);
  EXPECT_EQ(std::string(space.data(), 6), "012345");

  EXPECT_EQ(pipe->fill_from(from.ends[1], 100), 4);
  EXPECT_EQ(pipe->read(space.data(), 3), 3U);
  EXPECT_EQ(pipe->held(), 1U);
  EXPECT_EQ(pipe->read(space.data(), space.size()), 1U);
  EXPECT_EQ(pipe->read(space.data(), space.size()), 0U);
  ::shutdown(from.ends[0], SHUT_WR);
  EXPECT_EQ(pipe->fill_from(from.ends[1], 100), 0) << "the end";
}

TEST(SplicePipes, AreBoundedAndKeptUnlessTheyHoldSomething) {
  SplicePipes pipes;
  std::vector<std::unique_ptr<SplicePipe>> out;
  while (auto pipe = pipes.borrow()) out.push_back(std::move(pipe));
  EXPECT_EQ(out.size(), SplicePipes::most);
  const SplicePipe* const clean = out.back().get();
  pipes.give_back(std::move(out.back()));
  out.pop_back();
  out.push_back(pipes.borrow());
  EXPECT_EQ(out.back().get(), clean) << "the one given back";

  Sockets sockets;
  ASSERT_EQ(::send(sockets.ends[0], "x", 1, 0), 1);
  ASSERT_EQ(out.back()->fill_from(sockets.ends[1], 1), 1);
  pipes.give_back(std::move(out.back()));
  out.back() = pipes.borrow();
  ASSERT_NE(out.back(), nullptr);
  EXPECT_EQ(out.back()->held(), 0U) << "what another exchange has left in it";

  while (!out.empty()) {
    pipes.give_back(std::move(out.back()));
    out.pop_back();
  }
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto before = descriptors();
  pipes.trim();  // they were needed until now
  for (std::size_t tick = 1; tick <= SplicePipes::most + 2; ++tick) pipes.trim();
  EXPECT_EQ(descriptors(), before - static_cast<std::ptrdiff_t>(2 * SplicePipes::most));
}

}  // namespace
}  // namespace sekisho::proxy
