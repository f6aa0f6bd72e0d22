// Diagnostics on stderr: what happened to the process, as one line an event; JSON unless stderr is a
// terminal.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace sekisho::proxy {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

// One more member of an event's line. Names are ours; text may come from anybody.
struct EventField {
  std::string_view name;
  std::variant<std::string_view, std::uint64_t, double, bool> value;
};

// Says `message` as `event` (start, reload, ban, unban, upstream_down, upstream_up, drain, …). For the
// control thread; waits for no reader: a line that stderr does not take at once is dropped, and the next line
// that gets through says how many were.
void log_event(LogLevel level, std::string_view event, std::string_view message,
               std::initializer_list<EventField> fields = {});

// The same from any other thread, for rare events: queued (bounded; false and counted when full) and said by
// the control thread's next write_posted_events(). Takes a short lock and may allocate: never on the way of
// an ordinary request.
bool post_event(LogLevel level, std::string_view event, std::string_view message,
                std::initializer_list<EventField> fields = {});
void write_posted_events();

// debug, info, warn (or warning), error; events below are not said. Info at first.
void set_log_level(std::string_view name);

}  // namespace sekisho::proxy
