// A set of networks, compiled for a fast "is this address in it".
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "config/ip_address.hpp"

namespace sekisho::policy {

// Immutable once compiled; safe to share between threads.
class NetworkSet {
 public:
  // Entries are CIDRs, addresses and the sets
  //   loopback    127.0.0.0/8, ::1
  //   private     RFC 1918 and fc00::/7
  //   link_local  169.254.0.0/16, fe80::/10
  //   cloudfront  AWS's services CLOUDFRONT and CLOUDFRONT_ORIGIN_FACING as published when this was built
  // and every prefix of `service` in AWS's own ip-ranges.json files. What is none of these, a file that
  // cannot be read and a service that the file does not know are errors.
  static NetworkSet compile(const config::Texts& entries, std::span<const config::AwsIpRanges> aws_ip_ranges,
                            config::Diagnostics& diagnostics);

  void add(const config::Network& network);
  // After the last add(): sorts, and joins what overlaps.
  void seal();

  // By binary search over disjoint ranges; allocates nothing. An IPv4 address is only in networks written as
  // IPv4.
  bool contains(const config::IpAddress& address) const;
  bool empty() const { return v4_.empty() && v6_.empty(); }

 private:
  using Wide = std::pair<std::uint64_t, std::uint64_t>;  // the high and the low half
  template <class T>
  struct Range {
    T first, last;
  };

  template <class T>
  static void join(std::vector<Range<T>>& ranges);

  std::vector<Range<std::uint32_t>> v4_;
  std::vector<Range<Wide>> v6_;
};

// The day AWS made the ranges that the set `cloudfront` stands for.
std::chrono::year_month_day cloudfront_ranges_date();

}  // namespace sekisho::policy
