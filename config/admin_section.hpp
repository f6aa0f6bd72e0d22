// Where the running proxy can be asked, from a file that may have become anything since it was read.
#pragma once

#include <string>

#include "config/config.hpp"
#include "config/diagnostics.hpp"

namespace sekisho::config {

struct AdminSection {
  Admin admin;              // the default where the file names none
  Diagnostics diagnostics;  // of this section alone; with an error in it `admin` means nothing
  std::string note;         // why the file cannot be read as YAML, with its place; empty where it can
};

// Reads `admin` and nothing else of a source as load() takes it: the health check of a proxy that runs well
// must not fail because its file was broken since. A text that is no YAML may still have the section in lines
// of its own.
AdminSection read_admin_section(const std::string& source);

}  // namespace sekisho::config
