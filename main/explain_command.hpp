// `sekisho explain`: what would happen to one request, step by step.
#pragma once

#include <string>

#include "main/asked_request.hpp"

namespace sekisho {

// Prints each step on standard output, with client bytes escaped. Buckets are taken as full: no running proxy
// is asked. Returns the exit status: 0; 1 where the file has problems (printed as `check` does); 2 for
// arguments that make no request.
int explain_command(const std::string& source, const ExplainArguments& arguments);

}  // namespace sekisho
