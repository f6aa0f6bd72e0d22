#include "proxy/policy/expression.hpp"

#include <re2/re2.h>

#include <utility>

namespace sekisho::policy {

std::optional<Expression> Expression::compile(const config::Text& text, config::Diagnostics& diagnostics) {
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_dot_nl(true);
  options.set_log_errors(false);
  options.set_never_capture(true);
  auto compiled = std::make_unique<re2::RE2>(std::string_view(text.value).substr(1), options);
  if (!compiled->ok()) {
    diagnostics.error(text.mark, "\"" + text.value + "\" does not compile: " + compiled->error());
    return std::nullopt;
  }
  return Expression(std::move(compiled));
}

Expression::Expression(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
Expression::~Expression() = default;
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;

bool Expression::found_in(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace sekisho::policy
