#include "proxy/listener_set.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "config/endpoint.hpp"
#include "proxy/acceptor.hpp"
#include "proxy/worker.hpp"

namespace sekisho::proxy {
namespace {

constexpr auto patience_with_retired = std::chrono::seconds(1);
constexpr auto look_every = std::chrono::milliseconds(5);

bool same_address(const ListenerState& listening, const config::Endpoint& wanted) {
  const config::Endpoint& address = listening.address;
  if (address.kind != wanted.kind) return false;
  if (wanted.kind == config::Endpoint::Kind::unix_path) return address.host == wanted.host;
  return config::IpAddress::parse(address.host) == config::IpAddress::parse(wanted.host) &&
         (wanted.port == address.port || wanted.port == listening.port);
}

bool overlaps(const ListenerState& listening, const config::Endpoint& wanted) {
  config::Endpoint bound = listening.address;
  bound.port = listening.port;
  return bound.kind == config::Endpoint::Kind::ip && config::overlap(bound, wanted);
}

}  // namespace

ListenerChange::~ListenerChange() {
  entries_.clear();
  end_sharing();
}

void ListenerChange::end_sharing() {
  for (const auto& acceptor : sharing_) share_address(acceptor->descriptor(), false);
  sharing_.clear();
}

void ListenerChange::listen() {
  for (Entry& entry : entries_) {
    if (entry.fresh) entry.fresh->listen(entry.state.address);
  }
}

ListenerChange ListenerSet::prepare(std::vector<ListenerState> wanted) {
  wait_for_retired();
  ListenerChange change;
  std::vector<const Listening*> left;
  for (const Listening& each : listening_) left.push_back(&each);
  for (ListenerState& state : wanted) {
    ListenerChange::Entry entry{std::move(state), nullptr, std::nullopt};
    const auto same = std::ranges::find_if(
        left, [&](const Listening* each) { return same_address(*each->state, entry.state.address); });
    if (same != left.end()) {
      entry.kept = (*same)->acceptor;
      entry.state.port = (*same)->state->port;
      entry.state.shared = (*same)->state->shared;
      left.erase(same);
    }
    change.entries_.push_back(std::move(entry));
  }
  // What is left over goes: an address that overlaps its own may be bound beside it.
  for (ListenerChange::Entry& entry : change.entries_) {
    if (entry.kept != nullptr) continue;
    bool shared = false;
    for (const Listening* each : left) {
      if (!overlaps(*each->state, entry.state.address)) continue;
      shared = true;
      share_address(each->acceptor->descriptor(), true);
      change.sharing_.push_back(each->acceptor);
    }
    entry.fresh.emplace(entry.state.address, shared);
    entry.state.port = entry.fresh->port();
    entry.state.shared = std::make_shared<ListenerShared>();
  }
  return change;
}

void ListenerSet::commit(ListenerChange change) {
  struct Steps {
    std::vector<Listening> kept, fresh;
    std::vector<std::shared_ptr<Acceptor>> removed;
  };
  auto steps = std::make_shared<Steps>();
  EventLoop& loop = group_.workers.front()->loop();
  std::vector<Listening> next;
  for (ListenerChange::Entry& entry : change.entries_) {
    auto state = std::make_shared<const ListenerState>(std::move(entry.state));
    if (entry.fresh) {
      share_address(entry.fresh->descriptor(), false);
      next.push_back({state, std::make_shared<Acceptor>(std::move(*entry.fresh), state, loop, group_)});
      steps->fresh.push_back(next.back());
    } else {
      next.push_back({state, entry.kept});
      steps->kept.push_back(next.back());
    }
  }
  for (const Listening& each : listening_) {
    const bool stays = std::ranges::any_of(
        steps->kept, [&](const Listening& kept) { return kept.acceptor == each.acceptor; });
    if (stays) continue;
    each.state->shared->removed.store(true, std::memory_order_relaxed);
    steps->removed.push_back(each.acceptor);
    retired_.push_back(each.acceptor);
  }
  listening_ = std::move(next);
  change.end_sharing();
  // The lambda and what it holds end on the worker, where an acceptor has to.
  loop.post([steps = std::move(steps)] {
    for (const Listening& each : steps->fresh) each.acceptor->start();
    for (const Listening& each : steps->kept) each.acceptor->set_state(each.state);
    for (const auto& acceptor : steps->removed) acceptor->retire();
  });
}

// An address that the reload before gave up is free a moment later.
void ListenerSet::wait_for_retired() {
  const auto deadline = std::chrono::steady_clock::now() + patience_with_retired;
  for (;;) {
    std::erase_if(retired_, [](const std::weak_ptr<Acceptor>& acceptor) { return acceptor.expired(); });
    if (retired_.empty() || std::chrono::steady_clock::now() >= deadline) return;
    std::this_thread::sleep_for(look_every);
  }
}

std::vector<std::shared_ptr<Acceptor>> ListenerSet::acceptors() const {
  std::vector<std::shared_ptr<Acceptor>> acceptors;
  for (const Listening& each : listening_) acceptors.push_back(each.acceptor);
  return acceptors;
}

std::vector<std::string> ListenerSet::bound_addresses() const {
  std::vector<std::string> addresses;
  for (const Listening& each : listening_) addresses.push_back(bound_address(*each.state));
  return addresses;
}

}  // namespace sekisho::proxy
