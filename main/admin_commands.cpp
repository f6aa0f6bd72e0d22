#include "main/admin_commands.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "main/admin_client.hpp"
#include "main/json_indent.hpp"

namespace sekisho {
namespace {

constexpr std::chrono::seconds patience{5};
constexpr std::chrono::seconds reload_patience{60};  // big tables and long lists take their time

// Asks, and gives the answer to `show`, which returns the exit status.
template <class Show>
int ask(const std::string& source, std::string_view method, std::string_view target,
        std::chrono::seconds seconds, Show show) {
  try {
    return show(ask_admin(admin_of(source), method, target, seconds));
  } catch (const std::exception& problem) {
    fmt::print(stderr, "sekisho: {}\n", problem.what());
    return 1;
  }
}

int print_refusal(const AdminAnswer& answer) {
  const bool ended = !answer.body.empty() && answer.body.back() == '\n';
  fmt::print(stderr, "sekisho: {} {}{}", answer.status, answer.body, ended ? "" : "\n");
  return 1;
}

int print_document(const AdminAnswer& answer) {
  if (answer.status != 200) return print_refusal(answer);
  fmt::print("{}", indent_json(answer.body));
  return 0;
}

// What was done on standard output, a refusal on standard error: the verdict alone where it was asked for
// one.
int print_outcome(const AdminAnswer& answer) {
  if (answer.status == 200) {
    fmt::print("{}", answer.body);
    return 0;
  }
  const bool verdict = answer.status == 422 || answer.status == 503;
  if (!verdict) return print_refusal(answer);
  fmt::print(stderr, "{}", answer.body);
  return 1;
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == ':';
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

}  // namespace

int status_command(const std::string& source) {
  return ask(source, "GET", "/status", patience, print_document);
}

int top_command(const std::string& source, unsigned n, bool json) {
  const auto show = [json](const AdminAnswer& answer) {
    return json ? print_document(answer) : print_outcome(answer);
  };
  return ask(source, "GET", fmt::format("/top?n={}&format={}", n, json ? "json" : "table"), patience, show);
}

int reload_command(const std::string& source) {
  return ask(source, "POST", "/reload", reload_patience, print_outcome);
}

int healthcheck_command(const std::string& source, bool ready) {
  return ask(source, "GET", ready ? "/readyz" : "/healthz", patience, print_outcome);
}

int bans_command(const std::string& source) {
  return ask(source, "GET", "/bans", patience, print_document);
}

int lift_command(const std::string& source, const std::string& address) {
  return ask(source, "DELETE", "/bans?client=" + percent_encoded(address), patience,
             [&](const AdminAnswer& answer) {
               if (answer.status == 200) {
                 fmt::print("the ban of {} was lifted\n", address);
                 return 0;
               }
               if (answer.status != 404 || !answer.body.starts_with('{')) return print_refusal(answer);
               fmt::print(stderr, "sekisho: {} is not banned\n", address);
               return 1;
             });
}

}  // namespace sekisho
