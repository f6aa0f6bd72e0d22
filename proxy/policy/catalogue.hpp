// The probe catalogue: paths that scanners ask for and no Rails app serves, in groups. Made from
// data/probes.txt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/policy/pattern_index.hpp"

namespace sekisho::policy {

struct CatalogueEntry {
  std::string_view pattern;  // in lower case, as path_pattern.hpp reads them
  std::uint32_t group = 0;   // index into groups()
};

// Immutable; builtin() is safe to use from any thread.
class Catalogue {
 public:
  static constexpr std::string_view name = "builtin:probes";

  // The one that is compiled in; made ready at the first call.
  static const Catalogue& builtin();

  // The groups that `text` ("builtin:probes" or "builtin:probes/GROUP") stands for, one bit each; nullopt and
  // `problem`, with the nearest name, where there is none such.
  static std::optional<std::uint32_t> select(std::string_view text, std::string& problem);

  // Their names, in the order of the data file.
  std::span<const std::string_view> groups() const { return groups_; }
  std::span<const CatalogueEntry> entries() const { return entries_; }
  std::vector<std::string_view> entries_of(std::string_view group) const;

  // The entry of one of `groups` that matches `lowered`, a reading in lower case, or nullptr. Its time does
  // not grow with the catalogue; it allocates nothing once `scratch` is warm.
  const CatalogueEntry* find(std::string_view lowered, std::uint32_t groups,
                             PatternIndex::Scratch& scratch) const;

 private:
  // What no entry of these groups may match: folders whose file names are the users' own.
  struct Never {
    PathPattern pattern;
    std::uint32_t groups;
  };

  Catalogue();

  std::vector<std::string_view> groups_;
  std::vector<CatalogueEntry> entries_;
  PatternIndex index_;
  std::vector<Never> never_;  // a few
};

}  // namespace sekisho::policy
