#include "config/quotas.hpp"

#include <algorithm>

namespace sekisho::config {

ratelimit::Quota quota_on_one_task(const Limit& limit, const Fleet& fleet) {
  const Rate& rate = limit.rate->value;
  const std::uint64_t burst = limit.burst ? limit.burst->value : rate.count;
  const std::uint64_t tasks = limit.per_task ? 1 : std::max<std::uint64_t>(fleet.tasks, 1);
  // count/tasks need not be whole; the same count in tasks times the period is.
  const auto factor = static_cast<Duration::rep>(std::min<std::uint64_t>(tasks, 1'000'000));
  const Duration period = rate.period <= Duration::max() / factor ? rate.period * factor : Duration::max();
  return {rate.count, period, std::max(burst / tasks, std::min<std::uint64_t>(burst, 5)), limit.delay};
}

ratelimit::Quota quota_of_strikes(const Ban& ban) {
  return {ban.after, ban.within, ban.after, {}};
}

ratelimit::Quota quota_of_a_path(const Limit& limit) {
  return {1, limit.rate->value.period, 1, {}};
}

}  // namespace sekisho::config
