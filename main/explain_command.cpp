#include "main/explain_command.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "config/load.hpp"
#include "main/check_command.hpp"
#include "proxy/field_id.hpp"
#include "proxy/policy/ascii.hpp"
#include "proxy/policy/client_address.hpp"
#include "proxy/policy/cloudfront_ranges.hpp"
#include "proxy/policy/engine.hpp"
#include "proxy/policy/request_target.hpp"
#include "proxy/policy/trace.hpp"

namespace sekisho {
namespace {

// What cannot be made a request of; its text says why.
struct BadArguments : std::runtime_error {
  using std::runtime_error::runtime_error;
};

config::IpAddress address_of(std::string_view network) {
  return config::Network::parse(network)->address();
}

// An address of the first trusted proxies that the file names; 127.0.0.1 where it trusts none.
config::IpAddress a_trusted_peer(const config::ClientIp& config) {
  for (const config::Text& entry : config.trusted_proxies) {
    if (entry.value == "loopback") return address_of("127.0.0.1");
    if (entry.value == "private") return address_of("10.0.0.1");
    if (entry.value == "link_local") return address_of("169.254.0.1");
    if (entry.value == "cloudfront") return address_of(policy::cloudfront_prefixes().front());
    if (const auto network = config::Network::parse(entry.value)) return network->address();
  }
  return address_of("127.0.0.1");
}

// A name that the file admits.
std::string a_host(const config::Hosts& hosts) {
  if (hosts.allow.empty()) return "localhost";
  std::string name = hosts.allow.front().value;
  if (name.starts_with("*.")) name.replace(0, 1, "www");
  return name;
}

// A request and what its views look at.
class AskedRequest {
 public:
  AskedRequest(const config::Config& config, const ExplainArguments& arguments) : method_(arguments.method) {
    std::string host;
    const policy::RequestTarget target = policy::read_target(arguments.url);
    if (target.absolute) {
      host = target.authority;
      target_ = target.origin.starts_with('/') ? "" : "/";
      target_ += target.origin;
    } else if (arguments.url.starts_with('/') || arguments.url == "*") {
      host = a_host(config.hosts);
      target_ = arguments.url;
    } else {
      throw BadArguments(
          fmt::format("'{}' is neither http://HOST/PATH nor /PATH", policy::escaped(arguments.url)));
    }
    target_.resize(std::min(target_.size(), target_.find('#')));
    texts_.reserve(arguments.headers.size() + 1);
    for (const std::string& header : arguments.headers) add(header);
    if (!has_host_) texts_.emplace(texts_.begin(), "Host", host);
    for (const auto& [name, value] : texts_) fields_.push_back({name, value, proxy::field_id(name)});
    set_peer(config, arguments.peer);
  }

  policy::Request request() const { return {method_, target_, 11, fields_, peer_}; }

 private:
  void add(std::string_view header) {
    const std::size_t colon = header.find(':');
    if (colon == 0 || colon == std::string_view::npos) {
      throw BadArguments(fmt::format("--header '{}' is not 'NAME: VALUE'", policy::escaped(header)));
    }
    const std::string_view name = header.substr(0, colon);
    has_host_ = has_host_ || policy::equal_ignoring_case(name, "host");
    texts_.emplace_back(name, policy::trimmed(header.substr(colon + 1)));
  }

  void set_peer(const config::Config& config, const std::string& text) {
    if (text.empty()) {
      peer_ = a_trusted_peer(config.client_ip);
      return;
    }
    const auto address = config::IpAddress::parse(text);
    if (!address) throw BadArguments(fmt::format("--peer '{}' is no address", policy::escaped(text)));
    peer_ = *address;
  }

  std::string method_, target_;
  std::vector<std::pair<std::string, std::string>> texts_;
  std::vector<policy::Field> fields_;
  config::IpAddress peer_;
  bool has_host_ = false;
};

}  // namespace

int explain_command(const std::string& source, const ExplainArguments& arguments) {
  config::Loaded loaded = config::load(source);
  add_policy_problems(loaded);
  if (!loaded.config) {
    for (const config::Diagnostic& problem : loaded.diagnostics.sorted()) {
      if (problem.severity == config::Severity::error)
        fmt::print(stdout, "{}\n", loaded.diagnostics.format(problem));
    }
    return 1;
  }
  try {
    const AskedRequest asked(*loaded.config, arguments);
    const ratelimit::Instant now = std::chrono::steady_clock::now();
    const policy::LimitSet states = policy::LimitStates::for_checking(*loaded.config, now);
    config::Diagnostics problems;
    const auto engine = policy::Engine::compile(loaded.config, states, 0, problems);
    policy::Admission admission;
    policy::Trace trace;
    engine->admit(asked.request(), now, std::chrono::system_clock::now(), admission, &trace);
    fmt::print(stdout, "{}", trace.text());
    return 0;
  } catch (const BadArguments& problem) {
    fmt::print(stderr, "sekisho explain: {}\n", problem.what());
    return 2;
  }
}

}  // namespace sekisho
