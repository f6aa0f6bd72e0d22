// How much may be asked for: far beyond what one machine does, and within what fits into it.
#pragma once

#include <cstdint>

#include "config/config.hpp"

namespace sekisho::load {

inline constexpr std::uint64_t most_connections = 1'000'000;
inline constexpr std::uint64_t most_threads = 256;
inline constexpr std::uint64_t most_pipeline = 4096;
inline constexpr std::uint64_t most_body = 1 * config::GiB;

}  // namespace sekisho::load
