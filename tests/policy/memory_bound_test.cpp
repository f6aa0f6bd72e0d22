#include "proxy/policy/memory_bound.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace sekisho::policy {
namespace {

namespace fs = std::filesystem;

// A tree of files that stands for "/".
class MemoryBoundTest : public testing::Test {
 protected:
  MemoryBoundTest() {
    std::string name = (fs::temp_directory_path() / "memory_bound.XXXXXX").string();
    root_ = mkdtemp(name.data());
    write("proc/meminfo", "MemTotal:        1048576 kB\nMemFree: 5 kB\nMemAvailable:     524288 kB\n");
  }
  ~MemoryBoundTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::uint64_t limit() const { return memory_bound(root_).value_or(MemoryBound{}).limit; }
  std::uint64_t left() const { return memory_bound(root_).value_or(MemoryBound{}).left; }

  fs::path root_;
};

constexpr std::uint64_t mib = 1024 * 1024;

TEST_F(MemoryBoundTest, WithoutACgroupTheMachineIsTheBound) {
  EXPECT_EQ(limit(), 1024 * mib);
  EXPECT_EQ(left(), 512 * mib);
  write("proc/meminfo", "MemTotal: 1024 kB\n");
  EXPECT_EQ(left(), mib) << "kernels before 3.14";
}

TEST_F(MemoryBoundTest, WhatOthersInTheGroupHaveIsNotLeft) {
  write("proc/self/cgroup", "0::/task/proxy\n");
  write("sys/fs/cgroup/task/memory.max", "268435456\n");
  write("sys/fs/cgroup/task/memory.current", "209715200\n");
  write("sys/fs/cgroup/task/proxy/memory.max", "134217728\n");
  write("sys/fs/cgroup/task/proxy/memory.current", "1048576\n");
  EXPECT_EQ(limit(), 256 * mib);
  EXPECT_EQ(left(), 56 * mib);
  write("sys/fs/cgroup/task/memory.stat", "anon 1\nactive_file 7\ninactive_file 20971520\n");
  EXPECT_EQ(left(), 76 * mib) << "pages of files are given back";
  write("sys/fs/cgroup/task/memory.current", "300000000\n");
  write("sys/fs/cgroup/task/memory.stat", "inactive_file 0\n");
  EXPECT_EQ(left(), 0u);
}

TEST_F(MemoryBoundTest, TheMachineMayHaveLessLeftThanTheGroup) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "805306368\n");
  EXPECT_EQ(limit(), 1024 * mib);
  EXPECT_EQ(left(), 512 * mib);
}

TEST_F(MemoryBoundTest, OfVersion2) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "268435456\n");
  EXPECT_EQ(limit(), 256 * mib);
  write("sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(limit(), 1024 * mib);
}

TEST_F(MemoryBoundTest, TheTightestLevelCounts) {
  write("proc/self/cgroup", "0::/pod/container\n");
  write("sys/fs/cgroup/pod/memory.max", "134217728\n");
  write("sys/fs/cgroup/pod/container/memory.max", "268435456\n");
  EXPECT_EQ(limit(), 128 * mib);
}

TEST_F(MemoryBoundTest, InANamespaceThePathOfTheHostIsNotThere) {
  write("proc/self/cgroup", "0::/../../ecs/abc\n");
  write("sys/fs/cgroup/memory.max", "268435456\n");
  EXPECT_EQ(limit(), 256 * mib);
}

TEST_F(MemoryBoundTest, OfVersion1) {
  write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/ecs/abc\n0::/\n");
  write("sys/fs/cgroup/memory/ecs/abc/memory.limit_in_bytes", "268435456\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limit(), 256 * mib);
  write("sys/fs/cgroup/memory/ecs/abc/memory.usage_in_bytes", "134217728\n");
  write("sys/fs/cgroup/memory/ecs/abc/memory.stat", "inactive_file 5\ntotal_inactive_file 1048576\n");
  EXPECT_EQ(left(), 129 * mib);
}

TEST_F(MemoryBoundTest, SaysWhatDoesNotFit) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "2097152\n");
  write("sys/fs/cgroup/memory.current", "1048576\n");
  const auto bound = memory_bound(root_);
  EXPECT_EQ(memory_problem({mib, "table.capacity", mib, {}}, bound), std::nullopt);
  const auto problem = memory_problem({mib + 1, "the capacity of limit l", mib, {}}, bound);
  ASSERT_TRUE(problem.has_value());
  EXPECT_THAT(*problem, testing::HasSubstr("2.0 MiB"));
  EXPECT_THAT(*problem, testing::HasSubstr("memory.max"));
  EXPECT_THAT(*problem, testing::HasSubstr("lower the capacity of limit l, which takes 1.0 MiB"));
  EXPECT_EQ(memory_problem({~std::uint64_t{0}, "", 0, {}}, std::nullopt), std::nullopt);
}

TEST(FormatBytes, Units) {
  EXPECT_EQ(format_bytes(0), "0 bytes");
  EXPECT_EQ(format_bytes(4096), "4.0 KiB");
  EXPECT_EQ(format_bytes(4'404'019), "4.2 MiB");
}

}  // namespace
}  // namespace sekisho::policy
