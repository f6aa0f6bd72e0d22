// status, top, reload, healthcheck and bans: commands that ask the running proxy. Each returns the exit
// status: 0, or 1 with the reason on standard error.
#pragma once

#include <string>

namespace sekisho {

int status_command(const std::string& source);
// The first `n` clients and paths of each ranking, as a table or as JSON.
int top_command(const std::string& source, unsigned n, bool json);
// 1 with the problems where the file is refused.
int reload_command(const std::string& source);
// `ready`: whether requests can be served; else whether every worker turns its loop.
int healthcheck_command(const std::string& source, bool ready);
int bans_command(const std::string& source);
int lift_command(const std::string& source, const std::string& address);

}  // namespace sekisho
