#include "proxy/upstream_server.hpp"

#include <fmt/format.h>

#include "proxy/diagnostic_log.hpp"
#include "proxy/tls_stream.hpp"

namespace sekisho::proxy {
namespace {

void say_down(const std::string& server, std::string_view reason) {
  post_event(LogLevel::error, "upstream_down", fmt::format("upstream {} is down: {}", server, reason),
             {{"server", server}, {"reason", reason}});
}

void say_up(const std::string& server, std::string_view why) {
  post_event(LogLevel::info, "upstream_up", fmt::format("upstream {} {}", server, why), {{"server", server}});
}

}  // namespace

// exchange() lets one of several workers that notice at once do the talking.
void UpstreamServer::say_reachable() {
  const bool was = reachable_.exchange(true, std::memory_order_relaxed);
  const bool said = said_.exchange(true, std::memory_order_relaxed);
  if (!was || !said) say_up(text, "takes connections");
}

void UpstreamServer::note_unreachable(std::string_view reason) {
  said_.store(true, std::memory_order_relaxed);
  if (reachable_.exchange(false, std::memory_order_relaxed)) say_down(text, reason);
}

void UpstreamServer::note_well(bool well, std::string_view reason) {
  if (well_.exchange(well, std::memory_order_relaxed) == well) return;
  if (well) {
    say_up(text, "passes its health check");
  } else {
    say_down(text, reason);
  }
}

void UpstreamServer::set_tls(std::shared_ptr<const TlsClientContext> tls) {
  tls_ = std::move(tls);
  make_stream = [this](asio::io_context& io) -> Stream::Ptr { return TlsStream::create(io, tls_); };
}

}  // namespace sekisho::proxy
