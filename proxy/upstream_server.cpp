#include "proxy/upstream_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

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

bool local_shortage(const boost::system::error_code& error) {
  if (error.category() != boost::system::system_category()) return false;
  switch (error.value()) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
      return true;
    default:
      return false;
  }
}

void UpstreamServer::set_endpoints(std::vector<StreamEndpoint> endpoints) {
  std::lock_guard lock(mutex_);
  const bool gone = std::ranges::any_of(endpoints_, [&](const StreamEndpoint& known) {
    return std::ranges::find(endpoints, known) == endpoints.end();
  });
  endpoints_ = std::move(endpoints);
  // After the addresses: who connects reads the number first.
  if (gone) addresses_.fetch_add(1, std::memory_order_release);
}

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

void UpstreamServer::note_shortage(std::string_view reason) {
  if (!shortage_said_.due(std::chrono::steady_clock::now())) return;
  post_event(LogLevel::error, "connect_failed",
             fmt::format("no connection to upstream {} can be made for now: {}", text, reason),
             {{"server", text}, {"reason", reason}});
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
  make_stream = [this](EventLoop& loop) -> Stream::Ptr { return TlsStream::create(loop, tls_); };
}

}  // namespace sekisho::proxy
