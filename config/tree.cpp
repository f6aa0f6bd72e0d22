#include "config/tree.hpp"

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "config/environment.hpp"
#include "config/source.hpp"
#include "config/unclosed_quote.hpp"
#include "config/yaml_hints.hpp"

namespace sekisho::config {
namespace {

// Ends the parse: what follows would only repeat or multiply the problem.
struct Refused {
  Mark mark;
  std::string message;
};

struct Extent {
  std::size_t nodes = 1;
  std::size_t bytes = 0;
};

Extent extent_of(const Tree& tree) {
  Extent sum{1, tree.text.size()};
  for (const auto& key : tree.keys) sum.bytes += key.value.size();
  for (const Tree& item : tree.items) {
    const Extent part = extent_of(item);
    sum.nodes += part.nodes;
    sum.bytes += part.bytes;
  }
  return sum;
}

std::size_t depth_of(const Tree& tree) {
  std::size_t deepest = 0;
  for (const Tree& item : tree.items) deepest = std::max(deepest, depth_of(item));
  return deepest + 1;
}

// Builds the Tree from the parser's events. YAML::Node is not used: it loses duplicate keys and follows an
// alias that holds itself for ever.
class Builder : public YAML::EventHandler {
 public:
  Builder(std::uint16_t file, Diagnostics& diagnostics) : file_(file), diagnostics_(diagnostics) {}

