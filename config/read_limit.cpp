#include <fmt/format.h>

#include <algorithm>

#include "config/scalars.hpp"
#include "config/sections.hpp"
#include "config/text_list.hpp"

namespace sekisho::config {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t most_at_once = 1'000'000'000;

void read_name(MapReader& reader, Mark limit, Text& name) {
  Context& context = reader.context();
  if (!reader.text("name", name.value)) {
    if (reader.key_mark("name").line == 0) context.error(limit, "a limit needs a name");
    return;
  }
  name.mark = reader.value_mark("name");
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool valid = name.value.size() <= 64 && plain(name.value.front()) &&
                     std::all_of(name.value.begin(), name.value.end(),
                                 [&](char c) { return plain(c) || c == '_' || c == '-'; });
  if (!valid) {
    context.error(
        name.mark,
        "name: a limit's name is at most 64 of a-z, 0-9, _ and -, and begins with a letter or digit");
  }
}

void read_rate(MapReader& reader, std::optional<Located<Rate>>& target) {
  const Tree* tree = reader.find("rate");
  if (tree == nullptr) return;
  const auto text = scalar_text(reader.context(), *tree, "rate", "COUNT/PERIOD, such as 5/s");
  if (!text) return;
  std::string problem;
  if (const auto rate = parse_rate(*text, problem)) {
    target = Located<Rate>{*rate, tree->mark};
  } else {
    reader.context().error(tree->mark, fmt::format("rate: {}", problem));
  }
}

void read_on_status(Context& context, const Tree& tree, OnStatus& on_status) {
  const auto read_codes = [&](const Tree& codes) {
    on_status.codes = read_texts(context, codes, "on_status", ListSources::literal);
    for (const Text& code : on_status.codes) {
      std::string problem;
      if (!parse_statuses(code.value, problem))
        context.error(code.mark, fmt::format("on_status: {}", problem));
    }
  };
  if (tree.kind == Tree::Kind::map) {
    MapReader reader(context, tree, "on_status");
    if (const Tree* codes = reader.find("codes")) read_codes(*codes);
    on_status.distinct_path = reader.word("distinct", {"path"}).has_value();
    reader.finish();
    const bool none =
        reader.key_mark("codes").line == 0 || (on_status.codes.empty() && on_status.distinct_path);
    if (none) context.error(tree.mark, "on_status needs codes, such as codes: [404]");
  } else {
    read_codes(tree);
  }
}

// What of a limit says nothing, or not enough, beside the rest of it.
void check_limit(MapReader& reader, const Limit& limit) {
  Context& context = reader.context();
  const auto written = [&](std::string_view key) { return reader.key_mark(key).line != 0; };
  const auto needs_rate = [&](std::string_view key) {
    if (written(key) && !written("rate"))
      context.error(reader.key_mark(key), fmt::format("{} says nothing without rate", key));
  };
  if (!written("rate") && !written("block") && !written("in_flight")) {
    context.error(limit.mark, "a limit needs one of rate, block, in_flight");
  } else if (!written("rate") && written("block") && !limit.block && limit.in_flight == 0) {
    context.error(reader.value_mark("block"), "a limit needs one of rate, block: true, in_flight");
  } else if (!written("rate") && !limit.block && limit.in_flight == 0 &&
             reader.value_mark("in_flight").line != 0) {
    context.error(reader.value_mark("in_flight"),
                  "in_flight: 0 is no bound, and the limit has neither rate nor block");
  }
  needs_rate("burst");
  if (limit.delay > Duration::zero()) needs_rate("delay");
  if (!limit.on_status.codes.empty()) needs_rate("on_status");
  if (limit.ratelimit_headers != RateLimitHeaders::refused) needs_rate("ratelimit_headers");
  if (limit.block && written("rate"))
    context.error(reader.key_mark("block"), "block: true refuses every match; take rate or block out");
  if (limit.block && limit.in_flight > 0) {
    context.error(reader.key_mark("block"), "block: true refuses every match; take in_flight or block out");
  }
  if (!limit.ban) return;
  const bool by_client = std::any_of(limit.key.begin(), limit.key.end(), [](const Text& part) {
    return part.value == "client_ip" || part.value == "client_network";
  });
  if (!limit.ban->scope_match && !by_client) {
    context.error(
        limit.ban->mark,
        "a ban of the client needs client_ip or client_network in the limit's key; or write scope: match");
  }
}

Limit read_limit(Context& context, const Tree& tree) {
  Limit limit;
  limit.mark = tree.mark;
  MapReader reader(context, tree, "a limit");
  if (tree.kind != Tree::Kind::map) return limit;
  read_name(reader, tree.mark, limit.name);
  if (const Tree* match = reader.find("match")) limit.match = read_match(context, *match);
  if (const Tree* key = reader.find("key")) {
    limit.key = read_texts(context, *key, "key", ListSources::literal);
    if (key->kind == Tree::Kind::sequence && key->items.empty())
      context.error(key->mark, "key is empty; for one bucket for all, write key: global");
    if (limit.key.empty()) limit.key = Limit{}.key;  // nobody else need complain
  }
  read_rate(reader, limit.rate);
  if (std::uint64_t burst = 0; reader.count("burst", burst, 1, most_at_once)) {
    limit.burst = Located<std::uint64_t>{burst, reader.value_mark("burst")};
  }
  if (reader.duration("delay", limit.delay, 0s, 1h)) limit.delay_mark = reader.value_mark("delay");
  reader.flag("block", limit.block);
  reader.count("in_flight", limit.in_flight, 0, most_at_once);
  if (const Tree* on_status = reader.find("on_status")) {
    read_on_status(context, *on_status, limit.on_status);
  }
  if (const Tree* action = reader.find("action")) {
    limit.action.emplace();
    limit.action->status = limit.block ? 403 : 429;
    read_action(context, *action, *limit.action);
  }
  if (const Tree* ban = reader.find("ban")) read_ban(context, *ban, limit.ban.emplace());
  reader.flag("shadow", limit.shadow);
  if (const auto headers = reader.word("ratelimit_headers", {"refused", "always", "never"})) {
    limit.ratelimit_headers = *headers == "refused"  ? RateLimitHeaders::refused
                              : *headers == "always" ? RateLimitHeaders::always
                                                     : RateLimitHeaders::never;
  }
  if (std::uint64_t capacity = 0; reader.count("capacity", capacity, 1, most_at_once)) {
    limit.capacity = Located<std::uint64_t>{capacity, reader.value_mark("capacity")};
  }
  if (const auto per = reader.word("per", {"fleet", "task"})) {
    limit.per_task = *per == "task";
    limit.per_mark = reader.value_mark("per");
  }
  reader.finish();
  check_limit(reader, limit);
  return limit;
}

}  // namespace

void read_limits(Context& context, const Tree& tree, std::vector<Limit>& limits) {
  if (tree.kind != Tree::Kind::sequence) {
    context.error(tree.mark,
                  fmt::format("limits must be a list, each entry beginning with -, not {}", kind_name(tree)));
    return;
  }
  if (tree.items.size() > 1000) {
    context.error(tree.items[1000].mark, "more than 1000 limits");
    return;
  }
  for (const Tree& item : tree.items) {
    Limit limit = read_limit(context, item);
    for (const Limit& other : limits) {
      if (limit.name.value.empty() || other.name.value != limit.name.value) continue;
      context.error(
          limit.name.mark,
          fmt::format("name: {} is taken by the limit in line {}; metrics, bans and reloads know a limit "
                      "by its name",
                      limit.name.value, other.name.mark.line));
      break;
    }
    limits.push_back(std::move(limit));
  }
}

}  // namespace sekisho::config
