#include "proxy/policy/aws_ip_ranges.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "config/spelling.hpp"

namespace sekisho::policy {
namespace {

using Json = nlohmann::json;

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

}  // namespace

std::optional<std::vector<config::Network>> read_aws_ip_ranges(const std::string& path,
                                                               const std::string& service,
                                                               std::string& problem) {
  std::ifstream file(path);
  if (!file) {
    problem = "cannot read " + path + ": " + std::strerror(errno);
    return std::nullopt;
  }
  const Json root = Json::parse(file, nullptr, false);
  std::vector<config::Network> networks;
  std::set<std::string> services;
  if (!root.is_object() || !collect(root, "prefixes", "ip_prefix", service, networks, services) ||
      !collect(root, "ipv6_prefixes", "ipv6_prefix", service, networks, services)) {
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

}  // namespace sekisho::policy
