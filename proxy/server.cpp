#include "proxy/server.hpp"

#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <latch>
#include <thread>

#include "proxy/acceptor.hpp"
#include "proxy/client_connection.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr auto patience_at_stop = std::chrono::milliseconds(500);

}  // namespace

class Server::Impl {
 public:
  WorkerGroup group;
  std::vector<std::unique_ptr<Acceptor>> acceptors;
  std::vector<std::thread> threads;

  // Runs `function(worker)` on every worker's thread and returns when all have.
  void on_every_worker(const std::function<void(Worker&)>& function) {
    std::latch done(static_cast<std::ptrdiff_t>(group.workers.size()));
    for (const auto& worker : group.workers) {
      boost::asio::post(worker->io(), [&done, &function, each = worker.get()] {
        function(*each);
        done.count_down();
      });
    }
    done.wait();
  }
  void on_first_worker(const std::function<void()>& function) {
    std::latch done(1);
    boost::asio::post(group.workers.front()->io(), [&] {
      function();
      done.count_down();
    });
    done.wait();
  }
};

Server::Server(const config::Config& config, unsigned workers, AccessLog& access_log)
    : impl_(std::make_unique<Impl>()) {
  WorkerGroup& group = impl_->group;
  group.budget = std::make_unique<BufferBudget>(config.upstream->buffer.total);
  group.idle_counts = std::vector<IdleCount>(workers);
  for (unsigned i = 0; i < workers; ++i) {
    group.workers.push_back(std::make_unique<Worker>(group, i, access_log.lane(i)));
  }
  for (const config::Listener& listener : config.listen) {
    impl_->acceptors.push_back(
        std::make_unique<Acceptor>(listener.address, group.workers.front()->io(), group));
  }
}

Server::~Server() {
  if (!impl_->threads.empty()) stop();
  impl_->acceptors.clear();
}

void Server::start(std::vector<std::unique_ptr<Snapshot>> snapshots) {
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    impl_->group.workers[i]->switch_snapshot(std::move(snapshots[i]));
  }
  for (const auto& worker : impl_->group.workers) {
    impl_->threads.emplace_back([each = worker.get()] { each->run(); });
  }
  impl_->on_first_worker([this] {
    for (const auto& acceptor : impl_->acceptors) acceptor->start();
  });
}

void Server::apply(std::vector<std::unique_ptr<Snapshot>> snapshots) {
  impl_->group.budget->set_total(snapshots.front()->config->upstream->buffer.total);
  impl_->on_every_worker(
      [&](Worker& worker) { worker.switch_snapshot(std::move(snapshots[worker.index()])); });
}

void Server::announce_drain() {
  impl_->on_every_worker([](Worker& worker) { worker.announce_drain(); });
}

void Server::turn_away() {
  impl_->on_first_worker([this] {
    for (const auto& acceptor : impl_->acceptors) acceptor->turn_away();
  });
}

void Server::stop_accepting(ratelimit::Instant deadline) {
  impl_->on_first_worker([this] {
    for (const auto& acceptor : impl_->acceptors) acceptor->stop();
  });
  // What the acceptors handed over was posted before this and is there by now.
  impl_->on_every_worker([deadline](Worker& worker) { worker.close_idle(deadline); });
}

std::uint64_t Server::open_connections() const {
  std::uint64_t total = 0;
  for (const auto& worker : impl_->group.workers) total += worker->connections() + worker->incoming();
  return total;
}

std::uint64_t Server::stop() {
  std::atomic<std::uint64_t> exchanges{0};
  impl_->on_first_worker([this] {
    for (const auto& acceptor : impl_->acceptors) acceptor->stop();
  });
  impl_->on_every_worker([&](Worker& worker) { exchanges += worker.cut(); });
  const auto deadline = std::chrono::steady_clock::now() + patience_at_stop;
  while (open_connections() > 0 && std::chrono::steady_clock::now() < deadline) {
    impl_->on_every_worker([](Worker&) {});
    std::this_thread::yield();
  }
  for (const auto& worker : impl_->group.workers) worker->io().stop();
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
  return exchanges;
}

unsigned Server::workers() const {
  return static_cast<unsigned>(impl_->group.workers.size());
}

const Counters& Server::counters(unsigned worker) const {
  return impl_->group.workers[worker]->counters;
}

ratelimit::Instant Server::last_turn(unsigned worker) const {
  return ratelimit::Instant(ratelimit::Duration(impl_->group.workers[worker]->last_turn()));
}

std::vector<std::string> Server::bound_addresses() const {
  std::vector<std::string> addresses;
  for (const auto& acceptor : impl_->acceptors) addresses.push_back(acceptor->bound_address());
  return addresses;
}

}  // namespace sekisho::proxy
