#include "proxy/diagnostic_log.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "proxy/json_writer.hpp"
#include "proxy/log_output.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::size_t max_posted = 256;

// spdlog's own stderr sinks wait for the reader of a pipe, which would stop signals and the admin port with
// it.
class StderrSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  bool terminal() const { return output_.terminal(); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    write({line.data(), line.size()});
  }
  void flush_() override {}

 private:
  void write(std::string_view line) {
    // The rest of a line that was cut short goes first, so that lines stay whole.
    if (!rest_.empty() && !write_out(rest_)) {
      ++dropped_;
      return;
    }
    rest_.clear();
    if (dropped_ > 0) {
      const std::string notice =
          terminal() ? fmt::format("{} diagnostic lines dropped\n", dropped_)
                     : fmt::format("{{\"event\":\"diagnostics_dropped\",\"lines\":{}}}\n", dropped_);
      std::string_view text = notice;
      if (!write_out(text)) rest_ = text;
      dropped_ = 0;
    }
    if (!rest_.empty() || !write_out(line)) {
      if (rest_.empty() && within_line_) {
        rest_ = line;
      } else {
        ++dropped_;
      }
    }
  }

  // Writes what it can and takes it off the front; true when nothing is left.
  template <class Text>
  bool write_out(Text& text) {
    within_line_ = false;
    while (!text.empty()) {
      std::size_t size = 0;
      const LogOutput::Result result = output_.write(text, size);
      if (result == LogOutput::Result::failed) {
        ++dropped_;
        text = Text();
        return true;
      }
      if (size == 0) return false;
      within_line_ = true;
      text = Text(std::string_view(text).substr(size));
    }
    return true;
  }

  LogOutput output_{"stderr"};
  std::string rest_;
  std::uint64_t dropped_ = 0;
  bool within_line_ = false;
};

std::string_view name_of(LogLevel level) {
  constexpr std::string_view names[] = {"debug", "info", "warning", "error"};
  return names[static_cast<std::size_t>(level)];
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  constexpr spdlog::level::level_enum levels[] = {spdlog::level::debug, spdlog::level::info,
                                                  spdlog::level::warn, spdlog::level::err};
  return levels[static_cast<std::size_t>(level)];
}

struct Posted {
  LogLevel level;
  std::string event, message;
  std::string members;  // of the line, already formatted
};

// The process has one stderr, hence one log.
class DiagnosticLog {
 public:
  DiagnosticLog()
      : sink_(std::make_shared<StderrSink>()), json_(!sink_->terminal()), logger_("sekisho", sink_) {
    // A JSON line says its own level and message; spdlog adds the time and judges the level.
    logger_.set_formatter(std::make_unique<spdlog::pattern_formatter>(
        json_ ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})" : "%Y-%m-%d %H:%M:%S.%eZ %-7l %v",
        spdlog::pattern_time_type::utc));
  }

  void set_level(std::string_view name) {
    const auto level = spdlog::level::from_str(std::string(name));
    // from_str answers "off" to what it does not know; config has refused that before.
    logger_.set_level(level == spdlog::level::off ? spdlog::level::info : level);
  }

  void write(LogLevel level, std::string_view event, std::string_view message, const std::string& members) {
    const auto at = to_spdlog(level);
    if (!logger_.should_log(at)) return;
    std::string line;
    if (json_) {
      line += "\"level\":";
      append_json_string(line, name_of(level));
      line += ",\"event\":";
      append_json_string(line, event);
      line += ",\"message\":";
      append_json_string(line, message);
      line += members;
    } else {
      append_json_escaped(line, event);
      line += ": ";
      append_json_escaped(line, message);
      if (!members.empty()) line += "  {" + members.substr(1) + "}";
    }
    logger_.log(at, spdlog::string_view_t(line));
  }

  bool post(Posted posted) {
    std::lock_guard lock(mutex_);
    if (posted_.size() >= max_posted) {
      ++refused_;
      return false;
    }
    posted_.push_back(std::move(posted));
    return true;
  }

  void write_posted() {
    std::vector<Posted> posted;
    std::uint64_t refused = 0;
    {
      std::lock_guard lock(mutex_);
      posted.swap(posted_);
      std::swap(refused, refused_);
    }
    for (const Posted& item : posted) write(item.level, item.event, item.message, item.members);
    if (refused > 0) {
      write(LogLevel::warning, "events_dropped",
            fmt::format("{} events came faster than they could be logged", refused), {});
    }
  }

 private:
  std::shared_ptr<StderrSink> sink_;
  bool json_;
  spdlog::logger logger_;
  std::mutex mutex_;
  std::vector<Posted> posted_;
  std::uint64_t refused_ = 0;
};

DiagnosticLog& diagnostics() {
  static DiagnosticLog log;
  return log;
}

std::string format_members(std::initializer_list<EventField> fields) {
  std::string members;
  for (const EventField& field : fields) {
    JsonWriter json;
    std::visit([&](const auto& value) { json.member(field.name, value); }, field.value);
    members += ',';
    members += json.text();
  }
  return members;
}

}  // namespace

void log_event(LogLevel level, std::string_view event, std::string_view message,
               std::initializer_list<EventField> fields) {
  diagnostics().write(level, event, message, format_members(fields));
}

bool post_event(LogLevel level, std::string_view event, std::string_view message,
                std::initializer_list<EventField> fields) {
  return diagnostics().post({level, std::string(event), std::string(message), format_members(fields)});
}

void write_posted_events() {
  diagnostics().write_posted();
}

void set_log_level(std::string_view name) {
  diagnostics().set_level(name);
}

}  // namespace sekisho::proxy
