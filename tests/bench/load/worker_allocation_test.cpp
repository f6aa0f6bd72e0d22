// A request costs the generator no allocation: what it costs would be taken for the target's.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>
#include <thread>

#include "bench/load/class_values.hpp"
#include "bench/load/worker.hpp"
#include "tests/support/allocation_counter.hpp"

namespace sekisho::load {
namespace {

// Answers one connection after the other, and allocates nothing.
class Peer {
 public:
  Peer() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address_), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Peer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::uint16_t port() const { return ntohs(address_.sin_port); }

 private:
  void serve() const {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      answer(fd);
      ::close(fd);
    }
  }

  // An empty line ends a request, which has no body.
  static void answer(int fd) {
    constexpr std::string_view response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    char bytes[4096];
    unsigned line = 1;
    for (;;) {
      const ssize_t size = ::recv(fd, bytes, sizeof bytes, 0);
      if (size <= 0) return;
      for (ssize_t i = 0; i < size; ++i) {
        if (bytes[i] == '\n' && line == 0) {
          if (::send(fd, response.data(), response.size(), MSG_NOSIGNAL) < 0) return;
          line = 1;
        } else if (bytes[i] == '\n') {
          line = 0;
        } else if (bytes[i] != '\r') {
          ++line;
        }
      }
    }
  }

  int listener_;
  sockaddr_in address_{};
  std::thread thread_;
};

std::uint64_t allocations_of(std::uint64_t requests, ClientClass clients, const Written& written = {}) {
  Plan plan;
  clients.requests = requests;
  EXPECT_TRUE(complete_class(clients, written).empty());
  plan.classes.push_back(clients);
  complete_plan(plan);
  const Peer peer;
  std::string problem;
  config::Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = peer.port();
  Run run{plan, *resolve(endpoint, problem), clients.connections};
  Worker worker(run, plan.classes.front(), {});
  run.begin = steady_now();
  const std::uint64_t before = test::allocations.load();
  worker.run();
  const std::uint64_t made = test::allocations.load() - before;
  EXPECT_EQ(worker.tally().requests, requests);
  EXPECT_EQ(worker.tally().statuses[200], requests);
  return made;
}

ClientClass one_connection() {
  ClientClass clients;
  clients.connections = 1;  // the peer serves one at a time
  return clients;
}

TEST(WorkerAllocation, NoneForARequest) {
  ClientClass clients = one_connection();
  clients.clients = Population{Population::Kind::zipf, 1000, false, {}};
  EXPECT_EQ(allocations_of(200, clients), allocations_of(5000, clients));
}

TEST(WorkerAllocation, NoneForAConnection) {
  Written written;
  written.fresh = true;
  EXPECT_EQ(allocations_of(50, one_connection(), written), allocations_of(500, one_connection(), written));
}

TEST(WorkerAllocation, NoneForAPauseOrADueTime) {
  ClientClass thinking = one_connection();
  thinking.think = std::chrono::microseconds(10);
  EXPECT_EQ(allocations_of(50, thinking), allocations_of(500, thinking));
  ClientClass open = one_connection();
  open.rate = 20'000;
  EXPECT_EQ(allocations_of(50, open), allocations_of(500, open));
}

}  // namespace
}  // namespace sekisho::load
