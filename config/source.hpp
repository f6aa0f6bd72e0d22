// The bytes of a configuration source or of a file that it names, bounded and checked to be text.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace sekisho::config {

// A path, "env:NAME" or "-". nullopt with `problem` set where it cannot be read or holds more than `most`
// bytes.
std::optional<std::string> read_source(const std::string& source, std::size_t most, std::string& problem);

// A file's bytes. As above.
std::optional<std::string> read_file(const std::filesystem::path& path, std::size_t most,
                                     std::string& problem);

// The same for a file that a configuration names: a directory, or a pipe that nobody writes to, is not waited
// for.
std::optional<std::string> read_regular_file(const std::filesystem::path& path, std::size_t most,
                                             std::string& problem);

// Where `text` stops being UTF-8 without NUL; npos where it is that throughout.
std::size_t find_invalid_text(std::string_view text);

}  // namespace sekisho::config
