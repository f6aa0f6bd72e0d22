#include "config/text_list.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "config/source.hpp"

namespace sekisho::config {
namespace {

constexpr std::size_t max_list_bytes = 16 * MiB;
constexpr std::string_view blanks = " \t\r";

// Splits at any of `separators`; an entry is what is left without blanks and comments. Quoting is unknown
// here.
void append_entries(Context& context, std::string_view text, std::uint16_t file, std::string_view separators,
                    bool comments, Texts& texts) {
  // Some editors put a byte order mark in front of a file.
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (const std::size_t bad = find_invalid_text(text); bad != std::string_view::npos) {
    context.error({file, 1, 1}, fmt::format("byte {} is not UTF-8 text", bad));
    return;
  }
  Mark mark{file, 1, 1};
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(separators);
    std::string_view entry = text.substr(0, end);
    const std::size_t start = std::min(entry.find_first_not_of(blanks), entry.size());
    // A # begins a comment where a blank precedes it, so that an expression may hold one.
    for (std::size_t i = start; comments && i < entry.size(); ++i) {
      if (entry[i] == '#' && (i == start || blanks.find(entry[i - 1]) != std::string_view::npos))
        entry = entry.substr(0, i);
    }
    const std::size_t last = entry.find_last_not_of(blanks);
    if (last != std::string_view::npos && last >= start) {
      const Mark place{file, mark.line, mark.column + static_cast<std::uint32_t>(start)};
      texts.push_back({std::string(entry.substr(start, last + 1 - start)), place});
    }
    if (end == std::string_view::npos) break;
    if (text[end] == '\n') {
      mark = {file, mark.line + 1, 1};
    } else {
      mark.column += static_cast<std::uint32_t>(end + 1);
    }
    text.remove_prefix(end + 1);
  }
}

}  // namespace

void append_texts(Context& context, const Tree& scalar, std::string_view what, ListSources sources,
                  Texts& texts) {
  const auto text = scalar_text(context, scalar, what, "text or a list of text");
  if (!text) return;
  if (sources == ListSources::expanded && text->starts_with("file:")) {
    const std::string path = text->substr(5);
    const auto content = context.read_named_file(scalar.mark, path, max_list_bytes);
    if (!content) return;
    const auto file = context.diagnostics.add_file((context.directory / path).lexically_normal().string());
    append_entries(context, *content, file, "\n", true, texts);
  } else if (sources == ListSources::expanded && text->starts_with("env:")) {
    const std::string name = text->substr(4);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      context.error(scalar.mark, fmt::format("{}: the environment variable {} is not set", what, name));
      return;
    }
    append_entries(context, value, context.diagnostics.add_file("env:" + name), ",\n", false, texts);
  } else {
    texts.push_back({*text, scalar.mark});
  }
}

Texts read_texts(Context& context, const Tree& tree, std::string_view what, ListSources sources) {
  Texts texts;
  for (const Tree* item : items_of(tree)) append_texts(context, *item, what, sources, texts);
  return texts;
}

}  // namespace sekisho::config
