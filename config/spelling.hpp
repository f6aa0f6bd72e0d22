// The nearest valid spelling of a mistyped word.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sekisho::config {

// The candidate that is few enough edits away (letter case and `-` for `_` count for nothing); empty where
// none is.
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);

// "; did you mean X?" for the nearest candidate, or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace sekisho::config
