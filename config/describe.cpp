#include "config/describe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "config/quotas.hpp"
#include "config/scalars.hpp"

namespace sekisho::config {
namespace {

std::string requests(std::uint64_t count) {
  return count == 1 ? "1 request" : fmt::format("{} requests", count);
}

// Rounded up to what a person wants to read.
std::string about(Duration duration) {
  using namespace std::chrono_literals;
  const Duration step = duration >= 10s ? Duration(1s) : duration >= 1s ? Duration(100ms) : Duration(1ms);
  return duration_text((duration + step - Duration(1)) / step * step);
}

std::string who(const Limit& limit) {
  std::vector<std::string> parts;
  for (const Text& part : limit.key) parts.push_back(part.value);
  if (parts == std::vector<std::string>{"global"}) return "All clients together";
  return fmt::format("Each {}", fmt::join(parts, " with "));
}

// The first few, so that a long list stays a line: what the others are the file says.
template <class Texts>
std::string listed(const Texts& texts, std::string_view separator) {
  constexpr std::size_t shown = 5;
  const auto cut = texts.size() > shown + 1 ? texts.begin() + shown : texts.end();
  std::string list = fmt::format("{}", fmt::join(texts.begin(), cut, separator));
  if (cut != texts.end()) list += fmt::format("{}{} more", separator, texts.end() - cut);
  return list;
}

std::string clauses_of(const Match& match) {
  std::vector<std::string> clauses;
  const auto add = [&](std::string_view name, const std::optional<Texts>& texts) {
    if (!texts) return;
    std::vector<std::string_view> values;
    for (const Text& text : *texts) values.push_back(text.value);
    clauses.push_back(fmt::format("{} {}", name, values.empty() ? "of an empty list" : listed(values, ", ")));
  };
  add("paths", match.paths);
  add("methods", match.methods);
  add("hosts", match.hosts);
  add("networks", match.networks);
  for (const HeaderMatch& header : match.headers)
    clauses.push_back(fmt::format("header {}", header.name.value));
  return fmt::format("{}", fmt::join(clauses, " and "));
}

std::string what(const Match& match, bool excepted = false) {
  const std::string clauses = clauses_of(match);
  std::string text = excepted ? fmt::format("by {}", clauses) : fmt::format("requests by {}", clauses);
  if (clauses.empty()) text = excepted ? "any" : "every request";
  if (match.except.empty()) return text;
  std::vector<std::string> exceptions;
  for (const Match& except : match.except) exceptions.push_back(what(except, true));
  const std::string list = listed(exceptions, ", or ");
  return text + (excepted ? fmt::format(" (except {})", list) : fmt::format(", except {}", list));
}

std::string answer(const Limit& limit) {
  if (!limit.action) return limit.block ? "403" : "429";
  switch (limit.action->kind) {
    case Action::Kind::close:
      return "a closed connection";
    case Action::Kind::tarpit:
      return fmt::format("{} after {}", limit.action->status, duration_text(limit.action->tarpit));
    case Action::Kind::status:
      break;
  }
  return fmt::format("{}", limit.action->status);
}

// In which `tokens` come back, rounded up. In 128 bits: both factors may need 63.
Duration time_for(const ratelimit::Quota& quota, std::uint64_t tokens) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(quota.period.count()) * tokens;
  const Wide time = (product + quota.count - 1) / quota.count;
  return Duration(static_cast<Duration::rep>(std::min<Wide>(time, Duration::max().count())));
}

// What a token stands for.
std::string allowance(const Limit& limit, std::uint64_t count) {
  if (limit.on_status.codes.empty()) return "make " + requests(count);
  std::vector<std::string_view> codes;
  for (const Text& code : limit.on_status.codes) codes.push_back(code.value);
  return fmt::format("get {} response{} with {}{}", count, count == 1 ? "" : "s", listed(codes, " or "),
                     limit.on_status.distinct_path ? ", each of another path," : "");
}

void describe_late(const Limit& limit, const Fleet& fleet, std::string& out) {
  if (limit.on_status.codes.empty()) return;
  out += "  Other responses cost nothing; who has none left is refused, whatever the request is for.";
  if (limit.on_status.distinct_path)
    out += fmt::format(" A path is charged once in {}.", duration_text(quota_of_a_path(limit, fleet).period));
  out += "\n";
}

void describe_delay(const Limit& limit, std::string& out) {
  if (limit.delay == Duration::zero()) return;
  out += fmt::format("  Above that a request waits for its turn, up to {}, and is refused only then.\n",
                     duration_text(limit.delay));
}

void describe_in_flight(const Limit& limit, std::string& out) {
  if (limit.in_flight == 0) return;
  out += fmt::format("  {} may have {} in progress at once; one more is refused with {}.\n", who(limit),
                     requests(limit.in_flight), answer(limit));
}

// What the numbers before are a share of. `fleet.tasks` is 0 where its name was not answered for.
void describe_share(const Fleet& fleet, const Rate& rate, std::uint64_t burst, std::string& out) {
  if (fleet.tasks == 0) {
    out += fmt::format(
        "  These are the numbers of one task alone: while running they are divided by the addresses of {}, "
        "which are looked up then and could not be now.\n",
        fleet.dns_name);
    return;
  }
  if (fleet.dns_name.empty()) {
    if (fleet.tasks == 1) return;
    out += fmt::format("  That is one task's share of {}", fleet.tasks);
  } else {
    out += fmt::format("  That is one task's share, divided by the addresses of {}, now {}", fleet.dns_name,
                       fleet.tasks);
  }
  if (fleet.tasks > 1) {
    const std::uint64_t at_once = burst * fleet.tasks;
    const std::string period = duration_text(rate.period);
    out +=
        fmt::format("; the {} tasks together allow {} at once and {} in {} after that, at most {} in any {}",
                    fleet.tasks, at_once, rate.count, period, at_once + rate.count, period);
  }
  out += ".\n";
}

void describe_rate(const Limit& limit, const Fleet& fleet, std::string& out) {
  const ratelimit::Quota quota = quota_on_one_task(limit, fleet);
  const Rate& rate = limit.rate->value;
  const Duration interval = time_for(quota, 1);
  out += fmt::format("  {} may {} at once, and then one every {} ({} in {}).\n", who(limit),
                     allowance(limit, quota.burst), about(interval), rate.count, duration_text(quota.period));
  describe_late(limit, fleet, out);
  describe_delay(limit, out);
  out += fmt::format("  The most in any {}: {}.\n", duration_text(quota.period),
                     limit.on_status.codes.empty() ? requests(quota.burst + quota.count)
                                                   : fmt::format("{} of them, and those that were under way",
                                                                 quota.burst + quota.count));
  const bool banned_at_once = limit.ban && limit.ban->after == 1 && !limit.shadow;
  const Duration whole = time_for(quota, quota.burst);
  out += banned_at_once
             ? fmt::format("  Who is refused (with {}) is banned at once, see below;", answer(limit))
             : fmt::format("  Who is refused (with {}) may return after {} at most;", answer(limit),
                           about(interval));
  out += fmt::format(" after {} without a request all {} are there again.\n", about(whole), quota.burst);
  if (!limit.per_task) describe_share(fleet, rate, quota.burst, out);
}

void describe_ban(const Limit& limit, std::string& out) {
  if (limit.shadow) {
    out += "  Its ban is not set while it is in shadow.\n";
    return;
  }
  const Ban& ban = *limit.ban;
  const std::string when =
      ban.after == 1 ? "The first refusal"
                     : fmt::format("Refusal {} in quick succession (refusals are forgotten at {} a {})",
                                   ban.after, ban.after, duration_text(ban.within));
  const std::string scope = ban.scope_match ? "what this limit matches" : "every request of that client";
  out += fmt::format("  {} bans for {}: {} is then refused", when, duration_text(ban.length), scope);
  out += ban.up_to ? fmt::format(", each time twice as long, up to {}.\n", duration_text(*ban.up_to))
                   : std::string(".\n");
}

}  // namespace

