// Keeps the number of the fleet's tasks up to date where fleet.tasks is the name that they go by.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "config/config.hpp"

namespace sekisho::proxy {

// What /status says of the fleet.
struct FleetStatus {
  std::string name;      // empty: the file has the number
  bool counted = false;  // the name was answered for once
  std::string problem;   // of the last look-up
};

// Looks the name up at once and then every 5 s, as servers' names are by default (name_lookup.hpp: nobody
// waits for the resolver). A number that is counted for the first time, or is another one, is said in the log
// (`fleet`) and given to `take`; that no answer came is said once a minute at most. Used on the io_context's
// thread alone.
class FleetWatch {
 public:
  using Take = std::function<void(std::uint64_t tasks)>;

  FleetWatch(boost::asio::io_context& io, Take take) : io_(io), take_(std::move(take)) {}
  ~FleetWatch() { stop(); }
  FleetWatch(const FleetWatch&) = delete;
  FleetWatch& operator=(const FleetWatch&) = delete;

  // From now on the name in `fleet`, if it has one; `tasks` are in force until it is answered for. What was
  // counted by the same name goes on.
  void watch(const config::Fleet& fleet, std::uint64_t tasks);
  void stop();

  // Whether the first look-up is still in progress.
  bool is_waiting() const;
  FleetStatus status() const;

 private:
  struct Watch;
  boost::asio::io_context& io_;
  Take take_;
  std::shared_ptr<Watch> watch_;
};

}  // namespace sekisho::proxy
