#include "proxy/policy/path_set.hpp"

#include <algorithm>
#include <utility>

#include "proxy/policy/ascii.hpp"
#include "proxy/policy/catalogue.hpp"
#include "proxy/policy/path_pattern.hpp"

namespace sekisho::policy {

PathSet PathSet::compile(const config::Texts& texts, config::Diagnostics& diagnostics) {
  PathSet set;
  for (const config::Text& text : texts) {
    if (text.value.starts_with('~')) {
      if (auto expression = Expression::compile(text, diagnostics)) {
        set.expressions_.push_back(std::move(*expression));
        set.expression_texts_.push_back(text.value);
      }
    } else if (text.value.starts_with("builtin:")) {
      std::string problem;
      if (const auto groups = Catalogue::select(text.value, problem)) {
        set.catalogues_.push_back({text.value, *groups});
        set.groups_ |= *groups;
      } else {
        diagnostics.error(text.mark, problem);
      }
    } else if (auto pattern = PathPattern::compile(text, diagnostics)) {
      set.index_.add(std::move(*pattern));
      set.texts_.push_back(text.value);
    }
  }
  set.index_.build();
  return set;
}

PathMatch PathSet::by_patterns(std::string_view reading) const {
  if (index_.size() != 0) {
    const int number = index_.find(reading, tried_, [](std::uint32_t) { return true; });
    if (number >= 0) return {true, reading, texts_[static_cast<std::size_t>(number)], {}};
  }
  if (groups_ == 0) return {};
  lowered_.resize(reading.size());
  std::transform(reading.begin(), reading.end(), lowered_.begin(), lower);
  const CatalogueEntry* entry = Catalogue::builtin().find(lowered_, groups_, catalogue_tried_);
  if (entry == nullptr) return {};
  const auto use = std::find_if(catalogues_.begin(), catalogues_.end(), [entry](const CatalogueUse& each) {
    return (each.groups >> entry->group & 1U) != 0;
  });
  return {true, reading, use->text, entry->pattern};
}

PathMatch PathSet::recall_patterns(std::string_view reading) const {
  if (reading.empty() || reading.size() > Recalled::longest) return by_patterns(reading);
  if (recalled_.empty()) recalled_.resize(recalled_places);
  const auto byte = [reading](std::size_t at) { return static_cast<unsigned char>(reading[at]); };
  const std::size_t place = reading.size() + 7U * byte(reading.size() - 1) + 31U * byte(reading.size() / 2);
  Recalled& recalled = recalled_[place % recalled_places];
  if (reading == std::string_view(recalled.text.data(), recalled.size)) {
    PathMatch match = recalled.match;
    if (match) match.reading = reading;
    return match;
  }
  recalled.match = by_patterns(reading);
  recalled.match.reading = {};
  recalled.size = static_cast<std::uint8_t>(reading.copy(recalled.text.data(), reading.size()));
  PathMatch match = recalled.match;
  if (match) match.reading = reading;
  return match;
}

PathMatch PathSet::by_expressions(std::string_view reading) const {
  for (std::size_t i = 0; i < expressions_.size(); ++i)
    if (expressions_[i].found_in(reading)) return {true, reading, expression_texts_[i], {}};
  return {};
}

// Rails routes /orders/7/ and /orders/7.json as it does /orders/7, which `$` would tell apart.
PathMatch PathSet::by_expressions_as_routed(std::string_view reading) const {
  const std::string_view slashless = without_trailing_slash(reading);
  const std::string_view bare = without_format(slashless);
  PathMatch match = by_expressions(reading);
  if (!match && slashless.size() != reading.size()) match = by_expressions(slashless);
  if (!match && bare.size() != slashless.size()) match = by_expressions(bare);
  if (match) match.reading = reading;
  return match;
}

PathMatch PathSet::matches(std::string_view reading) const {
  const PathMatch match = by_patterns(reading);
  return match ? match : by_expressions(reading);
}

PathMatch PathSet::matches_any(const PathReadings& readings) const {
  // The usual reading can give the reason its name; the others would cost what a client asks for and change
  // nothing.
  if (readings.incomplete()) {
    const PathMatch match = matches(readings.usual());
    return match ? match : PathMatch{true, readings.usual(), {}, {}};
  }
  for (const std::string_view reading : readings.all())
    if (const PathMatch match = recall_patterns(reading)) return match;
  if (expressions_.empty()) return {};
  for (const std::string_view reading : readings.all())
    if (const PathMatch match = by_expressions_as_routed(reading)) return match;
  return {};
}

PathMatch PathSet::matches_all(const PathReadings& readings) const {
  if (readings.incomplete()) return {};
  PathMatch first;
  for (const std::string_view reading : readings.all()) {
    const PathMatch match = matches(reading);
    if (!match) return {};
    if (!first) first = match;
  }
  return first;
}

}  // namespace sekisho::policy
