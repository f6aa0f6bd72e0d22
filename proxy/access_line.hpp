// One line of the access log: an AccessRecord as JSON (docs/configuration.md, "Logs").
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "proxy/access_log.hpp"

namespace sekisho::proxy {

// What the `log` section says about each line.
struct AccessLogOptions {
  explicit AccessLogOptions(const config::Log& log);

  bool enabled = true;  // false: `access: off`
  bool query = true;
  std::vector<std::string> headers;                                   // names of request fields, as written
  std::array<std::optional<double>, policy::outcome_count> sample{};  // the share logged; nullopt: all
};

// The date and time up to the second, kept from line to line.
class TimestampCache {
 public:
  static constexpr std::size_t size = 24;

  // RFC 3339 in UTC with milliseconds: "2026-05-01T12:34:56.789Z". Valid until the next call.
  std::string_view format(std::int64_t wall_ms);

 private:
  void begin_second(std::int64_t wall_ms);

  std::int64_t second_ms_ = -1000;  // of the second that `text_` shows; none at first
  std::array<char, size> text_{};
};

// Writes the line with its newline to the front of `out` and returns its length; 0 where it does not fit.
// Every field is always there, null where it has nothing to say; `sample` (the share) and `headers` only
// where configured. Allocates nothing.
std::size_t format_access_line(std::span<char> out, const AccessRecord& record,
                               const AccessLogOptions& options, std::optional<double> sample,
                               TimestampCache& timestamps);

}  // namespace sekisho::proxy
