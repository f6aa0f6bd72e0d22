// Reads AWS's published ip-ranges.json.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "config/ip_address.hpp"

namespace sekisho::policy {

// Every prefix, IPv4 and IPv6, of `service` in the file at `path`. nullopt, with the reason in `problem`,
// where the file cannot be read, is not in AWS's form, or knows no such service: a trusted set that is
// silently empty would make every viewer behind CloudFront one client.
std::optional<std::vector<config::Network>> read_aws_ip_ranges(const std::string& path,
                                                               const std::string& service,
                                                               std::string& problem);

// The createDate of the file at `path`; nullopt where there is none to be had.
std::optional<std::chrono::sys_days> aws_ip_ranges_date(const std::string& path);

}  // namespace sekisho::policy
