#include "proxy/policy/range_age.hpp"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "proxy/policy/aws_ip_ranges.hpp"
#include "proxy/policy/network_set.hpp"

namespace sekisho::policy {
namespace {

constexpr std::chrono::days oldest{90};

std::string date_text(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

}  // namespace

void add_range_age_warnings(const config::ClientIp& client_ip, std::chrono::system_clock::time_point today,
                            config::Diagnostics& diagnostics) {
  const auto check = [&](std::optional<std::chrono::sys_days> made, config::Mark mark, std::string_view what,
                         std::string_view remedy) {
    if (!made || today - *made <= oldest) return;
    diagnostics.warning(
        mark, fmt::format("trusted_proxies: {} were published on {}, more than {} days ago; an edge that "
                          "AWS added since counts as one client: {}",
                          what, date_text(*made), oldest.count(), remedy));
  };
  for (const config::Text& proxy : client_ip.trusted_proxies) {
    if (proxy.value != "cloudfront") continue;
    check(std::chrono::sys_days(cloudfront_ranges_date()), proxy.mark, "the ranges built in as cloudfront",
          "name AWS's current ip-ranges.json with aws_ip_ranges, or take a newer build");
  }
  for (const config::AwsIpRanges& file : client_ip.aws_ip_ranges) {
    check(aws_ip_ranges_date(file.path.value), file.path.mark,
          fmt::format("the ranges of {}", file.path.value), "download it again");
  }
}

}  // namespace sekisho::policy
