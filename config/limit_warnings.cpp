#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/match_order.hpp"
#include "config/quotas.hpp"
#include "config/warnings.hpp"

namespace sekisho::config {
namespace {

using Part = const Text&;

bool by_address_alone(const Limit& limit) {
  return std::all_of(limit.key.begin(), limit.key.end(),
                     [](Part part) { return part.value == "client_ip" || part.value == "client_network"; });
}

// A part of the key that a client can vary from request to request and so have a fresh bucket each time.
const Text* chosen_by_client(const Limit& limit) {
  const auto found = std::find_if(limit.key.begin(), limit.key.end(), [&](Part part) {
    return part.value.starts_with("header:") || part.value.starts_with("cookie:") ||
           (part.value == "path" && !limit.match.paths);
  });
  return found == limit.key.end() ? nullptr : &*found;
}

bool same_key(const Limit& a, const Limit& b) {
  std::vector<std::string> left, right;
  for (Part part : a.key) left.push_back(part.value);
  for (Part part : b.key) right.push_back(part.value);
  return left == right;
}

// count/period of `a` is not above that of `b`. In 128 bits: both factors may need 63.
bool not_faster(const ratelimit::Quota& a, const ratelimit::Quota& b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<Wide>(a.count) * static_cast<std::uint64_t>(b.period.count()) <=
         static_cast<Wide>(b.count) * static_cast<std::uint64_t>(a.period.count());
}

void compare(const Config& config, const Limit& wide, const Limit& narrow, bool wide_is_first,
             Diagnostics& diagnostics) {
  if (wide.shadow || narrow.shadow || !narrow.rate || !covers(wide.match, narrow.match)) return;
  const std::string& name = wide.name.value;
  if (wide.block) {
    diagnostics.warning(narrow.mark, fmt::format("limit {} never has a say: {} blocks all that it matches",
                                                 narrow.name.value, name));
    return;
  }
  if (!wide.rate || !same_key(wide, narrow)) return;
  const auto outer = quota_on_one_task(wide, config.fleet);
  const auto inner = quota_on_one_task(narrow, config.fleet);
  if (!not_faster(outer, inner)) return;
  if (outer.burst <= inner.burst) {
    // Of two that are equal, the later is the one too many.
    if (outer.burst == inner.burst && not_faster(inner, outer) && !wide_is_first &&
        covers(narrow.match, wide.match))
      return;
    diagnostics.warning(
        narrow.mark,
        fmt::format("limit {} never refuses first: {} matches all that it matches and allows no more",
                    narrow.name.value, name));
  } else if (!not_faster(inner, outer)) {
    diagnostics.warning(narrow.mark, fmt::format("limit {}: its rate is never reached for long, since {} "
                                                 "matches the same requests with a smaller one; "
                                                 "leave these paths out of it with except",
                                                 narrow.name.value, name));
  }
}

}  // namespace

void add_limit_warnings(const Config& config, Diagnostics& diagnostics) {
  const auto& limits = config.limits;
  for (const Limit& limit : limits) {
    const Text* part = chosen_by_client(limit);
    if (part == nullptr || !limit.rate) continue;
    const bool backed = std::any_of(limits.begin(), limits.end(), [&](const Limit& other) {
      return (other.rate || other.block) && !other.shadow && by_address_alone(other) &&
             covers(other.match, limit.match);
    });
    if (backed) continue;
    diagnostics.warning(
        part->mark,
        fmt::format("limit {}: the client chooses its {} and gets a new bucket with each; add a limit by "
                    "client_ip over the same requests",
                    limit.name.value, part->value));
  }
  for (std::size_t i = 0; i < limits.size(); ++i) {
    for (std::size_t j = 0; j < limits.size(); ++j) {
      if (i != j) compare(config, limits[i], limits[j], i < j, diagnostics);
    }
  }
}

}  // namespace sekisho::config
