#include "proxy/task_count.hpp"

#include <algorithm>
#include <set>

namespace sekisho::proxy {
namespace {

constexpr std::uint64_t most_tasks = 10'000;

}  // namespace

std::uint64_t tasks_behind(const std::vector<StreamEndpoint>& addresses) {
  std::set<StreamEndpoint> v4, v6;
  for (const StreamEndpoint& address : addresses) {
    (address.protocol().family() == AF_INET6 ? v6 : v4).insert(address);
  }
  return std::min<std::uint64_t>(std::max(v4.size(), v6.size()), most_tasks);
}

TaskCount::News TaskCount::see(std::uint64_t tasks, ratelimit::Instant now) {
  if (tasks == 0) return failure_.due(now) ? News::no_answer : News::none;
  std::shift_right(last_.begin(), last_.end(), 1);
  last_.front() = tasks;
  const std::uint64_t most = *std::max_element(last_.begin(), last_.end());
  const bool news = !counted_ || most != number_;
  counted_ = true;
  number_ = most;
  return news ? News::counted : News::none;
}

}  // namespace sekisho::proxy
