#include "proxy/policy/pattern_index.hpp"

#include <algorithm>
#include <utility>

namespace sekisho::policy {
namespace {

// Longer texts would be more selective and take more memory for it.
constexpr std::size_t trigger_length = 12;

}  // namespace

std::uint32_t PatternIndex::add(PathPattern pattern) {
  patterns_.push_back(std::move(pattern));
  return static_cast<std::uint32_t>(patterns_.size() - 1);
}

void PatternIndex::build() {
  for (std::uint32_t number = 0; number < patterns_.size(); ++number) {
    const PathPattern& pattern = patterns_[number];
    switch (pattern.kind()) {
      case PathPattern::Kind::exact:
        exact_.emplace(pattern.path(), number);
        break;
      case PathPattern::Kind::literal:
        literal_.emplace(pattern.path(), number);
        break;
      case PathPattern::Kind::glob: {
        // "/" alone is in every path.
        const std::string_view required = pattern.required_text();
        if (required.empty() || required == "/") {
          always_.push_back(number);
        } else {
          triggers_.add(required.substr(0, trigger_length), number);
        }
      }
    }
  }
  triggers_.build();
}

void PatternIndex::begin(Scratch& scratch) const {
  if (scratch.tried.size() != patterns_.size() || ++scratch.turn == 0) {
    scratch.tried.assign(patterns_.size(), 0);
    scratch.turn = 1;
  }
}

}  // namespace sekisho::policy
