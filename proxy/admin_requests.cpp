#include "proxy/admin_requests.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

#include "config/ip_address.hpp"
#include "proxy/json_writer.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::string_view json_type = "application/json";

AdminResponse plain(unsigned status, std::string body) {
  AdminResponse response;
  response.status = status;
  response.body = std::move(body);
  if (response.body.empty() || response.body.back() != '\n') response.body += '\n';
  return response;
}

AdminResponse json(std::string body) {
  AdminResponse response;
  response.content_type = json_type;
  response.body = std::move(body);
  response.body += '\n';
  return response;
}

AdminResponse plain(const AdminBackend::Outcome& outcome, unsigned done, unsigned otherwise) {
  return plain(outcome.done ? done : otherwise, outcome.text);
}

// Takes as long for any token of one length, so that its time tells nothing.
bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

// "Bearer TOKEN"; the scheme's case does not count (RFC 9110, 11.1).
bool has_token(std::string_view authorization, std::string_view token) {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() < scheme.size()) return false;
  const bool bearer =
      std::equal(scheme.begin(), scheme.end(), authorization.begin(),
                 [](char want, char got) { return want == (got >= 'A' && got <= 'Z' ? got + 32 : got); });
  return bearer && same_secret(authorization.substr(scheme.size()), token);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The value of a query parameter, percent-decoded once; nullopt: not there.
std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.substr(0, pair.find('=')) != name || pair.size() <= name.size()) continue;
    std::string value;
    for (std::size_t i = name.size() + 1; i < pair.size(); ++i) {
      const bool escape =
          pair[i] == '%' && i + 2 < pair.size() && hex_digit(pair[i + 1]) >= 0 && hex_digit(pair[i + 2]) >= 0;
      if (escape) {
        value += static_cast<char>(hex_digit(pair[i + 1]) * 16 + hex_digit(pair[i + 2]));
        i += 2;
      } else {
        value += pair[i];
      }
    }
    return value;
  }
  return std::nullopt;
}

AdminResponse lift(std::string_view query, AdminBackend& backend) {
  const auto client = parameter(query, "client");
  if (!client || client->empty()) return plain(400, "say whose ban to lift: DELETE /bans?client=ADDRESS");
  const std::uint64_t lifted = backend.lift(*client);
  AdminResponse response = json(
      JsonWriter().begin_object().member("client", *client).member("lifted", lifted).end_object().take());
  if (lifted == 0) response.status = 404;
  return response;
}

constexpr std::size_t usual_top = 10;
constexpr std::size_t longest_top = 100;

AdminResponse top(std::string_view query, AdminBackend& backend) {
  std::size_t n = usual_top;
  if (const auto text = parameter(query, "n")) {
    const char* const end = text->data() + text->size();
    const auto [read, error] = std::from_chars(text->data(), end, n);
    if (error != std::errc() || read != end || n < 1 || n > longest_top)
      return plain(400, "n is a number from 1 to 100");
  }
  const std::string format = parameter(query, "format").value_or("json");
  if (format == "json") return json(backend.top(n, false));
  if (format == "table") return plain(200, backend.top(n, true));
  return plain(400, "format is json or table");
}

using Call = AdminResponse (*)(std::string_view query, AdminBackend& backend);

struct Route {
  std::string_view path, method;
  bool changes;
  bool scraped;  // on the `metrics` address too
  Call call;
};

const Route routes[] = {
    {"/healthz", "GET", false, false, [](auto, AdminBackend& b) { return plain(b.healthy(), 200, 503); }},
    {"/readyz", "GET", false, false, [](auto, AdminBackend& b) { return plain(b.ready(), 200, 503); }},
    {"/metrics", "GET", false, true,
     [](auto, AdminBackend& b) {
       AdminResponse response = plain(200, b.metrics());
       response.content_type = "text/plain; version=0.0.4; charset=utf-8";
       return response;
     }},
    {"/status", "GET", false, false, [](auto, AdminBackend& b) { return json(b.status()); }},
    {"/top", "GET", false, false, top},
    {"/bans", "GET", false, false, [](auto, AdminBackend& b) { return json(b.bans()); }},
    {"/bans", "DELETE", true, false, lift},
    {"/reload", "POST", true, false, [](auto, AdminBackend& b) { return plain(b.reload(), 200, 422); }},
};

}  // namespace

bool is_local_host(std::string_view host) {
  std::string_view name = host;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return false;
    name = host.substr(1, end - 1);
    host.remove_prefix(end + 1);
  } else {
    name = host.substr(0, host.find(':'));
    host.remove_prefix(name.size());
  }
  const bool port = host.empty() || (host.size() > 1 && host.size() <= 6 && host[0] == ':' &&
                                     host.find_first_not_of("0123456789", 1) == std::string_view::npos);
  constexpr std::string_view localhost = "localhost";
  const bool local =
      std::equal(name.begin(), name.end(), localhost.begin(), localhost.end(),
                 [](char got, char want) { return want == (got >= 'A' && got <= 'Z' ? got + 32 : got); });
  return port && (local || config::IpAddress::parse(name).has_value());
}

AdminResponse answer_admin(const AdminRequest& request, AdminScope scope, std::string_view token,
                           AdminBackend& backend) {
  const bool everything = scope == AdminScope::everything;
  if (everything && (request.hosts != 1 || !is_local_host(request.host))) {
    return plain(421, "the Host of a call to the admin port must be an address or localhost");
  }
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const std::string_view query =
      path.size() == request.target.size() ? "" : request.target.substr(path.size() + 1);
  std::string allow;
  for (const Route& route : routes) {
    if (route.path != path || !(everything || route.scraped)) continue;
    const bool read = route.method == "GET";
    allow += (allow.empty() ? "" : ", ") + std::string(route.method) + (read ? ", HEAD" : "");
    if (request.method != route.method && !(read && request.method == "HEAD")) continue;
    if (route.changes && !token.empty() && !has_token(request.authorization, token)) {
      AdminResponse response = plain(401, "this call needs the token of the `admin` section");
      response.ask_for_token = true;
      return response;
    }
    if (route.changes && request.marker != "1") {
      return plain(403, "a call that changes something needs the header X-Sekisho: 1");
    }
    return route.call(query, backend);
  }
  if (allow.empty()) {
    const bool later = everything && (path == "/" || path == "/explain");
    return plain(404, later ? "not supported yet" : "nothing here");
  }
  AdminResponse response = plain(405, "that method is not for this path");
  response.allow = allow;
  return response;
}

}  // namespace sekisho::proxy
