#include "config/match_order.hpp"

#include <algorithm>

namespace sekisho::config {
namespace {

bool holds(const Texts& texts, const Text& wanted) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const Text& text) { return text.value == wanted.value; });
}

bool subset(const Texts& part, const Texts& whole) {
  return std::all_of(part.begin(), part.end(), [&](const Text& text) { return holds(whole, text); });
}

bool clause_covers(const std::optional<Texts>& wide, const std::optional<Texts>& narrow) {
  return !wide || (narrow && subset(*narrow, *wide));
}

bool header_covers(const HeaderMatch& wide, const Match& narrow) {
  return std::any_of(narrow.headers.begin(), narrow.headers.end(), [&](const HeaderMatch& header) {
    return header.name.value == wide.name.value && subset(header.values, wide.values);
  });
}

}  // namespace

bool covers(const Match& wide, const Match& narrow) {
  if (!clause_covers(wide.paths, narrow.paths) || !clause_covers(wide.methods, narrow.methods) ||
      !clause_covers(wide.hosts, narrow.hosts) || !clause_covers(wide.networks, narrow.networks)) {
    return false;
  }
  const bool headers = std::all_of(wide.headers.begin(), wide.headers.end(),
                                   [&](const HeaderMatch& header) { return header_covers(header, narrow); });
  if (!headers) return false;
  // What `wide` leaves out, `narrow` must leave out too. An exception of its own would turn the order round
  // once more, so nested ones are not judged.
  return std::all_of(wide.except.begin(), wide.except.end(), [&](const Match& left_out) {
    return left_out.except.empty() &&
           std::any_of(narrow.except.begin(), narrow.except.end(),
                       [&](const Match& other) { return other.except.empty() && covers(other, left_out); });
  });
}

}  // namespace sekisho::config
