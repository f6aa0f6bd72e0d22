#include <fmt/format.h>

#include <algorithm>

#include "config/sections.hpp"
#include "config/text_list.hpp"

namespace sekisho::config {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::optional<Texts> read_clause(MapReader& reader, std::string_view key, ListSources sources) {
  const Tree* tree = reader.find(key);
  if (tree == nullptr) return std::nullopt;
  if (tree->kind == Tree::Kind::sequence && tree->items.empty()) {
    reader.context().error(tree->mark,
                           fmt::format("{} is empty and so would match nothing; take it out", key));
  }
  return read_texts(reader.context(), *tree, key, sources);
}

void check_methods(Context& context, Texts& methods) {
  for (const Text& method : methods) {
    if (!is_token(method.value)) {
      context.error(method.mark, fmt::format("methods: \"{}\" is not a method", method.value));
    } else if (std::any_of(method.value.begin(), method.value.end(),
                           [](char c) { return c >= 'a' && c <= 'z'; })) {
      std::string upper = method.value;
      std::transform(upper.begin(), upper.end(), upper.begin(),
                     [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
      context.error(method.mark,
                    fmt::format("methods: letter case counts in methods; did you mean {}?", upper));
    }
  }
}

void read_headers(Context& context, const Tree& tree, std::vector<HeaderMatch>& headers) {
  if (tree.kind != Tree::Kind::map || tree.items.empty()) {
    context.error(tree.mark,
                  "headers must be a mapping of header names to values, such as {User-Agent: \"\"}");
    return;
  }
  for (std::size_t i = 0; i < tree.items.size(); ++i) {
    const Text& name = tree.keys[i];
    const Tree& values = tree.items[i];
    if (!is_token(name.value))
      context.error(name.mark, fmt::format("\"{}\" is not the name of a header", name.value));
    for (const HeaderMatch& other : headers) {
      if (same_name(other.name.value, name.value)) {
        context.error(name.mark, fmt::format("{} stands here twice; the first is in line {}", name.value,
                                             other.name.mark.line));
      }
    }
    if (values.kind == Tree::Kind::null) {
      context.error(
          values.mark,
          fmt::format("{} has no value; write \"\" for a header that is absent or empty", name.value));
      continue;
    }
    if (values.kind == Tree::Kind::sequence && values.items.empty()) {
      context.error(values.mark,
                    fmt::format("{} is empty and so would match nothing; take it out", name.value));
    }
    headers.push_back({name, read_texts(context, values, name.value, ListSources::expanded)});
  }
}

bool has_clause(const Match& match) {
  return match.paths || match.methods || match.hosts || match.networks || !match.headers.empty() ||
         !match.except.empty();
}

}  // namespace

bool is_token(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 256 && std::all_of(text.begin(), text.end(), allowed);
}

Match read_match(Context& context, const Tree& tree) {
  Match match;
  match.mark = tree.mark;
  MapReader reader(context, tree, "a match");
  match.paths = read_clause(reader, "paths", ListSources::expanded);
  match.methods = read_clause(reader, "methods", ListSources::literal);
  match.hosts = read_clause(reader, "hosts", ListSources::expanded);
  match.networks = read_clause(reader, "networks", ListSources::expanded);
  if (match.methods) check_methods(context, *match.methods);
  if (const Tree* headers = reader.find("headers")) read_headers(context, *headers, match.headers);
  if (const Tree* except = reader.find("except")) match.except = read_exclusions(context, *except, "except");
  reader.finish();
  return match;
}

std::vector<Match> read_exclusions(Context& context, const Tree& tree, std::string_view what) {
  std::vector<Match> matches;
  for (const Tree* item : items_of(tree)) {
    if (item->kind != Tree::Kind::map) {
      context.error(item->mark,
                    fmt::format("{} must be a match such as {{paths: [/up]}}, or a list of them, not {}",
                                what, kind_name(*item)));
      continue;
    }
    matches.push_back(read_match(context, *item));
    if (!has_clause(matches.back()) && item->items.empty()) {
      context.error(item->mark, fmt::format("{}: a match without any clause is every request", what));
    }
  }
  return matches;
}

}  // namespace sekisho::config
