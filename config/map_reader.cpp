#include "config/map_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/scalars.hpp"
#include "config/source.hpp"
#include "config/spelling.hpp"

namespace sekisho::config {

std::optional<std::string> Context::read_named_file(Mark mark, std::string_view path, std::size_t most) {
  if (path.empty()) {
    error(mark, "file: needs a path");
    return std::nullopt;
  }
  const std::filesystem::path full = (directory / path).lexically_normal();
  std::string problem;
  auto text = read_regular_file(full, most, problem);
  if (!text) error(mark, fmt::format("{} {}", full.string(), problem));
  return text;
}

std::string_view kind_name(const Tree& tree) {
  switch (tree.kind) {
    case Tree::Kind::null:
      return "nothing";
    case Tree::Kind::scalar:
      return "a single value";
    case Tree::Kind::sequence:
      return "a list";
    case Tree::Kind::map:
      return "a mapping";
  }
  return {};
}

MapReader::MapReader(Context& context, const Tree& tree, std::string_view what)
    : context_(context), tree_(tree), what_(what) {
  if (tree.kind != Tree::Kind::map) {
    context.error(tree.mark,
                  fmt::format("{} must be a mapping of keys to values, not {}", what, kind_name(tree)));
  }
}

std::optional<std::size_t> MapReader::index_of(std::string_view key) const {
  const auto found =
      std::find_if(tree_.keys.begin(), tree_.keys.end(), [&](const auto& k) { return k.value == key; });
  if (found == tree_.keys.end()) return std::nullopt;
  return static_cast<std::size_t>(found - tree_.keys.begin());
}

const Tree* MapReader::find(std::string_view key) {
  known_.push_back(key);
  const auto index = index_of(key);
  if (!index) return nullptr;
  const Tree& value = tree_.items[*index];
  if (value.reported) return nullptr;
  if (value.kind != Tree::Kind::null) return &value;
  context_.error(value.mark,
                 fmt::format("{} has no value; give it one or take the key out (a value that is ~ or empty "
                             "must be quoted)",
                             key));
  return nullptr;
}

Mark MapReader::key_mark(std::string_view key) const {
  const auto index = index_of(key);
  return index ? tree_.keys[*index].mark : Mark{};
}

Mark MapReader::value_mark(std::string_view key) const {
  const auto index = index_of(key);
  return index ? tree_.items[*index].mark : Mark{};
}

const Tree* MapReader::scalar(std::string_view key, std::string_view expected) {
  const Tree* tree = find(key);
  if (tree == nullptr || tree->kind == Tree::Kind::scalar) return tree;
  context_.error(tree->mark, fmt::format("{} must be {}, not {}", key, expected, kind_name(*tree)));
  return nullptr;
}

bool MapReader::flag(std::string_view key, bool& target) {
  const Tree* tree = scalar(key, "true or false");
  if (tree == nullptr) return false;
  std::string problem;
  const auto value = parse_flag(tree->text, problem);
  if (!value) {
    context_.error(tree->mark, fmt::format("{}: {}", key, problem));
    return false;
  }
  target = *value;
  return true;
}

bool MapReader::count(std::string_view key, std::uint64_t& target, std::uint64_t least, std::uint64_t most) {
  const Tree* tree = scalar(key, "a whole number");
  if (tree == nullptr) return false;
  std::string problem;
  const auto value = parse_count(tree->text, problem);
  if (!value) {
    context_.error(tree->mark, fmt::format("{}: {}", key, problem));
  } else if (*value < least || *value > most) {
    context_.error(tree->mark,
                   most == no_bound
                       ? fmt::format("{}: {} is too small; at least {}", key, *value, least)
                       : fmt::format("{}: {} is out of range; from {} to {}", key, *value, least, most));
  } else {
    target = *value;
    return true;
  }
  return false;
}

bool MapReader::size(std::string_view key, std::uint64_t& target, std::uint64_t least, std::uint64_t most) {
  const Tree* tree = scalar(key, "a size such as 64KiB");
  if (tree == nullptr) return false;
  std::string problem;
  const auto value = parse_size(tree->text, problem);
  if (!value) {
    context_.error(tree->mark, fmt::format("{}: {}", key, problem));
  } else if (*value < least) {
    context_.error(tree->mark,
                   fmt::format("{}: {} is too small; at least {}", key, size_text(*value), size_text(least)));
  } else if (*value > most) {
    context_.error(tree->mark,
                   fmt::format("{}: {} is too large; at most {}", key, size_text(*value), size_text(most)));
  } else {
    target = *value;
    return true;
  }
  return false;
}

bool MapReader::duration(std::string_view key, Duration& target, Duration least, Duration most) {
  const Tree* tree = scalar(key, "a duration such as 30s");
  if (tree == nullptr) return false;
  std::string problem;
  const auto value = parse_duration(tree->text, problem);
  if (!value) {
    context_.error(tree->mark, fmt::format("{}: {}", key, problem));
  } else if (*value < least || *value > most) {
    context_.error(tree->mark, fmt::format("{}: {} is out of range; from {} to {}", key, tree->text,
                                           duration_text(least), duration_text(most)));
  } else {
    target = *value;
    return true;
  }
  return false;
}

bool MapReader::text(std::string_view key, std::string& target) {
  const Tree* tree = scalar(key, "a single value");
  if (tree == nullptr) return false;
  if (tree->text.empty()) {
    context_.error(tree->mark, fmt::format("{} is empty", key));
    return false;
  }
  target = tree->text;
  return true;
}

std::optional<std::string> MapReader::word(std::string_view key,
                                           std::initializer_list<std::string_view> words) {
  const Tree* tree = scalar(key, fmt::format("one of {}", fmt::join(words, ", ")));
  if (tree == nullptr || !check_word(context_, tree->mark, key, tree->text, words)) return std::nullopt;
  return tree->text;
}

void MapReader::finish() {
  if (tree_.kind != Tree::Kind::map) return;
  for (const auto& key : tree_.keys) {
    if (std::find(known_.begin(), known_.end(), key.value) != known_.end()) continue;
    if (key.value == "<<") {
      context_.error(key.mark, "YAML's merge key << is not known here; write the keys out");
      continue;
    }
    const std::string hint = did_you_mean(key.value, known_);
    std::string message = fmt::format("{} has no key {}{}", what_, key.value.substr(0, 100), hint);
    if (hint.empty()) message += fmt::format("; it has {}", fmt::join(known_, ", "));
    context_.error(key.mark, message);
  }
}

std::optional<std::string> scalar_text(Context& context, const Tree& tree, std::string_view what,
                                       std::string_view expected) {
  if (tree.reported) return std::nullopt;
  if (tree.kind == Tree::Kind::scalar) return tree.text;
  context.error(tree.mark, fmt::format("{} must be {}, not {}", what, expected, kind_name(tree)));
  return std::nullopt;
}

bool check_word(Context& context, Mark mark, std::string_view what, std::string_view word,
                std::initializer_list<std::string_view> words) {
  if (std::find(words.begin(), words.end(), word) != words.end()) return true;
  std::string hint = did_you_mean(word, std::span(words.begin(), words.size()));
  if (hint.empty()) hint = fmt::format("; write {}", fmt::join(words, ", "));
  context.error(mark, fmt::format("{}: \"{}\" is not known{}", what, word.substr(0, 60), hint));
  return false;
}

std::vector<const Tree*> items_of(const Tree& tree) {
  if (tree.kind != Tree::Kind::sequence) return {&tree};
  std::vector<const Tree*> items;
  items.reserve(tree.items.size());
  for (const Tree& item : tree.items) items.push_back(&item);
  return items;
}

}  // namespace sekisho::config
