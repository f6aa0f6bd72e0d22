#include "proxy/worker_count.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace sekisho::proxy {
namespace {

class WorkerCount : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "sekisho-cgroup-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void file(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  std::filesystem::path root_;
};

TEST_F(WorkerCount, NoQuota) {
  EXPECT_EQ(cgroup_cpus(root_), std::nullopt);
  file("proc/self/cgroup", "0::/\n");
  file("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), std::nullopt);
}

TEST_F(WorkerCount, QuotaOfAContainer) {
  file("proc/self/cgroup", "0::/\n");
  file("sys/fs/cgroup/cpu.max", "25000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 1u) << "a quarter of a CPU";
  EXPECT_EQ(automatic_workers(root_), 1u);
  file("sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 1u);
  file("sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 2u);
}

TEST_F(WorkerCount, TheLeastQuotaOnTheWayUpHolds) {
  file("proc/self/cgroup", "0::/task/container\n");
  file("sys/fs/cgroup/task/container/cpu.max", "max 100000\n");
  file("sys/fs/cgroup/task/cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 2u);
  file("sys/fs/cgroup/task/container/cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 1u);
}

TEST_F(WorkerCount, VersionOne) {
  file("proc/self/cgroup", "4:memory:/x\n3:cpu,cpuacct:/ecs/task\n");
  file("sys/fs/cgroup/cpu,cpuacct/ecs/task/cpu.cfs_quota_us", "300000\n");
  file("sys/fs/cgroup/cpu,cpuacct/ecs/task/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 3u);
  file("sys/fs/cgroup/cpu,cpuacct/ecs/task/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cgroup_cpus(root_), std::nullopt);
}

TEST_F(WorkerCount, APathOfTheHostEndsAtTheMount) {
  file("proc/self/cgroup", "0::/docker/0123\n");
  file("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 2u);
}

TEST_F(WorkerCount, AutomaticIsAtLeastOneAndAtMostFour) {
  EXPECT_GE(automatic_workers(root_), 1u);
  EXPECT_LE(automatic_workers(root_), 4u);
}

TEST(ClientConnections, LeaveRoomForTheRest) {
  EXPECT_EQ(client_connections_within(65536, 512), 65536u - 512 - 256);
  EXPECT_EQ(client_connections_within(1024, 512), 1024u - 256 - 256)
      << "the upstream side takes a quarter at most";
  EXPECT_GE(client_connections_within(16, 512), 8u);
  EXPECT_GE(client_connections_within(0, 512), 1u);
}

}  // namespace
}  // namespace sekisho::proxy
