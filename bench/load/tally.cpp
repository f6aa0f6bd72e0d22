#include "bench/load/tally.hpp"

#include <algorithm>

namespace sekisho::load {

void Tally::add(const Tally& other) {
  latency.add(other.latency);
  requests += other.requests;
  for (std::size_t i = 0; i < statuses.size(); ++i) statuses[i] += other.statuses[i];
  for (std::size_t i = 0; i < errors.size(); ++i) errors[i] += other.errors[i];
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  connections += other.connections;
  unsent += other.unsent;
  all_busy += other.all_busy;
  unfinished += other.unfinished;
  behind.add(other.behind);
  cpu += other.cpu;
  if (other.waited) waited = waited.value_or(0) + *other.waited;
  wall = std::max(wall, other.wall);
  answered_meanwhile += other.answered_meanwhile;
  if (other.connect_error != 0) connect_error = other.connect_error;
}

}  // namespace sekisho::load
