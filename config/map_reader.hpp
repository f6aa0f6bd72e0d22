// Reads one YAML mapping key by key into typed values, and notices the keys that nobody asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/diagnostics.hpp"
#include "config/tree.hpp"

namespace sekisho::config {

// What every reader of a section is handed.
struct Context {
  Diagnostics& diagnostics;
  std::filesystem::path directory;  // `file:` entries are relative to it

  void error(Mark mark, std::string message) { diagnostics.error(mark, std::move(message)); }
  // A file that the configuration names, relative to `directory`; nullopt after a report at `mark`.
  std::optional<std::string> read_named_file(Mark mark, std::string_view path, std::size_t most);
};

// "a list", "a mapping", "text": for messages.
std::string_view kind_name(const Tree& tree);

// Every getter leaves its target alone and reports the problem when the value is not right, so that one run
// finds all.
class MapReader {
 public:
  static constexpr std::uint64_t no_bound = std::numeric_limits<std::uint64_t>::max();

  // `what` names the mapping in messages: "upstream", "a limit". A tree that is no mapping is reported and
  // read as empty.
  MapReader(Context& context, const Tree& tree, std::string_view what);

  // The value of `key`; nullptr where it is absent, or null (which is reported).
  const Tree* find(std::string_view key);
  // Where the key stands; `Mark{}` where it does not.
  Mark key_mark(std::string_view key) const;
  // Where the value stands.
  Mark value_mark(std::string_view key) const;

  bool flag(std::string_view key, bool& target);
  bool count(std::string_view key, std::uint64_t& target, std::uint64_t least, std::uint64_t most = no_bound);
  bool size(std::string_view key, std::uint64_t& target, std::uint64_t least, std::uint64_t most = no_bound);
  bool duration(std::string_view key, Duration& target, Duration least,
                Duration most = std::chrono::hours(24 * 365));
  bool text(std::string_view key, std::string& target);
  // One of a few words; nullopt after a report, or where the key is absent.
  std::optional<std::string> word(std::string_view key, std::initializer_list<std::string_view> words);

  // Reports every key that no getter asked for, with the nearest one that is known. Call when all have been
  // asked for.
  void finish();

  Context& context() { return context_; }
  Mark mark() const { return tree_.mark; }

 private:
  std::optional<std::size_t> index_of(std::string_view key) const;
  const Tree* scalar(std::string_view key, std::string_view expected);

  Context& context_;
  const Tree& tree_;
  std::string what_;
  std::vector<std::string_view> known_;
};

// The text of a scalar; nullopt after a report that `what` must be `expected`.
std::optional<std::string> scalar_text(Context& context, const Tree& tree, std::string_view what,
                                       std::string_view expected);

// One of `words`, else nullopt after a report with the nearest.
bool check_word(Context& context, Mark mark, std::string_view what, std::string_view word,
                std::initializer_list<std::string_view> words);

// The items of a list; a scalar or mapping alone counts as a list of one.
std::vector<const Tree*> items_of(const Tree& tree);

}  // namespace sekisho::config
