#include "proxy/policy/aws_ip_ranges.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "config/source.hpp"
#include "config/spelling.hpp"

namespace sekisho::policy {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_bytes = std::size_t{64} * 1024 * 1024;  // AWS's own is some 2 MiB

// The file's text as JSON, discarded where it is none; nullopt, with the reason, where it cannot be read.
std::optional<Json> parse_file(const std::string& path, std::string& problem) {
  const auto text = config::read_regular_file(path, most_bytes, problem);
  if (!text) return std::nullopt;
  return Json::parse(*text, nullptr, false);
}

// Adds the prefixes of one of the file's two lists; false where an entry is not in AWS's form.
bool collect(const Json& root, const char* list, const char* field, const std::string& service,
             std::vector<config::Network>& out, std::set<std::string>& services) {
  const auto entries = root.find(list);
  if (entries == root.end()) return true;
  if (!entries->is_array()) return false;
  for (const Json& entry : *entries) {
    if (!entry.is_object()) return false;
    const auto name = entry.find("service");
    const auto prefix = entry.find(field);
    if (name == entry.end() || prefix == entry.end() || !name->is_string() || !prefix->is_string())
      return false;
    services.insert(name->get<std::string>());
    if (name->get_ref<const std::string&>() != service) continue;
    const auto network = config::Network::parse(prefix->get_ref<const std::string&>());
    if (!network) return false;
    out.push_back(*network);
  }
  return true;
}

// The day in "2026-08-22-15-17-05"; nullopt where `text` begins with none.
std::optional<std::chrono::sys_days> parse_date(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto number = [&](std::size_t first, std::size_t length) {
    unsigned value = 0;
    const char* begin = text.data() + first;
    const auto read = std::from_chars(begin, begin + length, value);
    return read.ptr == begin + length ? value : 0;  // no year, month or day of AWS's is 0
  };
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(number(0, 4))),
                                         std::chrono::month(number(5, 2)), std::chrono::day(number(8, 2))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

}  // namespace

std::optional<std::vector<config::Network>> read_aws_ip_ranges(const std::string& path,
                                                               const std::string& service,
                                                               std::string& problem) {
  const auto root = parse_file(path, problem);
  if (!root) {
    problem = path + " " + problem;
    return std::nullopt;
  }
  std::vector<config::Network> networks;
  std::set<std::string> services;
  if (!root->is_object() || !collect(*root, "prefixes", "ip_prefix", service, networks, services) ||
      !collect(*root, "ipv6_prefixes", "ipv6_prefix", service, networks, services)) {
    problem = path + " is not in the form of AWS's ip-ranges.json";
    return std::nullopt;
  }
  if (networks.empty()) {
    const std::vector<std::string_view> known(services.begin(), services.end());
    problem =
        path + " has no prefix of the service \"" + service + "\"" + config::did_you_mean(service, known);
    return std::nullopt;
  }
  return networks;
}

std::optional<std::chrono::sys_days> aws_ip_ranges_date(const std::string& path) {
  std::string problem;
  const auto root = parse_file(path, problem);
  if (!root || !root->is_object()) return std::nullopt;
  const auto date = root->find("createDate");
  if (date == root->end() || !date->is_string()) return std::nullopt;
  return parse_date(date->get_ref<const std::string&>());
}

}  // namespace sekisho::policy
