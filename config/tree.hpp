// A YAML document as plain values with their places: the only thing that the readers of sections see.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostics.hpp"
#include "config/mark.hpp"

namespace sekisho::config {

struct Tree {
  enum class Kind : std::uint8_t { null, scalar, sequence, map };

  Kind kind = Kind::null;
  std::string text;                        // of a scalar, its environment references replaced
  std::vector<Located<std::string>> keys;  // of a map, in the file's order; keys[i] names items[i]
  std::vector<Tree> items;                 // of a sequence or a map
  Mark mark;
  bool reported = false;  // its reference to the environment failed: whoever reads it need not complain again
};

// Bounds on one document, so that no file costs more than it is worth: what lies beyond is an error.
inline constexpr std::size_t max_document_bytes = 4 * 1024 * 1024;
inline constexpr std::size_t max_document_depth = 64;
inline constexpr std::size_t max_document_nodes = 200'000;  // aliases count with all that they stand for

// Reads exactly one document. nullopt where the text is no such thing; the reason is in `diagnostics`, and so
// are duplicate keys and bad environment references, which leave a tree to go on with. `when_empty`: what to
// say of a text that has nothing in it.
std::optional<Tree> parse_tree(
    std::string_view text, std::uint16_t file, Diagnostics& diagnostics,
    std::string_view when_empty = "the file is empty; it must name at least an upstream");

}  // namespace sekisho::config
