// The last chunk of a message that is relayed, with those of its trailers that go on.
#include "proxy/forward.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::string_view bare_end = "0\r\n\r\n";

std::string_view write_end(HeadBuffer& scratch, const TrailerRules& rules, const TrailerSection& trailers) {
  scratch.clear();
  scratch.append("0\r\n");
  rules.write(trailers.lines(), scratch);
  scratch.append("\r\n");
  return scratch.view();
}

}  // namespace

bool Forward::request_trailers_pass() const {
  if (exchange_.request_trailers.empty()) return false;
  const TrailerRules rules(TrailerRules::Towards::upstream, exchange_.head.fields);
  return rules.any_passes(exchange_.request_trailers.lines());
}

std::string_view Forward::request_end() {
  if (!request_trailers_pass()) return bare_end;
  trailers_sent_ = true;
  return write_end(client_.worker_.scratch,
                   TrailerRules(TrailerRules::Towards::upstream, exchange_.head.fields),
                   exchange_.request_trailers);
}

std::string_view Forward::response_end() {
  if (exchange_.response_trailers.empty()) return bare_end;
  return write_end(client_.worker_.scratch, *response_trailer_rules_, exchange_.response_trailers);
}

}  // namespace sekisho::proxy
