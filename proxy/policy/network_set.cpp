#include "proxy/policy/network_set.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "config/spelling.hpp"
#include "proxy/policy/aws_ip_ranges.hpp"
#include "proxy/policy/cloudfront_ranges.hpp"

namespace sekisho::policy {
namespace {

constexpr std::array<std::string_view, 4> set_names = {"loopback", "private", "link_local", "cloudfront"};
constexpr std::array<std::string_view, 2> loopback = {"127.0.0.0/8", "::1"};
constexpr std::array<std::string_view, 4> private_networks = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                                              "fc00::/7"};
constexpr std::array<std::string_view, 2> link_local = {"169.254.0.0/16", "fe80::/10"};

// Empty where `name` is no set.
std::span<const std::string_view> set_named(std::string_view name) {
  if (name == "loopback") return loopback;
  if (name == "private") return private_networks;
  if (name == "link_local") return link_local;
  if (name == "cloudfront") return cloudfront_prefixes();
  return {};
}

bool looks_like_a_name(std::string_view text) {
  return text.find_first_of("0123456789:./") == std::string_view::npos;
}

std::uint32_t v4_number(const config::IpAddress& address) {
  std::uint32_t number = 0;
  for (std::size_t i = 12; i < 16; ++i) number = number << 8 | address.bytes()[i];
  return number;
}

std::pair<std::uint64_t, std::uint64_t> v6_number(const config::IpAddress& address) {
  std::pair<std::uint64_t, std::uint64_t> number{0, 0};
  for (std::size_t i = 0; i < 8; ++i) number.first = number.first << 8 | address.bytes()[i];
  for (std::size_t i = 8; i < 16; ++i) number.second = number.second << 8 | address.bytes()[i];
  return number;
}

std::uint64_t low_ones(unsigned count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

}  // namespace

NetworkSet NetworkSet::compile(const config::Texts& entries,
                               std::span<const config::AwsIpRanges> aws_ip_ranges,
                               config::Diagnostics& diagnostics) {
  NetworkSet set;
  for (const config::Text& entry : entries) {
    const auto named = set_named(entry.value);
    for (const std::string_view prefix : named) set.add(*config::Network::parse(prefix));
    if (!named.empty()) continue;
    std::string problem;
    if (const auto network = config::Network::parse(entry.value, &problem)) {
      set.add(*network);
    } else if (looks_like_a_name(entry.value)) {
      diagnostics.error(entry.mark, "unknown set of networks \"" + entry.value + "\"" +
                                        config::did_you_mean(entry.value, set_names));
    } else {
      diagnostics.error(entry.mark, problem);
    }
  }
  for (const config::AwsIpRanges& file : aws_ip_ranges) {
    std::string problem;
    const auto networks = read_aws_ip_ranges(file.path.value, file.service, problem);
    if (networks) {
      for (const config::Network& network : *networks) set.add(network);
    } else {
      diagnostics.error(file.path.mark, problem);
    }
  }
  set.seal();
  return set;
}

void NetworkSet::add(const config::Network& network) {
  if (network.prefix_length() >= 96 && network.address().is_v4()) {
    const std::uint32_t first = v4_number(network.address());
    v4_.push_back({first, first | static_cast<std::uint32_t>(low_ones(128 - network.prefix_length()))});
    return;
  }
  const Wide first = v6_number(network.address());
  const unsigned free = 128 - network.prefix_length();
  const Wide last{first.first | low_ones(free > 64 ? free - 64 : 0), first.second | low_ones(free)};
  v6_.push_back({first, last});
}

// Sorted by their first address; a range that begins within the one before it is taken into that.
template <class T>
void NetworkSet::join(std::vector<Range<T>>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const Range<T>& range : ranges) {
    if (kept != 0 && range.first <= ranges[kept - 1].last) {
      ranges[kept - 1].last = std::max(ranges[kept - 1].last, range.last);
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);
}

void NetworkSet::seal() {
  join(v4_);
  join(v6_);
}

bool NetworkSet::contains(const config::IpAddress& address) const {
  const auto within = [](const auto& ranges, const auto& number) {
    const auto after =
        std::upper_bound(ranges.begin(), ranges.end(), number,
                         [](const auto& value, const auto& range) { return value < range.first; });
    return after != ranges.begin() && number <= std::prev(after)->last;
  };
  return address.is_v4() ? within(v4_, v4_number(address)) : within(v6_, v6_number(address));
}

std::chrono::year_month_day cloudfront_ranges_date() {
  const std::string_view text = cloudfront_create_date();
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  std::from_chars(text.data(), text.data() + 4, year);
  std::from_chars(text.data() + 5, text.data() + 7, month);
  std::from_chars(text.data() + 8, text.data() + 10, day);
  return {std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
}

}  // namespace sekisho::policy
