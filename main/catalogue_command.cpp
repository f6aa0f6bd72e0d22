#include "main/catalogue_command.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "proxy/policy/catalogue.hpp"

namespace sekisho {
namespace {

void print_group(const policy::Catalogue& catalogue, std::string_view group) {
  for (const std::string_view pattern : catalogue.entries_of(group)) fmt::print(stdout, "{}\n", pattern);
}

}  // namespace

int catalogue_command(const std::string& group) {
  const policy::Catalogue& catalogue = policy::Catalogue::builtin();
  if (!group.empty()) {
    // The name alone, or as the configuration has it.
    const std::string prefix = std::string(policy::Catalogue::name) + "/";
    const std::string name = group.starts_with(prefix) ? group.substr(prefix.size()) : group;
    std::string problem;
    if (!policy::Catalogue::select(prefix + name, problem)) {
      fmt::print(stderr, "sekisho catalogue: {}\n", problem);
      return 1;
    }
    print_group(catalogue, name);
    return 0;
  }
  for (const std::string_view name : catalogue.groups()) {
    fmt::print(stdout, "[{}]\n", name);
    print_group(catalogue, name);
  }
  return 0;
}

}  // namespace sekisho
