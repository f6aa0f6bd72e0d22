#include "bench/floor/wire.hpp"

#include <strings.h>

#include <charconv>
#include <cstring>

namespace sekisho::bench::floor {
namespace {

const char* find(std::string_view text, std::string_view what) {
  return static_cast<const char*>(memmem(text.data(), text.size(), what.data(), what.size()));
}

std::uint64_t number_at(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

Head read_head(std::string_view bytes) {
  const char* end = find(bytes, "\r\n\r\n");
  if (end == nullptr) return {};
  Head head;
  head.size = static_cast<std::size_t>(end - bytes.data()) + 4;
  const std::string_view text = bytes.substr(0, head.size);
  // Both names are looked for by the part that no usual letter case changes.
  constexpr std::string_view kLength = "ength: ";
  if (const char* at = find(text, kLength); at != nullptr) {
    constexpr std::string_view kBefore = "\ncontent-l";
    if (static_cast<std::size_t>(at - text.data()) >= kBefore.size() &&
        strncasecmp(at - kBefore.size(), kBefore.data(), kBefore.size()) == 0) {
      head.content_length =
          number_at(text.substr(static_cast<std::size_t>(at - text.data()) + kLength.size()));
    }
  }
  if (const char* at = find(text, "onnection: close"); at != nullptr) {
    head.close = true;
    head.close_at = static_cast<std::size_t>(at - text.data()) + 11;
  }
  return head;
}

std::uint64_t bytes_asked_for(std::string_view head) {
  const std::string_view line = head.substr(0, head.find('\r'));
  const auto at = line.find("?n=");
  return at == std::string_view::npos ? 0 : number_at(line.substr(at + 3));
}

}  // namespace sekisho::bench::floor
