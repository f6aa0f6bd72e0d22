#include "config/spelling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace sekisho::config {
namespace {

constexpr std::size_t longest_word = 64;

char folded(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '-' ? '_' : c;
}

// How far two words are apart, in insertions, deletions, substitutions and swaps of neighbours (optimal
// string alignment).
struct Distance {
  std::size_t whole = 0;
  std::size_t start = 0;  // from the nearest beginning of the other
};

Distance edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = folded(a[i - 1]) == folded(b[j - 1]);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (same ? 0U : 1U)});
      const bool swapped =
          i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]);
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return {d[a.size()][b.size()], *std::min_element(d[a.size()].begin(), d[a.size()].end())};
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > longest_word) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const Distance apart = edit_distance(word, candidate);
    // A word cut short is as good as one letter wrong.
    const bool cut_short = word.size() >= 3 && apart.start + 1 < apart.whole;
    const std::size_t distance = cut_short ? apart.start + 1 : apart.whole;
    const bool shorter = distance == best_distance && cut_short && candidate.size() < best.size();
    if ((distance < best_distance || shorter) && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return std::string(best);
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string best = nearest(word, candidates);
  return best.empty() ? std::string() : fmt::format("; did you mean {}?", best);
}

}  // namespace sekisho::config
