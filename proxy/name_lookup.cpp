#include "proxy/name_lookup.hpp"

#include <netdb.h>
#include <signal.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>

namespace sekisho::proxy {
namespace {

namespace asio = boost::asio;

NameLookup ask_resolver(const NameToFind& name) {
  NameLookup result;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = name.wanted == WantedAddresses::reachable ? AI_ADDRCONFIG : 0;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(name.host.c_str(), std::to_string(name.port).c_str(), &hints, &found);
      error != 0) {
    result.problem = ::gai_strerror(error);
    result.temporary = error == EAI_AGAIN || error == EAI_SYSTEM || error == EAI_MEMORY;
    return result;
  }
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    result.endpoints.emplace_back(each->ai_addr, each->ai_addrlen, IPPROTO_TCP);
  }
  ::freeaddrinfo(found);
  return result;
}

struct Pending {
  std::atomic<bool> done{false};
  NameLookup result;
};

NameLookup no_answer(std::string problem) {
  NameLookup result;
  result.problem = std::move(problem);
  result.temporary = true;
  return result;
}

// getaddrinfo knows no time limit: it runs in a thread of its own, whose result may come too late for
// anybody. A thread that cannot be had is an answer that does not come.
std::shared_ptr<Pending> start_look_up(const NameToFind& name) {
  auto pending = std::make_shared<Pending>();
  try {
    std::thread([pending, name] {
      sigset_t all;
      ::sigfillset(&all);
      ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
      pending->result = ask_resolver(name);
      pending->done.store(true, std::memory_order_release);
    }).detach();
  } catch (const std::system_error& problem) {
    pending->result = no_answer(std::string("no thread to ask the resolver on: ") + problem.what());
    pending->done.store(true, std::memory_order_release);
  }
  return pending;
}

constexpr auto look_every = std::chrono::milliseconds(20);

}  // namespace

asio::awaitable<NameLookup> look_up_name(std::string host, std::uint16_t port, asio::steady_timer& timer,
                                         WantedAddresses wanted) {
  constexpr auto patience = std::chrono::seconds(10);
  const auto pending = start_look_up({std::move(host), port, wanted});
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!pending->done.load(std::memory_order_acquire)) {
    if (std::chrono::steady_clock::now() > deadline) co_return no_answer("the resolver does not answer");
    timer.expires_after(look_every);
    const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return no_answer("given up");
  }
  co_return std::move(pending->result);
}

std::vector<NameLookup> wait_for_names(const std::vector<NameToFind>& names,
                                       std::chrono::milliseconds patience) {
  std::vector<std::shared_ptr<Pending>> all;
  all.reserve(names.size());
  for (const NameToFind& name : names) all.push_back(start_look_up(name));
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::vector<NameLookup> found;
  found.reserve(all.size());
  for (const auto& pending : all) {
    while (!pending->done.load(std::memory_order_acquire) && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(look_every);
    found.push_back(pending->done.load(std::memory_order_acquire)
                        ? std::move(pending->result)
                        : no_answer("the resolver does not answer"));
  }
  return found;
}

}  // namespace sekisho::proxy
