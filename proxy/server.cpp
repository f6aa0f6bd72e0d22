#include "proxy/server.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "proxy/acceptor.hpp"
#include "proxy/client_connection.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr auto patience_at_stop = std::chrono::milliseconds(500);
// Ten ticks: a worker that has not turned for so long hangs.
constexpr auto patience_with_a_worker = std::chrono::seconds(1);
constexpr auto look_every = std::chrono::milliseconds(50);

}  // namespace

class Server::Impl {
 public:
  WorkerGroup group;
  ListenerSet listeners{group};
  std::vector<std::thread> threads;

  bool hangs = false;

  // Runs `function(worker)` on the threads of these workers and waits until all have but those that hang,
  // whose numbers it returns. They will when they turn again, so `function` owns what it uses.
  std::vector<unsigned> on_workers(unsigned count, std::function<void(Worker&)> function) {
    struct Call {
      std::function<void(Worker&)> function;
      std::mutex mutex;
      std::vector<char> done;
      std::condition_variable changed;
    };
    auto call = std::make_shared<Call>();
    call->function = std::move(function);
    call->done = std::vector<char>(count, 0);
    for (unsigned i = 0; i < count; ++i) {
      group.workers[i]->loop().post([call, i, each = group.workers[i].get()] {
        call->function(*each);
        std::lock_guard lock(call->mutex);
        call->done[i] = 1;
        call->changed.notify_one();
      });
    }
    std::unique_lock lock(call->mutex);
    for (;;) {
      call->changed.wait_for(lock, look_every,
                             [&] { return std::ranges::find(call->done, 0) == call->done.end(); });
      const auto turned_since =
          (std::chrono::steady_clock::now() - patience_with_a_worker).time_since_epoch();
      std::vector<unsigned> late;
      bool some_turn = false;
      for (unsigned i = 0; i < count; ++i) {
        if (call->done[i]) continue;
        late.push_back(i);
        some_turn |= ratelimit::Duration(group.workers[i]->last_turn()) > turned_since;
      }
      if (!some_turn) return late;
    }
  }
  std::vector<unsigned> on_every_worker(std::function<void(Worker&)> function) {
    return on_workers(static_cast<unsigned>(group.workers.size()), std::move(function));
  }
  // The acceptors live on the first worker.
  void on_acceptors(void (Acceptor::*step)()) {
    on_workers(1, [acceptors = listeners.acceptors(), step](Worker&) {
      for (const auto& acceptor : acceptors) (acceptor.get()->*step)();
    });
  }
};

Server::Server(const config::Config& config, std::vector<ListenerState> listeners, unsigned workers,
               AccessLog& access_log)
    : impl_(std::make_unique<Impl>()) {
  WorkerGroup& group = impl_->group;
  group.budget = std::make_unique<BufferBudget>(config.buffer_total());
  for (unsigned i = 0; i < workers; ++i) {
    group.workers.push_back(std::make_unique<Worker>(group, i, access_log.lane(i)));
  }
  ListenerChange change = impl_->listeners.prepare(std::move(listeners));
  change.listen();
  impl_->listeners.commit(std::move(change));
}

Server::~Server() {
  if (!impl_->threads.empty()) stop();
}

void Server::start(std::vector<std::unique_ptr<Snapshot>> snapshots) {
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    impl_->group.workers[i]->switch_snapshot(std::move(snapshots[i]));
  }
  for (const auto& worker : impl_->group.workers) {
    impl_->threads.emplace_back([each = worker.get()] { each->run(); });
  }
}

ListenerChange Server::prepare_listeners(std::vector<ListenerState> wanted) {
  return impl_->listeners.prepare(std::move(wanted));
}

std::vector<unsigned> Server::apply(std::vector<std::unique_ptr<Snapshot>> snapshots,
                                    ListenerChange listeners) {
  impl_->group.budget->set_total(snapshots.front()->config->buffer_total());
  const auto shared = std::make_shared<std::vector<std::unique_ptr<Snapshot>>>(std::move(snapshots));
  const std::vector<unsigned> late = impl_->on_every_worker(
      [shared](Worker& worker) { worker.switch_snapshot(std::move((*shared)[worker.index()])); });
  impl_->listeners.commit(std::move(listeners));
  impl_->on_workers(1, [](Worker&) {});
  return late;
}

void Server::announce_drain() {
  for (const auto& worker : impl_->group.workers) {
    worker->loop().post([each = worker.get()] { each->announce_drain(); });
  }
}

void Server::turn_away() {
  impl_->on_acceptors(&Acceptor::turn_away);
}

void Server::stop_accepting(ratelimit::Instant deadline) {
  impl_->on_acceptors(&Acceptor::stop);
  // What the acceptors handed over was posted before this and is there by now.
  auto tunnels = std::make_shared<std::vector<std::atomic<std::size_t>>>(workers());
  impl_->on_every_worker([tunnels](Worker& worker) { (*tunnels)[worker.index()] = worker.tunnels(); });
  std::size_t total = 0;
  std::vector<std::size_t> before;
  for (const auto& count : *tunnels) {
    before.push_back(total);
    total += count;
  }
  impl_->on_every_worker([deadline, total, before](Worker& worker) {
    worker.close_idle(deadline, before[worker.index()], total);
  });
}

std::uint64_t Server::open_connections() const {
  std::uint64_t total = 0;
  for (const auto& worker : impl_->group.workers) total += worker->connections();
  return total;
}

std::uint64_t Server::stop() {
  impl_->on_acceptors(&Acceptor::stop);
  const auto exchanges = std::make_shared<std::atomic<std::uint64_t>>(0);
  impl_->hangs = !impl_->on_every_worker([exchanges](Worker& worker) { *exchanges += worker.cut(); }).empty();
  if (impl_->hangs) return *exchanges;
  const auto deadline = std::chrono::steady_clock::now() + patience_at_stop;
  while (open_connections() > 0 && std::chrono::steady_clock::now() < deadline) {
    impl_->on_every_worker([](Worker&) {});
    std::this_thread::yield();
  }
  for (const auto& worker : impl_->group.workers) worker->loop().stop();
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
  return *exchanges;
}

bool Server::hangs() const {
  return impl_->hangs;
}

unsigned Server::workers() const {
  return static_cast<unsigned>(impl_->group.workers.size());
}

Counters& Server::counters(unsigned worker) const {
  return impl_->group.workers[worker]->counters;
}

std::vector<std::shared_ptr<Talkers>> Server::talkers() const {
  // Made here, so that a worker does nothing but copy.
  std::vector<std::shared_ptr<Talkers>> copies;
  for (unsigned i = 0; i < workers(); ++i) {
    copies.push_back(std::make_shared<Talkers>(std::chrono::steady_clock::now()));
  }
  const std::vector<unsigned> late =
      impl_->on_every_worker([copies](Worker& worker) { *copies[worker.index()] = worker.talkers; });
  for (const unsigned each : late) copies[each] = nullptr;
  return copies;
}

ratelimit::Instant Server::last_turn(unsigned worker) const {
  return ratelimit::Instant(ratelimit::Duration(impl_->group.workers[worker]->last_turn()));
}

std::vector<std::string> Server::bound_addresses() const {
  return impl_->listeners.bound_addresses();
}

}  // namespace sekisho::proxy
