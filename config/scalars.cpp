#include "config/scalars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace sekisho::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 6> duration_units{{{"ms", 1'000'000},
                                              {"s", 1'000'000'000},
                                              {"m", 60'000'000'000},
                                              {"min", 60'000'000'000},
                                              {"h", 3'600'000'000'000},
                                              {"d", 86'400'000'000'000}}};
constexpr std::array<Unit, 3> size_units{{{"KiB", KiB}, {"MiB", MiB}, {"GiB", GiB}}};

// Longer values are cut in messages: a file may hold megabytes of one scalar.
std::string shown(std::string_view text) {
  return text.size() <= 60 ? fmt::format("\"{}\"", text) : fmt::format("\"{}…\"", text.substr(0, 60));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

template <std::size_t n>
const Unit* find_unit(const std::array<Unit, n>& units, std::string_view name) {
  const auto found =
      std::find_if(units.begin(), units.end(), [&](const Unit& unit) { return unit.name == name; });
  return found == units.end() ? nullptr : &*found;
}

// All digits of `digits` as a number; nullopt where it is not that or does not fit.
std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

bool leading_zero(std::string_view digits) {
  return digits.size() > 1 && digits.front() == '0' && is_digit(digits[1]);
}

}  // namespace

std::optional<std::uint64_t> parse_count(std::string_view text, std::string& problem) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) {
    problem = fmt::format("{} is not a whole number", shown(text));
  } else if (leading_zero(text)) {
    problem =
        fmt::format("{} has a leading zero, which YAML may read as octal; write it without", shown(text));
  } else if (const auto value = number(text)) {
    return value;
  } else {
    problem = fmt::format("{} is too large", shown(text));
  }
  return std::nullopt;
}

std::optional<Duration> parse_duration(std::string_view text, std::string& problem) {
  constexpr std::string_view help = "write a number with ms, s, m or min, h, d, such as 30s";
  const std::size_t split = static_cast<std::size_t>(
      std::find_if(text.begin(), text.end(), [](char c) { return !is_digit(c) && c != '.'; }) - text.begin());
  const std::string_view digits = text.substr(0, split);
  const Unit* unit = find_unit(duration_units, text.substr(split));
  const std::size_t point = digits.find('.');
  const std::string_view whole = digits.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? "" : digits.substr(point + 1);
  if (unit == nullptr && !digits.empty() && split == text.size()) {
    problem = fmt::format("{} has no unit; {}", shown(text), help);
    return std::nullopt;
  }
  const bool shaped = !whole.empty() && (point == std::string_view::npos || !fraction.empty()) &&
                      fraction.find('.') == std::string_view::npos && fraction.size() <= 9 &&
                      !leading_zero(whole);
  if (unit == nullptr || !shaped) {
    problem = fmt::format("{} is not a duration; {}", shown(text), help);
    return std::nullopt;
  }
  const auto count = number(whole);
  const std::uint64_t most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 2;
  if (!count || *count > most / unit->factor) {
    problem = fmt::format("{} is too long", shown(text));
    return std::nullopt;
  }
  std::uint64_t nanoseconds = *count * unit->factor;
  std::uint64_t place = unit->factor;
  for (const char c : fraction) {
    place /= 10;
    nanoseconds += place * static_cast<std::uint64_t>(c - '0');
  }
  return Duration(static_cast<std::int64_t>(nanoseconds));
}

std::optional<std::uint64_t> parse_size(std::string_view text, std::string& problem) {
  const std::size_t split =
      static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  const std::string_view digits = text.substr(0, split);
  const std::string_view name = text.substr(split);
  const Unit* unit = find_unit(size_units, name);
  const std::uint64_t factor = unit == nullptr ? 1 : unit->factor;
  if (digits.empty() || (unit == nullptr && !name.empty()) || leading_zero(digits)) {
    problem = fmt::format("{} is not a size; write bytes or a number with KiB, MiB, GiB, such as 64KiB",
                          shown(text));
    return std::nullopt;
  }
  const auto count = number(digits);
  if (!count || *count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor) {
    problem = fmt::format("{} is too large", shown(text));
    return std::nullopt;
  }
  return *count * factor;
}

std::optional<Rate> parse_rate(std::string_view text, std::string& problem) {
  const std::size_t slash = text.find('/');
  const std::string_view period = slash == std::string_view::npos ? "" : text.substr(slash + 1);
  std::string ignored;
  const auto count = parse_count(text.substr(0, slash), ignored);
  // The period's own number may be left out: 5/s.
  const std::string with_number =
      !period.empty() && is_digit(period.front()) ? std::string(period) : "1" + std::string(period);
  const auto length = parse_duration(with_number, ignored);
  if (!count || !length) {
    problem =
        fmt::format("{} is not a rate; write COUNT/PERIOD, such as 5/s, 200/5min or 1000/h", shown(text));
    return std::nullopt;
  }
  if (*count == 0 || *length <= Duration::zero()) {
    problem =
        fmt::format("{}: a rate must be above zero; to refuse every match, use block: true", shown(text));
    return std::nullopt;
  }
  return Rate{*count, *length};
}

std::optional<bool> parse_flag(std::string_view text, std::string& problem) {
  if (text == "true") return true;
  if (text == "false") return false;
  problem = fmt::format("{} is not true or false", shown(text));
  return std::nullopt;
}

std::optional<double> parse_share(std::string_view text, std::string& problem) {
  const bool shaped =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; });
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (shaped && error == std::errc() && end == text.data() + text.size() && value <= 1) return value;
  problem = fmt::format("{} is not a share; write a number from 0 to 1, such as 0.01", shown(text));
  return std::nullopt;
}

std::optional<Statuses> parse_statuses(std::string_view text, std::string& problem) {
  if (text.size() == 3 && text[0] >= '1' && text[0] <= '5') {
    const auto digit = [&](std::size_t at) { return static_cast<unsigned>(text[at] - '0'); };
    const unsigned hundred = digit(0) * 100;
    if (text.substr(1) == "xx") return Statuses{hundred, hundred + 99};
    if (is_digit(text[1]) && is_digit(text[2])) {
      const unsigned status = hundred + digit(1) * 10 + digit(2);
      return Statuses{status, status};
    }
  }
  problem = fmt::format("{} is not a status such as 404, or 4xx", shown(text));
  return std::nullopt;
}

std::string duration_text(Duration duration) {
  using namespace std::chrono_literals;
  const auto in = [&](Duration unit, std::string_view name) {
    return fmt::format("{}{}", duration / unit, name);
  };
  if (duration == 0s) return "0s";
  if (duration % 24h == 0s) return in(24h, "d");
  if (duration % 1h == 0s) return in(1h, "h");
  if (duration % 1min == 0s) return in(1min, "min");
  if (duration % 1s == 0s) return in(1s, "s");
  return fmt::format("{}ms", std::chrono::duration<double, std::milli>(duration).count());
}

std::string size_text(std::uint64_t bytes) {
  if (bytes >= GiB && bytes % GiB == 0) return fmt::format("{}GiB", bytes / GiB);
  if (bytes >= MiB && bytes % MiB == 0) return fmt::format("{}MiB", bytes / MiB);
  if (bytes >= KiB && bytes % KiB == 0) return fmt::format("{}KiB", bytes / KiB);
  return fmt::format("{}", bytes);
}

}  // namespace sekisho::config
