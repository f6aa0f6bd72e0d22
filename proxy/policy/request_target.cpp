#include "proxy/policy/request_target.hpp"

#include "proxy/policy/ascii.hpp"

namespace sekisho::policy {
namespace {

// Length of "SCHEME://" at the front of `target` (RFC 3986, section 3.1), or 0.
std::size_t scheme_length(std::string_view target) {
  if (target.empty() || !is_alpha(target.front())) return 0;
  std::size_t at = 1;
  while (at < target.size() && (is_alpha(target[at]) || is_digit(target[at]) || target[at] == '+' ||
                                target[at] == '-' || target[at] == '.'))
    ++at;
  return target.substr(at, 3) == "://" ? at + 3 : 0;
}

}  // namespace

RequestTarget read_target(std::string_view target) {
  RequestTarget result;
  result.origin = target;
  if (const std::size_t scheme = scheme_length(target); scheme != 0) {
    result.absolute = true;
    const std::string_view name = target.substr(0, scheme - 3);
    result.http = equal_ignoring_case(name, "http") || equal_ignoring_case(name, "https");
    const std::size_t end = target.find_first_of("/?#", scheme);
    result.authority = target.substr(scheme, end == std::string_view::npos ? end : end - scheme);
    result.origin = end == std::string_view::npos ? std::string_view() : target.substr(end);
  }
  const std::string_view whole = result.origin.substr(0, result.origin.find('#'));
  const std::size_t question = whole.find('?');
  result.path = whole.substr(0, question);
  if (question != std::string_view::npos) result.query = whole.substr(question + 1);
  return result;
}

}  // namespace sekisho::policy
