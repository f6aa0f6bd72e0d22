// The grammar of single values: numbers, durations, sizes, rates, booleans.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace sekisho::config {

// Each returns nullopt with `problem` set to what is wrong and what would be right, to stand after "KEY: ".

// Decimal digits. A leading zero is refused, not guessed at: YAML 1.1 reads 010 as 8.
std::optional<std::uint64_t> parse_count(std::string_view text, std::string& problem);
// A number, with a fraction if need be, and ms, s, m or min, h, d.
std::optional<Duration> parse_duration(std::string_view text, std::string& problem);
// Bytes, or a number with KiB, MiB, GiB.
std::optional<std::uint64_t> parse_size(std::string_view text, std::string& problem);
// COUNT/PERIOD: 5/s, 200/5min, 1000/h.
std::optional<Rate> parse_rate(std::string_view text, std::string& problem);
// true or false, nothing else.
std::optional<bool> parse_flag(std::string_view text, std::string& problem);
// A share from 0 to 1.
std::optional<double> parse_share(std::string_view text, std::string& problem);

// The statuses that "404", or "4xx" for a hundred of them, stands for.
struct Statuses {
  unsigned first = 0, last = 0;  // from 100 to 599
};
std::optional<Statuses> parse_statuses(std::string_view text, std::string& problem);

// The text that parse_duration reads back, in the largest unit that fits: 90s, 1500ms, 10min.
std::string duration_text(Duration duration);
// The same for sizes: 80KiB.
std::string size_text(std::uint64_t bytes);

}  // namespace sekisho::config
