// Lists of text: one scalar or several, and entries that stand for the lines of a file or of a variable.
#pragma once

#include <string_view>

#include "config/config.hpp"
#include "config/map_reader.hpp"

namespace sekisho::config {

enum class ListSources : std::uint8_t {
  literal,   // entries are what they say
  expanded,  // file:PATH (one entry a line, # comments) and env:NAME (commas or lines) stand for what they
             // hold
};

// `what` names the list in messages. Entries from a file have marks in that file.
Texts read_texts(Context& context, const Tree& tree, std::string_view what, ListSources sources);

// Appends what one scalar stands for.
void append_texts(Context& context, const Tree& scalar, std::string_view what, ListSources sources,
                  Texts& texts);

}  // namespace sekisho::config
