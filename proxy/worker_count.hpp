// How many workers `workers: auto` means here, and how many descriptors they may open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace sekisho::proxy {

// CPUs that the cgroup's quota allows, rounded up (a quota of a quarter is one worker); nullopt: no quota.
// Reads cpu.max (v2) of the process's group and every group above it, or cpu.cfs_quota_us (v1), below `root`,
// as /proc/self/cgroup in `root` names them. hardware_concurrency knows nothing of quotas (ECS tasks of 0.25
// vCPU).
std::optional<unsigned> cgroup_cpus(const std::filesystem::path& root = "/");

// The lesser of the affinity mask's CPUs and the quota, at least 1 and at most 4.
unsigned automatic_workers(const std::filesystem::path& root = "/");

// Raises the soft limit of open descriptors to the hard one; returns what holds then.
std::uint64_t raise_descriptor_limit();

// The most client connections that `descriptors` leave room for, beside upstream connections and what the
// process itself needs.
std::uint64_t client_connections_within(std::uint64_t descriptors, std::uint64_t upstream_connections);

}  // namespace sekisho::proxy
