#include "proxy/fleet_watch.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "proxy/diagnostic_log.hpp"
#include "proxy/name_lookup.hpp"
#include "proxy/task_count.hpp"

namespace sekisho::proxy {
namespace {

namespace asio = boost::asio;

constexpr auto look_every = std::chrono::seconds(5);
// Its DNS answers with so many addresses of a service at most, chosen at random.
constexpr std::uint64_t most_of_cloud_map = 8;

std::string tasks_text(std::uint64_t tasks) {
  return tasks == 1 ? "1 task" : fmt::format("{} tasks", tasks);
}

}  // namespace

struct FleetWatch::Watch {
  Watch(asio::io_context& io, std::string the_name, std::uint64_t tasks, Take the_take)
      : name(std::move(the_name)), take(std::move(the_take)), count(tasks), pause(io) {}

  static asio::awaitable<void> run(std::shared_ptr<Watch> self) {
    while (!self->stopped) {
      const std::uint64_t tasks = co_await look(*self);
      if (self->stopped) co_return;
      self->looked = true;
      self->note(tasks);
      self->pause.expires_after(look_every);
      co_await self->pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }

  static asio::awaitable<std::uint64_t> look(Watch& self) {
    const NameLookup found = co_await look_up_name(self.name, 0, self.pause, WantedAddresses::all);
    self.problem = found.problem;
    co_return tasks_behind(found.endpoints);
  }

  void note(std::uint64_t tasks) {
    switch (count.see(tasks, std::chrono::steady_clock::now())) {
      case TaskCount::News::none:
        return;
      case TaskCount::News::no_answer:
        log_event(LogLevel::warning, "fleet",
                  fmt::format("the tasks cannot be counted: {}: {}; each limit goes on as shared by {}{}",
                              name, problem, tasks_text(count.number()),
                              count.counted() ? "" : ", until there is a first answer"),
                  {{"name", name}, {"tasks", count.number()}});
        return;
      case TaskCount::News::counted:
        log_event(LogLevel::info, "fleet",
                  fmt::format("{} by the addresses of {}: each limit enforces its share of one{}",
                              tasks_text(count.number()), name,
                              count.number() == most_of_cloud_map
                                  ? "; AWS Cloud Map tells no more than 8, so where there may be more, write "
                                    "their number"
                                  : ""),
                  {{"name", name}, {"tasks", count.number()}});
        take(count.number());
        return;
    }
  }

  void stop() {
    stopped = true;
    pause.cancel();
  }

  const std::string name;
  const Take take;
  TaskCount count;
  asio::steady_timer pause;
  std::string problem;
  bool looked = false;
  bool stopped = false;
};

void FleetWatch::watch(const config::Fleet& fleet, std::uint64_t tasks) {
  if (watch_ != nullptr && watch_->name == fleet.dns_name) return;
  stop();
  if (fleet.dns_name.empty()) return;
  watch_ = std::make_shared<Watch>(io_, fleet.dns_name, tasks, take_);
  asio::co_spawn(io_, Watch::run(watch_), asio::detached);
}

void FleetWatch::stop() {
  if (watch_ != nullptr) watch_->stop();
  watch_ = nullptr;
}

bool FleetWatch::is_waiting() const {
  return watch_ != nullptr && !watch_->looked;
}

FleetStatus FleetWatch::status() const {
  if (watch_ == nullptr) return {};
  return {watch_->name, watch_->count.counted(), watch_->problem};
}

}  // namespace sekisho::proxy
