#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/scalars.hpp"
#include "config/sections.hpp"
#include "config/spelling.hpp"

namespace sekisho::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_body_bytes = 1 * MiB;
constexpr std::size_t max_content_type = 255;
constexpr std::string_view help =
    "a status from 400 to 599, close, or a mapping with status, body and content_type, or with tarpit";

std::optional<std::string> read_body(Context& context, const Tree& tree) {
  const auto text = scalar_text(context, tree, "body", "text or file:PATH");
  if (!text || !text->starts_with("file:")) return text;
  return context.read_named_file(tree.mark, std::string_view(*text).substr(5), max_body_bytes);
}

void read_status(Context& context, const Tree& tree, Action& action) {
  std::string problem;
  const auto status = parse_count(tree.text, problem);
  if (!status || *status < 400 || *status > 599) {
    const std::string hint = did_you_mean(tree.text, std::array<std::string_view, 1>{"close"});
    context.error(tree.mark, fmt::format("action: \"{}\" is not {}{}", tree.text.substr(0, 60), help, hint));
    return;
  }
  action.status = static_cast<unsigned>(*status);
}

}  // namespace

void read_action(Context& context, const Tree& tree, Action& action) {
  action.mark = tree.mark;
  if (tree.kind == Tree::Kind::scalar) {
    if (tree.text == "close") {
      action.kind = Action::Kind::close;
    } else {
      read_status(context, tree, action);
    }
    return;
  }
  if (tree.kind != Tree::Kind::map) {
    context.error(tree.mark, fmt::format("action must be {}, not {}", help, kind_name(tree)));
    return;
  }
  MapReader reader(context, tree, "action");
  if (const Tree* status = reader.find("status")) {
    if (status->kind == Tree::Kind::scalar) {
      read_status(context, *status, action);
    } else {
      context.error(status->mark, fmt::format("status must be a number, not {}", kind_name(*status)));
    }
  }
  if (const Tree* body = reader.find("body")) action.body = read_body(context, *body);
  if (reader.text("content_type", action.content_type)) {
    const bool clean = std::all_of(action.content_type.begin(), action.content_type.end(),
                                   [](char c) { return c >= 0x20 && c < 0x7f; });
    if (!clean) context.error(reader.value_mark("content_type"), "content_type cannot stand in a header");
    if (action.content_type.size() > max_content_type) {
      context.error(reader.value_mark("content_type"),
                    fmt::format("content_type is longer than {} characters", max_content_type));
    }
  }
  if (reader.duration("tarpit", action.tarpit, 1ms, 1h)) {
    action.kind = Action::Kind::tarpit;
    if (tree.keys.size() > 1) context.error(tree.mark, "tarpit stands alone in an action");
  }
  reader.finish();
  if (!action.content_type.empty() && reader.key_mark("body").line == 0) {
    context.error(reader.key_mark("content_type"), "content_type is of use only with a body");
  }
}

void read_ban(Context& context, const Tree& tree, Ban& ban) {
  ban.mark = tree.mark;
  constexpr Duration shortest = 1s;
  constexpr Duration longest = 24h * 180;  // what a ban's word in the table surely holds
  if (tree.kind == Tree::Kind::scalar) {
    std::string problem;
    const auto length = parse_duration(tree.text, problem);
    if (!length) {
      context.error(tree.mark, fmt::format("ban: {}", problem));
    } else if (*length < shortest || *length > longest) {
      context.error(tree.mark, fmt::format("ban: {} is out of range; from 1s to 180d", tree.text));
    } else {
      ban.length = *length;
    }
    return;
  }
  MapReader reader(context, tree, "ban");
  reader.count("after", ban.after, 1, 1'000'000);
  reader.duration("within", ban.within, 1s, 24h * 30);
  const bool has_length = reader.duration("for", ban.length, shortest, longest);
  Duration up_to{};
  if (reader.duration("up_to", up_to, shortest, longest)) {
    ban.up_to = up_to;
    if (has_length && up_to < ban.length) {
      context.error(reader.value_mark("up_to"), fmt::format("up_to: {} is below the first ban's {}",
                                                            duration_text(up_to), duration_text(ban.length)));
    }
  }
  if (const auto scope = reader.word("scope", {"client", "match"})) ban.scope_match = *scope == "match";
  reader.finish();
  if (tree.kind == Tree::Kind::map && reader.key_mark("for").line == 0) {
    context.error(tree.mark, "ban needs for, the time that it lasts, such as for: 10min");
  }
}

}  // namespace sekisho::config