  // Where the last value or key began that was read whole.
  Mark last() const { return last_; }
  std::optional<Tree> take() { return std::exchange(root_, std::nullopt); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (started_) {
      throw Refused{place(mark),
                    "the text goes on after the end of its document: one file is one document, and all its "
                    "top-level keys "
                    "begin in the same column"};
    }
    started_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Tree tree;
    tree.mark = place(mark);
    add(std::move(tree), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    Tree tree;
    tree.kind = Tree::Kind::scalar;
    tree.mark = place(mark);
    tree.text = value;
    if (!wants_key()) expand(tree);
    add(std::move(tree), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) throw Refused{place(mark), "this alias stands inside what it names"};
    count_copy(known->second, place(mark));
    if (stack_.size() + depth_of(known->second) > max_document_depth) refuse_depth(mark);
    add(Tree(known->second), YAML::NullAnchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Tree::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Tree::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Tree tree;
    YAML::anchor_t anchor;
    std::unordered_map<std::string, Mark> seen;  // keys so far
    bool has_key = false;                        // the next value belongs to tree.keys.back()
    bool drop_value = false;                     // its key was a duplicate
  };

  Mark place(const YAML::Mark& mark) const {
    return {file_, static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
  }

  bool wants_key() const {
    return !stack_.empty() && stack_.back().tree.kind == Tree::Kind::map && !stack_.back().has_key;
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    throw Refused{
        place(mark),
        fmt::format("an unquoted ! begins a YAML tag, and {} is none that is known here; quote it", tag)};
  }

  void check_size(Mark mark) const {
    if (nodes_ > max_document_nodes) {
      throw Refused{mark, fmt::format("more than {} values; put long lists into files (file:PATH)",
                                      max_document_nodes)};
    }
    if (bytes_ > max_document_bytes)
      throw Refused{mark, "aliases and the environment make this file too large"};
  }

  // What stands for something else costs as much as if it were written out.
  void count_copy(const Tree& tree, Mark mark) {
    const Extent extent = extent_of(tree);
    nodes_ += extent.nodes;
    bytes_ += extent.bytes;
    check_size(mark);
  }

  [[noreturn]] void refuse_depth(const YAML::Mark& mark) const {
    throw Refused{place(mark), fmt::format("nested more than {} deep", max_document_depth)};
  }

  void expand(Tree& tree) {
    if (tree.text.find('$') == std::string::npos) return;
    std::string problem;
    auto expanded = expand_environment(tree.text, problem);
    if (!expanded) {
      diagnostics_.error(tree.mark, problem);
      tree.reported = true;
      return;
    }
    bytes_ += expanded->size();
    check_size(tree.mark);
    tree.text = std::move(*expanded);
  }

  void open(Tree::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    check_tag(mark, tag);
    if (wants_key())
      throw Refused{place(mark), "a key must be a plain word; if braces were meant as text, quote it"};
    if (stack_.size() >= max_document_depth) refuse_depth(mark);
    Frame frame{{}, anchor, {}, false, false};
    frame.tree.kind = kind;
    frame.tree.mark = place(mark);
    stack_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    add(std::move(frame.tree), frame.anchor);
  }

  void add(Tree tree, YAML::anchor_t anchor) {
    ++nodes_;
    if (tree.kind == Tree::Kind::scalar) last_ = tree.mark;
    check_size(tree.mark);
    if (anchor != YAML::NullAnchor) {
      count_copy(tree, tree.mark);
      anchors_[anchor] = tree;
    }
    if (stack_.empty()) {
      root_ = std::move(tree);
    } else if (stack_.back().tree.kind == Tree::Kind::sequence) {
      stack_.back().tree.items.push_back(std::move(tree));
    } else if (!stack_.back().has_key) {
      add_key(std::move(tree));
    } else {
      add_value(std::move(tree));
    }
  }

  void add_key(Tree tree) {
    Frame& frame = stack_.back();
    if (tree.kind != Tree::Kind::scalar) throw Refused{tree.mark, "a key must be a plain word"};
    const auto [first, fresh] = frame.seen.emplace(tree.text, tree.mark);
    if (!fresh) {
      diagnostics_.error(tree.mark, fmt::format("{} stands here twice; the first is in line {}", tree.text,
                                                first->second.line));
    }
    frame.has_key = true;
    frame.drop_value = !fresh;
    if (fresh) frame.tree.keys.push_back({std::move(tree.text), tree.mark});
  }

  void add_value(Tree tree) {
    Frame& frame = stack_.back();
    frame.has_key = false;
    if (frame.drop_value) return;
    // The parser places a missing value at whatever comes next.
    if (tree.kind == Tree::Kind::null) tree.mark = frame.tree.keys.back().mark;
    frame.tree.items.push_back(std::move(tree));
  }

  std::uint16_t file_;
  Diagnostics& diagnostics_;
  Mark last_{file_, 1, 1};
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Tree> anchors_;
  std::optional<Tree> root_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
  bool started_ = false;
};

// The parser takes the end of the text for the end of a quoted value, and all between for the value. It knows
// better where it meets the marker that ends a document.
std::string with_end_marker(std::string_view text) {
  std::string marked(text);
  if (!text.empty() && text.back() != '\n') marked += '\n';
  return marked += "...\n";
}

// The marker's own place is behind the end of the text.
Mark within(std::string_view text, Mark mark) {
  const auto line_ends = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n'));
  if (mark.line <= line_ends + 1) return mark;
  const std::size_t last_line = text.rfind('\n') + 1;  // npos + 1 is 0
  return {mark.file, line_ends + 1, static_cast<std::uint32_t>(text.size() - last_line + 1)};
}

Mark place_of(std::string_view text, std::size_t offset, std::uint16_t file) {
  const std::string_view before = text.substr(0, offset);
  const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n') + 1);
  const std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {file, line, static_cast<std::uint32_t>(offset - start + 1)};
}

bool is_fit_to_parse(std::string_view text, std::uint16_t file, Diagnostics& diagnostics) {
  if (text.size() > max_document_bytes) {
    diagnostics.error({file, 0, 0}, fmt::format("is larger than {} KiB", max_document_bytes / 1024));
    return false;
  }
  const std::size_t bad = find_invalid_text(text);
  if (bad == std::string_view::npos) return true;
  const std::string_view what = text[bad] == '\0' ? "a NUL byte" : "not UTF-8";
  diagnostics.error(place_of(text, bad, file),
                    fmt::format("this is {}; a configuration is UTF-8 text", what));
  return false;
}

}  // namespace

std::optional<Tree> parse_tree(std::string_view text, std::uint16_t file, Diagnostics& diagnostics,
                               std::string_view when_empty) {
  if (!is_fit_to_parse(text, file, diagnostics)) return std::nullopt;
  Builder builder(file, diagnostics);
  try {
    std::istringstream stream{with_end_marker(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    diagnostics.error(refused.mark, refused.message);
    return std::nullopt;
  } catch (const YAML::DeepRecursion& deep) {
    const Mark mark{file, static_cast<std::uint32_t>(deep.mark.line + 1),
                    static_cast<std::uint32_t>(deep.mark.column + 1)};
    diagnostics.error(mark, fmt::format("nested more than {} deep", max_document_depth));
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    const Mark mark{file, static_cast<std::uint32_t>(error.mark.line + 1),
                    static_cast<std::uint32_t>(error.mark.column + 1)};
    if (error.msg == YAML::ErrorMsg::DOC_IN_SCALAR) {
      diagnostics.error(find_unclosed_quote(text, builder.last(), mark), "this quote is never closed");
    } else {
      diagnostics.error(within(text, mark), fmt::format("not valid YAML: {}{}", error.msg,
                                                        hint_for_syntax_error(text, mark, error.msg)));
    }
    return std::nullopt;
  }
  auto tree = builder.take();
  if (!tree || tree->kind == Tree::Kind::null) {
    diagnostics.error({file, 1, 1}, std::string(when_empty));
    return std::nullopt;
  }
  return tree;
}

}  // namespace sekisho::config
