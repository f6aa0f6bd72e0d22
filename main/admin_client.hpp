// How commands ask the running proxy: one call over its admin port.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace sekisho {

struct AdminAnswer {
  unsigned status = 0;
  std::string body;
};

// The `admin` section of `source`, the file's other problems aside: the running proxy may well have an older
// one. Throws std::runtime_error where the section cannot be read or says off.
config::Admin read_admin_section(const std::string& source);

// Sends one call with what calls that change something need. Throws std::runtime_error naming the address
// where there is no answer within `patience`.
AdminAnswer ask_admin(const config::Admin& admin, std::string_view method, std::string_view target,
                      std::chrono::seconds patience);

}  // namespace sekisho
