#include "config/unclosed_quote.hpp"

namespace sekisho::config {
namespace {

constexpr std::string_view blanks = " \t\r";

bool blank(char c) {
  return blanks.find(c) != std::string_view::npos;
}

// Walks over the text by value, keeping its place.
class Walk {
 public:
  Walk(std::string_view text, Mark mark) : text_(text), mark_(mark) {}

  bool ended() const { return at_ >= text_.size(); }
  char now() const { return text_[at_]; }
  bool blank_follows() const {
    return at_ + 1 >= text_.size() || blank(text_[at_ + 1]) || text_[at_ + 1] == '\n';
  }
  Mark mark() const { return mark_; }

  void step() {
    // A column counts characters: of one in UTF-8 only its first byte.
    if (now() == '\n') {
      ++mark_.line;
      mark_.column = 1;
    } else if ((static_cast<unsigned char>(now()) & 0xc0U) != 0x80U) {
      ++mark_.column;
    }
    ++at_;
  }
  void to_end_of_line() {
    while (!ended() && now() != '\n') step();
  }
  // Over the quoted value that begins here; false where it has no end.
  bool over_quoted() {
    const char quote = now();
    for (step(); !ended(); step()) {
      if (now() == quote) {
        step();
        // Two single quotes are one inside of the value, and begin none.
        if (quote == '"' || ended() || now() != quote) return true;
      } else if (now() == '\\' && quote == '"') {
        step();
        if (ended()) return false;
      }
    }
    return false;
  }

 private:
  std::string_view text_;
  Mark mark_;
  std::size_t at_ = 0;
};

std::size_t offset_of(std::string_view text, Mark mark) {
  Walk walk(text, {mark.file, 1, 1});
  std::size_t offset = 0;
  while (!walk.ended() && (walk.mark().line < mark.line ||
                           (walk.mark().line == mark.line && walk.mark().column < mark.column))) {
    walk.step();
    ++offset;
  }
  return offset;
}

}  // namespace

Mark find_unclosed_quote(std::string_view text, Mark from, Mark end) {
  const std::string_view before = text.substr(0, offset_of(text, end));
  Walk walk(before.substr(offset_of(before, from)), from);
  bool value_begins = true;
  bool after_blank = true;
  while (!walk.ended()) {
    const char c = walk.now();
    if (value_begins && (c == '"' || c == '\'')) {
      const Mark opened = walk.mark();
      if (!walk.over_quoted()) return opened;
      value_begins = false;
      after_blank = false;
      continue;
    }
    if (c == '#' && after_blank) {
      walk.to_end_of_line();
      continue;
    }
    const bool opens = c == '[' || c == '{' || c == ',' || c == '\n';
    const bool leads =
        (c == ':' || (c == '-' && value_begins) || (c == '?' && value_begins)) && walk.blank_follows();
    value_begins = opens || leads || (value_begins && blank(c));
    after_blank = blank(c) || c == '\n';
    walk.step();
  }
  return from;
}

}  // namespace sekisho::config
