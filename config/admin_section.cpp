#include "config/admin_section.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <tuple>

#include "config/sections.hpp"
#include "config/source.hpp"
#include "config/tree.hpp"

namespace sekisho::config {
namespace {

constexpr std::string_view key = "admin";

// The text with every line emptied that does not belong to the section, so that places stay right.
std::string own_lines(std::string_view text) {
  std::string kept;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, length);
    if (!line.empty() && std::string_view(" \t#").find(line.front()) == std::string_view::npos)
      inside = line.starts_with("admin:");
    if (inside) kept += line;
    kept += '\n';
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return kept;
}

std::optional<Tree> parse_mapping(std::string_view text, std::uint16_t file, Diagnostics& diagnostics) {
  auto tree = parse_tree(text, file, diagnostics);
  if (!tree || tree->kind == Tree::Kind::map) return tree;
  diagnostics.error(tree->mark, "the file must be a mapping of keys to values");
  return std::nullopt;
}

// Whether a value in here had a reference to the environment that failed there. It may stand elsewhere in the
// file, behind an alias.
bool failed_at(const Tree& tree, Mark mark) {
  if (tree.reported && std::tie(tree.mark.line, tree.mark.column) == std::tie(mark.line, mark.column))
    return true;
  return std::any_of(tree.items.begin(), tree.items.end(),
                     [mark](const Tree& item) { return failed_at(item, mark); });
}

// What the parser found wrong within the section: duplicate keys and references to the environment.
void add_problems_within(const Tree& file, std::size_t index, const Diagnostics& found, Context& context) {
  const auto place = [](Mark mark) { return std::tuple(mark.line, mark.column); };
  for (const Diagnostic& problem : found.all()) {
    const bool behind = place(file.keys[index].mark) < place(problem.mark);
    const bool ahead_of_next =
        index + 1 == file.keys.size() || place(problem.mark) < place(file.keys[index + 1].mark);
    if ((behind && ahead_of_next) || failed_at(file.items[index], problem.mark))
      context.error(problem.mark, problem.message);
  }
}

}  // namespace

AdminSection read_admin_section(const std::string& source) {
  AdminSection section;
  const std::uint16_t file = section.diagnostics.add_file(source);
  Diagnostics found = section.diagnostics.fresh();
  std::optional<Tree> tree;
  std::string problem;
  const auto text = read_source(source, max_document_bytes, problem);
  if (text) {
    tree = parse_mapping(*text, file, found);
  } else {
    found.error({file, 0, 0}, problem);
  }
  if (!tree) {
    section.note = found.format(found.all().back());  // what ended the parse
    found = section.diagnostics.fresh();
    if (text) tree = parse_mapping(own_lines(*text), file, found);
    if (!tree) return section;
  }

  Context context{section.diagnostics, {}};
  MapReader reader(context, *tree, "the file");
  if (const Tree* admin = reader.find(key)) read_admin(context, *admin, section.admin);
  const auto at =
      std::find_if(tree->keys.begin(), tree->keys.end(), [](const auto& k) { return k.value == key; });
  if (at != tree->keys.end())
    add_problems_within(*tree, static_cast<std::size_t>(at - tree->keys.begin()), found, context);
  return section;
}

}  // namespace sekisho::config
