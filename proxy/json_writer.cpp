#include "proxy/json_writer.hpp"

#include <fmt/format.h>

#include <cmath>

namespace sekisho::proxy {

JsonWriter& JsonWriter::value(double number) {
  return std::isfinite(number) ? raw(fmt::format("{:.3f}", number)) : null();
}

}  // namespace sekisho::proxy