std::string describe_limits(const Config& config, std::optional<std::uint64_t> counted) {
  std::string out;
  Fleet fleet = config.fleet;
  if (!fleet.dns_name.empty()) fleet.tasks = counted.value_or(0);
  for (const Limit& limit : config.limits) {
    out += fmt::format("limit {}: {}\n", limit.name.value, what(limit.match));
    if (limit.block) out += fmt::format("  Every one of them is refused with {}.\n", answer(limit));
    if (limit.rate) describe_rate(limit, fleet, out);
    describe_in_flight(limit, out);
    if (limit.ban) describe_ban(limit, out);
    if (limit.shadow || config.shadow) {
      out += fmt::format("  {}: it counts and logs, and refuses nothing.\n",
                         limit.shadow ? "Shadow" : "The whole file is in shadow");
    }
  }
  if (config.limits.empty()) out += "No limits: nobody is refused for how much they ask.\n";
  return out;
}

std::string describe_memory(const Config& config, std::uint64_t table_bytes, std::uint64_t figures_bytes) {
  const auto mebibytes = [](std::uint64_t bytes) {
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / static_cast<double>(MiB));
  };
  const std::uint64_t buffers = config.buffer_total();
  return fmt::format(
      "memory: {} for the tables of limits, strikes and bans, taken at start (16 bytes for each of {} "
      "clients a limit, unless it says otherwise); {} for the workers' counts of limits and top talkers; at "
      "most {} for buffers; {} in all. "
      "Once the buffers are spent, each request in progress takes up to 64 KiB more\n",
      mebibytes(table_bytes), config.table_capacity.value, mebibytes(figures_bytes), mebibytes(buffers),
      mebibytes(table_bytes + figures_bytes + buffers));
}

}  // namespace sekisho::config
