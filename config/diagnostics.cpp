#include "config/diagnostics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

namespace sekisho::config {
namespace {

auto place(const Diagnostic& item) {
  return std::tuple(item.mark.file, item.mark.line, item.mark.column);
}

bool has(const std::vector<Diagnostic>& items, Severity severity) {
  return std::any_of(items.begin(), items.end(), [&](const auto& item) { return item.severity == severity; });
}

}  // namespace

std::uint16_t Diagnostics::add_file(std::string name) {
  const auto known = std::find(files_.begin(), files_.end(), name);
  if (known != files_.end()) return static_cast<std::uint16_t>(known - files_.begin());
  // Past the last index the name is lost, never the message.
  if (files_.size() > std::numeric_limits<std::uint16_t>::max())
    return std::numeric_limits<std::uint16_t>::max();
  files_.push_back(std::move(name));
  return static_cast<std::uint16_t>(files_.size() - 1);
}

void Diagnostics::error(Mark mark, std::string message) {
  items_.push_back({Severity::error, mark, std::move(message)});
}

void Diagnostics::warning(Mark mark, std::string message) {
  items_.push_back({Severity::warning, mark, std::move(message)});
}

Diagnostics Diagnostics::fresh() const {
  Diagnostics result;
  result.files_ = files_;
  return result;
}

void Diagnostics::append(const Diagnostics& other) {
  for (Diagnostic item : other.items_) {
    if (item.mark.file < other.files_.size()) item.mark.file = add_file(other.files_[item.mark.file]);
    items_.push_back(std::move(item));
  }
}

bool Diagnostics::has_errors() const {
  return has(items_, Severity::error);
}
bool Diagnostics::has_warnings() const {
  return has(items_, Severity::warning);
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<const Diagnostic*> by_place;
  by_place.reserve(items_.size());
  for (const Diagnostic& item : items_) by_place.push_back(&item);
  std::stable_sort(by_place.begin(), by_place.end(),
                   [](const Diagnostic* a, const Diagnostic* b) { return place(*a) < place(*b); });
  std::vector<Diagnostic> result;
  std::set<std::pair<Severity, std::string_view>> said;  // of one place
  for (const Diagnostic* item : by_place) {
    if (!result.empty() && place(result.back()) != place(*item)) said.clear();
    if (said.emplace(item->severity, item->message).second) result.push_back(*item);
  }
  return result;
}

std::string Diagnostics::format(const Diagnostic& diagnostic) const {
  const Mark& mark = diagnostic.mark;
  if (mark.file >= files_.size()) return diagnostic.message;
  if (mark.line == 0) return fmt::format("{}: {}", files_[mark.file], diagnostic.message);
  return fmt::format("{}:{}:{}: {}", files_[mark.file], mark.line, mark.column, diagnostic.message);
}

}  // namespace sekisho::config
