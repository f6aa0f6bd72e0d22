#include "proxy/policy/trace.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sekisho::policy {

void Trace::step(std::string_view name, std::string text) {
  steps_.push_back({std::string(name), {std::move(text)}});
}

void Trace::detail(std::string text) {
  steps_.back().lines.push_back(std::move(text));
}

std::string Trace::text() const {
  std::size_t width = 0;
  for (const Step& step : steps_) width = std::max(width, step.name.size());
  std::string out;
  for (const Step& step : steps_) {
    bool first = true;
    for (const std::string& line : step.lines) {
      out +=
          fmt::format("{:<{}}  {}\n", first ? std::string_view(step.name) : std::string_view(), width, line);
      first = false;
    }
  }
  return out;
}

std::string escaped(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '\\') {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace sekisho::policy
