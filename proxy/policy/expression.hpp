// One RE2 expression of the configuration.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/diagnostics.hpp"

namespace re2 {
class RE2;
}

namespace sekisho::policy {

// Searches (anchor it with ^ and $). Text is bytes, not UTF-8, and "." takes every byte, line feeds too: a
// byte that is no valid UTF-8, or %0a, must not be a way round an expression. One instance a worker: RE2
// locks when shared.
class Expression {
 public:
  // `text` with its `~`. nullopt, with a located error, where RE2 refuses it.
  static std::optional<Expression> compile(const config::Text& text, config::Diagnostics& diagnostics);
  ~Expression();
  Expression(Expression&&) noexcept;
  Expression& operator=(Expression&&) noexcept;

  bool found_in(std::string_view text) const;

 private:
  explicit Expression(std::unique_ptr<re2::RE2> compiled);
  std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace sekisho::policy
