#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/match_order.hpp"
#include "config/pattern_order.hpp"
#include "config/quotas.hpp"
#include "config/warnings.hpp"

namespace sekisho::config {
namespace {

using Part = const Text&;

bool by_address_alone(const Limit& limit) {
  return std::all_of(limit.key.begin(), limit.key.end(),
                     [](Part part) { return part.value == "client_ip" || part.value == "client_network"; });
}

bool all(const std::optional<Texts>& texts, bool (*holds)(std::string_view)) {
  return texts && std::all_of(texts->begin(), texts->end(), [&](Part text) { return holds(text.value); });
}

// Whether the names that a request of `limit` can have are as good as written in the file.
bool hosts_are_known(const Config& config, const Limit& limit) {
  if (all(limit.match.hosts, names_one_host)) return true;
  return !config.hosts.allow.empty() && all(config.hosts.allow, names_one_host);
}

// A part of the key that a client can vary from request to request and so have a fresh bucket each time.
const Text* chosen_by_client(const Config& config, const Limit& limit) {
  const auto found = std::find_if(limit.key.begin(), limit.key.end(), [&](Part part) {
    return part.value.starts_with("header:") || part.value.starts_with("cookie:") ||
           (part.value == "path" && !all(limit.match.paths, names_one_path)) ||
           (part.value == "method" && !limit.match.methods) ||
           (part.value == "host" && !hosts_are_known(config, limit));
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

struct Judged {
  const Limit& limit;
  MatchOrder match;
};

void compare(const Config& config, const Judged& outer_limit, const Judged& inner_limit, bool wide_is_first,
             Diagnostics& diagnostics) {
  const Limit& wide = outer_limit.limit;
  const Limit& narrow = inner_limit.limit;
  if (wide.shadow || narrow.shadow || !narrow.rate || !outer_limit.match.covers(inner_limit.match)) return;
  const std::string& name = wide.name.value;
  if (wide.block) {
    diagnostics.warning(narrow.mark, fmt::format("limit {} never has a say: {} blocks all that it matches",
                                                 narrow.name.value, name));
    return;
  }
  // What is charged for some responses only may admit more than any rate says.
  if (!wide.rate || !wide.on_status.codes.empty() || !same_key(wide, narrow)) return;
  // How much smaller a task's share is than a limit that stays whole, only the running proxy knows.
  if (!config.fleet.dns_name.empty() && wide.per_task && !narrow.per_task) return;
  const auto outer = quota_on_one_task(wide, config.fleet);
  const auto inner = quota_on_one_task(narrow, config.fleet);
  if (!not_faster(outer, inner)) return;
  const bool allows_no_more = outer.burst <= inner.burst && wide.delay <= narrow.delay;
  if (allows_no_more && narrow.in_flight == 0) {
    // Of two that are equal, the later is the one too many.
    if (outer.burst == inner.burst && not_faster(inner, outer) && !wide_is_first &&
        inner_limit.match.covers(outer_limit.match))
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

// What is written and changes nothing, or not what it says.
void check_effect(const Limit& limit, Diagnostics& diagnostics) {
  const std::string& name = limit.name.value;
  const bool strikes = limit.ban && limit.ban->after > 1;
  if (limit.capacity && !limit.rate && !strikes) {
    diagnostics.warning(
        limit.capacity->mark,
        fmt::format("limit {}: capacity has no effect here: only a rate, and a ban whose after "
                    "is above 1, track clients",
                    name));
  }
  if (limit.per_mark.line != 0 && !limit.rate) {
    diagnostics.warning(
        limit.per_mark,
        fmt::format("limit {}: per has no effect here: only a rate is shared among the fleet's tasks", name));
  }
  if (limit.delay > Duration::zero() && !limit.on_status.codes.empty()) {
    diagnostics.warning(
        limit.delay_mark,
        fmt::format("limit {}: beside on_status, which charges when the response is known, delay holds "
                    "back by what a client owed before, whatever the request's own response will be",
                    name));
  }
}

}  // namespace

void add_limit_warnings(const Config& config, Diagnostics& diagnostics) {
  std::vector<Judged> limits;
  limits.reserve(config.limits.size());
  for (const Limit& limit : config.limits) limits.push_back({limit, MatchOrder(limit.match)});
  for (const Judged& judged : limits) {
    const Limit& limit = judged.limit;
    check_effect(limit, diagnostics);
    const Text* part = chosen_by_client(config, limit);
    if (part == nullptr || !limit.rate) continue;
    const bool backed = std::any_of(limits.begin(), limits.end(), [&](const Judged& other) {
      const bool charged_alike = other.limit.on_status.codes.empty() || !limit.on_status.codes.empty();
      return (other.limit.rate || other.limit.block) && charged_alike && !other.limit.shadow &&
             by_address_alone(other.limit) && other.match.covers(judged.match);
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
