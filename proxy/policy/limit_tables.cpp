#include "proxy/policy/limit_tables.hpp"

#include <utility>

#include "config/quotas.hpp"

namespace sekisho::policy {

using ratelimit::InFlight;
using ratelimit::Limiter;

std::optional<LimitTables::Evictions> LimitTables::evictions() const {
  std::optional<Evictions> sum;
  for (const auto& table : {limiter, strikes, paths}) {
    if (!table) continue;
    const ratelimit::LimiterStats stats = table->stats();
    if (!sum) sum.emplace();
    sum->buckets += stats.evictions;
    sum->tokens += stats.evicted_tokens;
  }
  return sum;
}

TableNeeds::TableNeeds(const config::Limit& limit, const config::Config& config, const config::Fleet& fleet)
    : capacity(limit.capacity ? limit.capacity->value : config.table_capacity.value) {
  if (limit.rate && !limit.block) rate = config::quota_on_one_task(limit, fleet);
  if (limit.ban && limit.ban->after > 1) strikes = config::quota_of_strikes(*limit.ban);
  if (rate && limit.on_status.distinct_path) path = config::quota_of_a_path(limit, fleet);
  // An exchange has a connection of its own.
  if (limit.in_flight > 0) exchanges = config.client.max_connections;
}

std::uint64_t TableChange::bytes_for_clients() const {
  std::uint64_t bytes = 0;
  for (const Part& part : parts) {
    const std::optional<ratelimit::Quota>& quota = needs_.*part.needed;
    if (!quota) continue;
    const std::shared_ptr<Limiter>& old = old_.*part.table;
    if (!old || old->needs_room(*quota, needs_.capacity)) bytes += Limiter::bytes_for(needs_.capacity);
  }
  return bytes;
}

std::uint64_t TableChange::bytes_for_exchanges() const {
  const bool same = old_.in_flight && old_.in_flight->capacity() == needs_.exchanges;
  return needs_.exchanges == 0 || same ? 0 : InFlight::bytes_for(needs_.exchanges);
}

void TableChange::take(ratelimit::Instant now) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::optional<ratelimit::Quota>& quota = needs_.*parts[i].needed;
    if (!quota) continue;
    std::shared_ptr<Limiter>& table = tables_.*parts[i].table;
    table = old_.*parts[i].table;
    if (!table) {
      table = std::make_shared<Limiter>(*quota, needs_.capacity, now);
    } else if (table->needs_room(*quota, needs_.capacity)) {
      rooms_[i] = Limiter::make_room(*quota, needs_.capacity);
    }
  }
  if (needs_.exchanges == 0) return;
  tables_.in_flight = old_.in_flight;
  if (!tables_.in_flight) {
    tables_.in_flight = std::make_shared<InFlight>(needs_.exchanges);
  } else if (tables_.in_flight->capacity() != needs_.exchanges) {
    exchanges_room_ = InFlight::make_room(needs_.exchanges);
  }
}

void TableChange::apply(ratelimit::Instant now) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (const auto& table = tables_.*parts[i].table)
      table->rescale(*(needs_.*parts[i].needed), needs_.capacity, now, std::move(rooms_[i]));
  }
  if (exchanges_room_) tables_.in_flight->resize(std::move(exchanges_room_));
}

}  // namespace sekisho::policy
