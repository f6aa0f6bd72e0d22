#include "config/describe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

std::string what(const Match& match) {
  std::vector<std::string> clauses;
  const auto add = [&](std::string_view name, const std::optional<Texts>& texts) {
    if (!texts) return;
    if (texts->size() == 1) {
      clauses.push_back(fmt::format("{} {}", name, texts->front().value));
    } else {
      clauses.push_back(fmt::format("{} ({} of them)", name, texts->size()));
    }
  };
  add("paths", match.paths);
  add("methods", match.methods);
  add("hosts", match.hosts);
  add("networks", match.networks);
  for (const HeaderMatch& header : match.headers)
    clauses.push_back(fmt::format("header {}", header.name.value));
  std::string text =
      clauses.empty() ? "every request" : fmt::format("requests by {}", fmt::join(clauses, " and "));
  if (!match.except.empty()) text += ", but for what except names";
  return text;
}

std::string answer(const Limit& limit) {
  if (!limit.action) return limit.block ? "403" : "429";
  switch (limit.action->kind) {
    case Action::Kind::close:
      return "a closed connection";
    case Action::Kind::tarpit:
      return "a tarpit";
    case Action::Kind::status:
      break;
  }
  return fmt::format("{}", limit.action->status);
}

void describe_rate(const Limit& limit, const Fleet& fleet, std::string& out) {
  const ratelimit::Quota quota = quota_on_one_task(limit, fleet);
  const Rate& rate = limit.rate->value;
  // The time in which one token comes back, rounded up.
  const auto count = static_cast<Duration::rep>(quota.count);
  const Duration interval((quota.period.count() + count - 1) / count);
  out += fmt::format("  {} may make {} at once, and then one every {} ({} in {}).\n", who(limit),
                     requests(quota.burst), about(interval), rate.count, duration_text(quota.period));
  out += fmt::format("  The most in any {}: {}.\n", duration_text(quota.period),
                     requests(quota.burst + quota.count));
  const bool banned_at_once = limit.ban && limit.ban->after == 1 && !limit.shadow;
  const Duration whole(
      static_cast<Duration::rep>(static_cast<double>(interval.count()) * static_cast<double>(quota.burst)));
  out += banned_at_once
             ? fmt::format("  Who is refused (with {}) is banned at once, see below;", answer(limit))
             : fmt::format("  Who is refused (with {}) may return after {} at most;", answer(limit),
                           about(interval));
  out += fmt::format(" after {} without a request all {} are there again.\n", about(whole), quota.burst);
  if (fleet.tasks > 1 && !limit.per_task) {
    out += fmt::format(
        "  That is one task's share of {}; the {} tasks together allow {} at once and {} in {} after that.\n",
        fleet.tasks, fleet.tasks, quota.burst * fleet.tasks, rate.count, duration_text(rate.period));
  }
}

void describe_ban(const Limit& limit, std::string& out) {
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

std::string describe_limits(const Config& config) {
  std::string out;
  for (const Limit& limit : config.limits) {
    out += fmt::format("limit {}: {}\n", limit.name.value, what(limit.match));
    if (limit.block) out += fmt::format("  Every one of them is refused with {}.\n", answer(limit));
    if (limit.rate) describe_rate(limit, config.fleet, out);
    if (limit.ban) describe_ban(limit, out);
    if (limit.shadow || config.shadow) {
      out += fmt::format("  {}: it counts and logs, and refuses nothing.\n",
                         limit.shadow ? "Shadow" : "The whole file is in shadow");
    }
  }
  if (config.limits.empty()) out += "No limits: nobody is refused for how much they ask.\n";
  return out;
}

std::string describe_memory(const Config& config, std::uint64_t table_bytes) {
  const auto mebibytes = [](std::uint64_t bytes) {
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / static_cast<double>(MiB));
  };
  const std::uint64_t buffers = config.upstream ? config.upstream->buffer.total : Buffers{}.total;
  return fmt::format(
      "memory: {} for the tables of limits, strikes and bans, taken at start (16 bytes for each of {} "
      "clients a limit, "
      "unless it says otherwise); at most {} for buffers; {} in all\n",
      mebibytes(table_bytes), config.table_capacity.value, mebibytes(buffers),
      mebibytes(table_bytes + buffers));
}

}  // namespace sekisho::config
