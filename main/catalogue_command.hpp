// `sekisho catalogue`: the probe catalogue as it is compiled in.
#pragma once

#include <string>

namespace sekisho {

// Prints one group's patterns, one a line (`group` is "wordpress" or "builtin:probes/wordpress"); where it is
// empty or "builtin:probes" all of them, each group under its name in brackets. Returns the exit status: 1
// where there is no such group.
int catalogue_command(const std::string& group);

}  // namespace sekisho
