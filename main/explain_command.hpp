// `sekisho explain`: what would happen to one request, step by step.
#pragma once

#include <string>
#include <vector>

namespace sekisho {

struct ExplainArguments {
  std::string url;  // http(s)://HOST/PATH or /PATH (then Host is the first of `hosts`)
  std::string method = "GET";
  std::string peer;                  // empty: the first address that the file trusts
  std::vector<std::string> headers;  // "N: V"
};

// Prints each step on standard output, with client bytes escaped. Buckets are taken as full: no running proxy
// is asked. Returns the exit status: 0; 1 where the file has problems (printed as `check` does); 2 for
// arguments that make no request.
int explain_command(const std::string& source, const ExplainArguments& arguments);

}  // namespace sekisho
