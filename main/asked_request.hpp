// The request that `explain` is asked about, as a client would send it.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/ip_address.hpp"

namespace sekisho {

struct ExplainArguments {
  std::string url;  // http(s)://HOST/PATH or /PATH (then Host is the first of `hosts`)
  std::string method = "GET";
  std::string peer;                  // empty: the first address that the file trusts
  std::vector<std::string> headers;  // "N: V"
};

// What cannot be made a request of; its text says why.
struct BadArguments : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct AskedRequest {
  std::string head;  // for the parser that reads real ones: nothing in it was judged yet
  config::IpAddress peer;
};

// Throws BadArguments. A line end in an argument is one: what stands behind it would be a field of its own.
AskedRequest make_request(const config::Config& config, const ExplainArguments& arguments);

}  // namespace sekisho
