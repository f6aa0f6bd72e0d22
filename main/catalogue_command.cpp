#include "main/catalogue_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

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
  const std::string whole(policy::Catalogue::name);
  if (!group.empty() && group != whole) {
    // The name alone, or as the configuration has it.
    const std::string full = group.starts_with("builtin:") ? group : whole + "/" + group;
    std::string problem;
    if (!policy::Catalogue::select(full, problem)) {
      fmt::print(stderr, "sekisho catalogue: {}; its groups are {}\n", problem,
                 fmt::join(catalogue.groups(), ", "));
      return 1;
    }
    print_group(catalogue, std::string_view(full).substr(whole.size() + 1));
    return 0;
  }
  for (const std::string_view name : catalogue.groups()) {
    fmt::print(stdout, "[{}]\n", name);
    print_group(catalogue, name);
  }
  return 0;
}

}  // namespace sekisho
