#include "bench/origin_request.hpp"

#include <algorithm>
#include <charconv>
#include <functional>

namespace sekisho::bench {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// `word` is in lower case.
bool same(std::string_view text, std::string_view word) {
  return std::ranges::equal(text, word, {}, lower);
}
bool has(std::string_view text, std::string_view word) {
  return !std::ranges::search(text, word, {}, lower).empty();
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

void take_field(OriginRequest& request, std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (same(name, "content-length")) {
    request.content_length = to_number(value).value_or(0);
  } else if (same(name, "transfer-encoding")) {
    request.chunked = same(value, "chunked");
  } else if (same(name, "connection")) {
    if (has(value, "close")) request.keep_alive = false;
    if (has(value, "keep-alive")) request.keep_alive = true;
    if (has(value, "upgrade")) request.upgrade = true;
  } else if (same(name, "expect")) {
    request.expects_continue = same(value, "100-continue");
  } else if (same(name, "x-request-id")) {
    request.request_id = value;
  }
}

}  // namespace

std::uint64_t OriginRequest::number(std::string_view name, std::uint64_t otherwise) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      return to_number(pair.substr(equals + 1)).value_or(otherwise);
    }
  }
  return otherwise;
}

std::optional<OriginRequest> parse_origin_request(std::string_view head) {
  OriginRequest request;
  request.head = head;
  std::string_view line = head.substr(0, head.find("\r\n"));
  std::string_view rest = head.substr(std::min(line.size() + 2, head.size()));

  const auto method_end = line.find(' ');
  const auto target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end <= method_end) return std::nullopt;
  request.method = line.substr(0, method_end);
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  request.path = target.substr(0, target.find('?'));
  if (request.path.size() < target.size()) request.query = target.substr(request.path.size() + 1);
  request.keep_alive = line.substr(target_end + 1) == "HTTP/1.1";

  while (!rest.empty()) {
    line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(line.size() + 2, rest.size()));
    take_field(request, line);
  }
  return request;
}

}  // namespace sekisho::bench
