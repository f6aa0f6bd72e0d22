#include "proxy/policy/catalogue.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "config/spelling.hpp"
#include "proxy/policy/catalogue_data.hpp"

namespace sekisho::policy {

const Catalogue& Catalogue::builtin() {
  static const Catalogue catalogue;
  return catalogue;
}

Catalogue::Catalogue() {
  for (const std::string_view line : catalogue_lines()) {
    if (line.starts_with('[')) {
      groups_.push_back(line.substr(1, line.size() - 2));
      continue;
    }
    const bool never = line.starts_with('!');
    std::string problem;
    auto pattern = PathPattern::parse(never ? line.substr(1) : line, problem);
    if (!pattern || (groups_.empty() && !never)) {
      std::fprintf(stderr, "sekisho: the built-in catalogue is broken: %s\n", problem.c_str());
      std::abort();
    }
    if (never) {
      const std::uint32_t groups = groups_.empty() ? ~0U : 1U << (groups_.size() - 1);
      never_.push_back({std::move(*pattern), groups});
      continue;
    }
    index_.add(std::move(*pattern));
    entries_.push_back({line, static_cast<std::uint32_t>(groups_.size() - 1)});
  }
  index_.build();
}

std::optional<std::uint32_t> Catalogue::select(std::string_view text, std::string& problem) {
  const std::span<const std::string_view> groups = builtin().groups();
  if (text == name) return (1U << groups.size()) - 1;
  std::vector<std::string> full;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    full.push_back(std::string(name) + "/" + std::string(groups[i]));
    if (text == full.back()) return 1U << i;
  }
  full.emplace_back(name);
  const std::vector<std::string_view> known(full.begin(), full.end());
  problem = "unknown catalogue \"" + std::string(text) + "\"" + config::did_you_mean(text, known);
  return std::nullopt;
}

std::vector<std::string_view> Catalogue::entries_of(std::string_view group) const {
  std::vector<std::string_view> result;
  for (const CatalogueEntry& entry : entries_)
    if (groups_[entry.group] == group) result.push_back(entry.pattern);
  return result;
}

const CatalogueEntry* Catalogue::find(std::string_view lowered, std::uint32_t groups,
                                      PatternIndex::Scratch& scratch) const {
  const int number = index_.find(lowered, scratch, [&](std::uint32_t each) {
    const std::uint32_t group = 1U << entries_[each].group;
    return (groups & group) != 0 && std::none_of(never_.begin(), never_.end(), [&](const Never& never) {
             return (never.groups & group) != 0 && never.pattern.matches(lowered);
           });
  });
  return number < 0 ? nullptr : &entries_[static_cast<std::size_t>(number)];
}

}  // namespace sekisho::policy
