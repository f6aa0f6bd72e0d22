// Time as the limiter takes it: an argument, never read here.
#pragma once

#include <chrono>

namespace sekisho::ratelimit {

// A reading of CLOCK_MONOTONIC, taken by the caller once per wake-up of its event loop and handed down.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

}  // namespace sekisho::ratelimit
