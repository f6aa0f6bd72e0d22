#include "config/quotas.hpp"

#include <algorithm>

namespace sekisho::config {
namespace {

std::uint64_t sharing(const Limit& limit, const Fleet& fleet) {
  return limit.per_task ? 1 : std::max<std::uint64_t>(fleet.tasks, 1);
}

// count/tasks need not be whole; the same count in tasks times the period is.
Duration period_on_one_task(const Limit& limit, const Fleet& fleet) {
  const Duration period = limit.rate->value.period;
  const auto factor = static_cast<Duration::rep>(std::min<std::uint64_t>(sharing(limit, fleet), 1'000'000));
  return period <= Duration::max() / factor ? period * factor : Duration::max();
}

}  // namespace

ratelimit::Quota quota_on_one_task(const Limit& limit, const Fleet& fleet) {
  const Rate& rate = limit.rate->value;
  const std::uint64_t burst = limit.burst ? limit.burst->value : rate.count;
  return {rate.count, period_on_one_task(limit, fleet),
          std::max(burst / sharing(limit, fleet), std::min<std::uint64_t>(burst, 5)), limit.delay};
}

ratelimit::Quota quota_of_strikes(const Ban& ban) {
  return {ban.after, ban.within, ban.after, {}};
}

ratelimit::Quota quota_of_a_path(const Limit& limit, const Fleet& fleet) {
  return {1, period_on_one_task(limit, fleet), 1, {}};
}

}  // namespace sekisho::config
