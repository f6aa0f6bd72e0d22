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

// Where `source` says that the proxy is asked, its other problems aside: the running proxy may well have an
// older one. A file that is no YAML at all is told on standard error. Throws std::runtime_error where the
// section itself is wrong or says off.
config::Admin admin_of(const std::string& source);

// Sends one call with what calls that change something need. Throws std::runtime_error naming the address
// where there is no answer within `patience`.
AdminAnswer ask_admin(const config::Admin& admin, std::string_view method, std::string_view target,
                      std::chrono::seconds patience);

}  // namespace sekisho
