// What may be said of a class of clients, on the command line and in a file alike.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/plan.hpp"

namespace sekisho::load {

// Requests a second: a number, or COUNT/PERIOD as in 200/min. nullopt with `problem` set.
std::optional<double> parse_load_rate(std::string_view text, std::string& problem);

// What is written of a class beside its fields, where that makes a difference.
struct Written {
  bool method = false, fresh = false, keepalive = false, pipeline = false;
  bool ip = false, client_base = false;
  std::string ip_version = "v4";
  std::optional<config::IpAddress> base;
};

struct ClassProblem {
  std::string key;  // as a file has it; the command line's has dashes
  std::string message;
};

// Works what was written into the class, and says all that is wrong with it.
std::vector<ClassProblem> complete_class(ClientClass& clients, const Written& written);

// Defaults that hang together over the whole run.
void complete_plan(Plan& plan);

}  // namespace sekisho::load
