#include "config/match_order.hpp"

#include <algorithm>

#include "config/pattern_order.hpp"

namespace sekisho::config {
namespace {

// Above this many pairs nobody waits for a warning.
constexpr std::size_t most_pairs = 100'000;

std::vector<std::string> sorted(const Texts& texts) {
  std::vector<std::string> values;
  values.reserve(texts.size());
  for (const Text& text : texts) values.push_back(text.value);
  std::sort(values.begin(), values.end());
  return values;
}

std::optional<std::vector<std::string>> sorted(const std::optional<Texts>& texts) {
  if (!texts) return std::nullopt;
  return sorted(*texts);
}

std::vector<std::string> itself(std::string_view text) {
  return {std::string(text)};
}

// Whether each of `narrow` has one among `wide` that covers it; `wider` names those that would.
template <class Wider>
bool each_covered(const std::vector<std::string>& wide, const std::vector<std::string>& narrow, Wider wider) {
  return std::all_of(narrow.begin(), narrow.end(), [&](const std::string& pattern) {
    const std::vector<std::string> names = wider(pattern);
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return std::binary_search(wide.begin(), wide.end(), name);
    });
  });
}

template <class Wider>
bool clause_covers(const std::optional<std::vector<std::string>>& wide,
                   const std::optional<std::vector<std::string>>& narrow, Wider wider) {
  return !wide || (narrow && each_covered(*wide, *narrow, wider));
}

template <class Disjoint>
bool clause_disjoint(const std::optional<std::vector<std::string>>& a,
                     const std::optional<std::vector<std::string>>& b, Disjoint disjoint) {
  if (!a || !b || a->size() * b->size() > most_pairs) return false;
  return std::all_of(a->begin(), a->end(), [&](const std::string& one) {
    return std::all_of(b->begin(), b->end(), [&](const std::string& other) { return disjoint(one, other); });
  });
}

}  // namespace

MatchOrder::MatchOrder(const Match& match)
    : paths_(sorted(match.paths)),
      methods_(sorted(match.methods)),
      hosts_(sorted(match.hosts)),
      networks_(sorted(match.networks)) {
  for (const HeaderMatch& header : match.headers)
    headers_.emplace_back(header.name.value, sorted(header.values));
  for (const Match& except : match.except) except_.emplace_back(except);
}

bool MatchOrder::covers(const MatchOrder& narrow) const {
  if (!clause_covers(paths_, narrow.paths_, wider_paths) ||
      !clause_covers(methods_, narrow.methods_, wider_methods) ||
      !clause_covers(hosts_, narrow.hosts_, wider_hosts) ||
      !clause_covers(networks_, narrow.networks_, itself)) {
    return false;
  }
  const bool headers = std::all_of(headers_.begin(), headers_.end(), [&](const auto& wanted) {
    return std::any_of(narrow.headers_.begin(), narrow.headers_.end(), [&](const auto& header) {
      return header.first == wanted.first && each_covered(wanted.second, header.second, itself);
    });
  });
  return headers && std::all_of(except_.begin(), except_.end(), [&](const MatchOrder& left_out) {
           return narrow.disjoint(left_out) || narrow.leaves_out(left_out);
         });
}

// An exception of an exception would turn the order round once more, so nested ones are not judged.
bool MatchOrder::leaves_out(const MatchOrder& other) const {
  return other.except_.empty() && std::any_of(except_.begin(), except_.end(), [&](const MatchOrder& except) {
           return except.except_.empty() && except.covers(other);
         });
}

bool MatchOrder::disjoint(const MatchOrder& other) const {
  return clause_disjoint(paths_, other.paths_, disjoint_paths) ||
         clause_disjoint(methods_, other.methods_, disjoint_methods);
}

}  // namespace sekisho::config
