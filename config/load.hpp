// From the text of a configuration file to a Config, with every problem of the file found in one run.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/diagnostics.hpp"

namespace sekisho::config {

struct Loaded {
  std::shared_ptr<const Config> config;  // null where there is an error
  Diagnostics diagnostics;
  std::string source_name;  // as diagnostics name it: a path, "env:NAME" or "-"
  // What could be understood, errors or not (null only where the text is not YAML). Never to be run: it is
  // for those who look for further problems in it, so that one run tells them all.
  std::shared_ptr<const Config> draft;
};

// `source`: a path, "env:NAME" (the YAML itself in that variable) or "-" (standard input). A source that
// cannot be read is a problem like any other. Never throws for anything that a file can hold. `file:` entries
// are taken relative to the file's directory (for env: and -, to the working directory).
Loaded load(const std::string& source);

// The same for text in hand.
Loaded load_text(std::string_view yaml, std::string name, const std::filesystem::path& directory);

// $SEKISHO_CONFIG if set and not empty, else /etc/sekisho/sekisho.yaml.
std::string default_source();

}  // namespace sekisho::config
