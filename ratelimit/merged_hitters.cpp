#include "ratelimit/merged_hitters.hpp"

#include <algorithm>
#include <tuple>

namespace sekisho::ratelimit {

void MergedHitters::add(const HeavyHitters& sketch) {
  const auto floor = static_cast<std::int64_t>(sketch.floor());
  sketch.each([&](const HeavyHitters::Item& item) {
    Excess& excess = items_[std::string(item.text)];
    excess.count += static_cast<std::int64_t>(item.count) - floor;
    excess.error += static_cast<std::int64_t>(item.error) - floor;
  });
  floor_ += sketch.floor();
  total_ += sketch.total();
}

MergedHitters::Item MergedHitters::item(const std::string& text, Excess excess) const {
  const auto floor = static_cast<std::int64_t>(floor_);
  return {text, static_cast<std::uint64_t>(floor + excess.count),
          static_cast<std::uint64_t>(floor + excess.error)};
}

std::vector<MergedHitters::Item> MergedHitters::top(std::size_t n) const {
  std::vector<Item> items;
  items.reserve(items_.size());
  for (const auto& [text, excess] : items_) items.push_back(item(text, excess));
  n = std::min(n, items.size());
  const auto before = [](const Item& a, const Item& b) {
    return std::tie(b.count, a.error, a.text) < std::tie(a.count, b.error, b.text);
  };
  std::partial_sort(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(n), items.end(), before);
  items.resize(n);
  return items;
}

MergedHitters::Item MergedHitters::find(const std::string& text) const {
  const auto at = items_.find(text);
  return item(text, at == items_.end() ? Excess{} : at->second);
}

}  // namespace sekisho::ratelimit
