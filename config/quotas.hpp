// The quotas that a limit's numbers come to.
#pragma once

#include "config/config.hpp"
#include "ratelimit/quota.hpp"

namespace sekisho::config {

// What `limit`, which must have a rate, enforces on one of `fleet.tasks` tasks: rate/tasks; burst/tasks but
// not below min(burst, 5). With per: task, and for one task, the numbers as written.
ratelimit::Quota quota_on_one_task(const Limit& limit, const Fleet& fleet);

// The bucket of strikes: `after` at once, draining at after/within.
ratelimit::Quota quota_of_strikes(const Ban& ban);

// Of `on_status` with distinct paths: a path is charged once each PERIOD of the limit, which must have a
// rate; on one of several tasks once in so many of them, or one path could cost more than a task's share
// gives back.
ratelimit::Quota quota_of_a_path(const Limit& limit, const Fleet& fleet);

}  // namespace sekisho::config
