// The data plane in the test's own process, in front of an origin that allocates nothing: for tests that
// count.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "config/load.hpp"
#include "proxy/access_log.hpp"
#include "proxy/policy/engine.hpp"
#include "proxy/policy/limit_states.hpp"
#include "proxy/server.hpp"
#include "proxy/upstreams.hpp"

namespace sekisho::test {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline int connect_to(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const timeval patience{10, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("connect failed");
  }
  return descriptor;
}

// Answers every request head with one fixed response; keep-alive, one connection at a time.
class FixedOrigin {
 public:
  explicit FixedOrigin(std::string_view response) : response_(response) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 64);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FixedOrigin() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    ::shutdown(connection_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }

 private:
  void serve() {
    char buffer[16384];
    while (!stopping_) {
      connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection_ < 0) return;
      while (::recv(connection_, buffer, sizeof buffer, 0) > 0) {
        ::send(connection_, response_.data(), response_.size(), MSG_NOSIGNAL);
      }
      ::close(connection_);
    }
  }

  std::string_view response_;
  int listener_ = -1;
  std::atomic<int> connection_{-1};
  std::atomic<bool> stopping_{false};
  std::uint16_t port_ = 0;
  std::thread thread_;
};

// A server with one worker on a free port. `yaml` must listen on 127.0.0.1:0.
class InProcessServer {
 public:
  InProcessServer(const std::string& yaml, std::uint16_t upstream_port, unsigned workers = 1)
      : loaded_(config::load_text(yaml, "test.yaml", std::filesystem::temp_directory_path())),
        states_(ratelimit::Secret{1, 2}, workers) {
    if (!loaded_.config)
      throw std::runtime_error(loaded_.diagnostics.format(loaded_.diagnostics.all().front()));
    log_ = std::make_unique<proxy::AccessLog>(loaded_.config->log, workers);
    upstreams_ = proxy::make_upstreams(*loaded_.config, {}, workers, nullptr);
    const sockaddr_in address = loopback(upstream_port);
    upstream().servers.front()->set_endpoints({proxy::StreamEndpoint(&address, sizeof address)});
    const auto now = std::chrono::steady_clock::now();
    config::Diagnostics diagnostics;
    auto set = states_.prepare(*loaded_.config, now, diagnostics);
    std::vector<std::unique_ptr<proxy::Snapshot>> snapshots;
    for (unsigned i = 0; i < workers; ++i) {
      auto engine = policy::Engine::compile(loaded_.config, set, i, diagnostics);
      if (!engine) throw std::runtime_error(diagnostics.format(diagnostics.all().front()));
      snapshots.push_back(
          std::make_unique<proxy::Snapshot>(loaded_.config, std::move(engine), upstreams_, 1));
    }
    states_.commit(*loaded_.config, std::move(set), now);
    server_ = std::make_unique<proxy::Server>(*loaded_.config, proxy::wanted_listeners(*loaded_.config),
                                              workers, *log_);
    server_->start(std::move(snapshots));
    const std::string bound = server_->bound_addresses().front();
    port_ = static_cast<std::uint16_t>(std::stoi(bound.substr(bound.rfind(':') + 1)));
  }
  std::uint16_t port() const { return port_; }
  proxy::Server& server() { return *server_; }
  const proxy::Upstream& upstream() { return upstreams_->main(); }
  // One more engine over the limits' states, to see what the workers left there.
  std::unique_ptr<policy::Engine> engine() {
    config::Diagnostics diagnostics;
    return policy::Engine::compile(loaded_.config, states_.current(), 0, diagnostics);
  }

 private:
  config::Loaded loaded_;
  policy::LimitStates states_;
  std::unique_ptr<proxy::AccessLog> log_;
  std::shared_ptr<const proxy::Upstreams> upstreams_;
  std::unique_ptr<proxy::Server> server_;
  std::uint16_t port_ = 0;
};

}  // namespace sekisho::test
