// The tables that one limit needs, and how it comes to them from those that it has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "config/config.hpp"
#include "ratelimit/in_flight.hpp"
#include "ratelimit/limiter.hpp"
#include "ratelimit/quota.hpp"

namespace sekisho::policy {

struct LimitTables {
  std::shared_ptr<ratelimit::Limiter> limiter;  // present with `rate`
  std::shared_ptr<ratelimit::Limiter> strikes;  // with `ban` where after > 1
  // With `on_status` of distinct paths: each path of each key, charged once a PERIOD.
  std::shared_ptr<ratelimit::Limiter> paths;
  std::shared_ptr<ratelimit::InFlight> in_flight;  // with `in_flight`

  // Live buckets that all of them dropped because they were full; nullopt without any that could.
  struct Evictions {
    std::uint64_t buckets = 0;
    std::uint64_t tokens = 0;  // their debt: of requests, strikes and paths alike
  };
  std::optional<Evictions> evictions() const;
};

struct TableNeeds {
  // `fleet`: the one in force, whose number of tasks may not be the file's.
  TableNeeds(const config::Limit& limit, const config::Config& config, const config::Fleet& fleet);

  std::optional<ratelimit::Quota> rate, strikes, path;
  std::size_t capacity = 0;   // entries of each of these: clients, but for paths
  std::size_t exchanges = 0;  // that can be in progress at once; 0: they are not counted
};

// A bucket's place in the next configuration: kept, kept and changed, or made. Used by the control thread, in
// this order: bytes, take, tables, and apply when the next configuration is certain.
class TableChange {
 public:
  // `old`: of the limit of the same name and key before; empty where there was none.
  TableChange(const TableNeeds& needs, const LimitTables& old) : needs_(needs), old_(old) {}

  // Memory that is to be taken beside what is there: for the clients, and for the exchanges in progress.
  std::uint64_t bytes_for_clients() const;
  std::uint64_t bytes_for_exchanges() const;
  // Takes it, and changes nothing that is in use. Throws std::bad_alloc.
  void take(ratelimit::Instant now);
  const LimitTables& tables() const { return tables_; }
  // From `now` on the new quotas and sizes; no bucket loses its debt, no count its exchanges.
  void apply(ratelimit::Instant now);

 private:
  struct Part {
    std::optional<ratelimit::Quota> TableNeeds::*needed;
    std::shared_ptr<ratelimit::Limiter> LimitTables::*table;
  };
  static constexpr std::array<Part, 3> parts{{{&TableNeeds::rate, &LimitTables::limiter},
                                              {&TableNeeds::strikes, &LimitTables::strikes},
                                              {&TableNeeds::path, &LimitTables::paths}}};

  TableNeeds needs_;
  LimitTables old_, tables_;
  std::array<ratelimit::Limiter::RoomPtr, parts.size()> rooms_;
  ratelimit::InFlight::RoomPtr exchanges_room_;
};

}  // namespace sekisho::policy
