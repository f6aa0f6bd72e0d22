#include "main/asked_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "proxy/policy/ascii.hpp"
#include "proxy/policy/aws_ip_ranges.hpp"
#include "proxy/policy/cloudfront_ranges.hpp"
#include "proxy/policy/request_target.hpp"
#include "proxy/policy/trace.hpp"

namespace sekisho {
namespace {

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
  for (const config::AwsIpRanges& file : config.aws_ip_ranges) {
    std::string problem;
    const auto networks = policy::read_aws_ip_ranges(file.path.value, file.service, problem);
    if (networks && !networks->empty()) return networks->front().address();
  }
  return address_of("127.0.0.1");
}

config::IpAddress peer_of(const config::Config& config, const std::string& text) {
  if (text.empty()) return a_trusted_peer(config.client_ip);
  const auto address = config::IpAddress::parse(text);
  if (!address) throw BadArguments(fmt::format("--peer '{}' is no address", policy::escaped(text)));
  return *address;
}

// A name that the file admits.
std::string a_host(const config::Hosts& hosts) {
  if (hosts.allow.empty()) return "localhost";
  std::string name = hosts.allow.front().value;
  if (name.starts_with("*.")) name.replace(0, 1, "www");
  return name;
}

struct TargetAndHost {
  std::string target, host;
};

// As a browser makes them of a URL: the target in origin-form, without a fragment.
TargetAndHost from_url(const config::Config& config, const ExplainArguments& arguments) {
  const std::string& url = arguments.url;
  TargetAndHost made{url, a_host(config.hosts)};
  const policy::RequestTarget target = policy::read_target(url);
  if (target.absolute && target.http) {
    made.host = target.authority;
    made.target = target.origin.starts_with('/') ? "" : "/";
    made.target += target.origin;
  } else if (!target.absolute && !url.starts_with('/') && url != "*" && arguments.method != "CONNECT") {
    throw BadArguments(fmt::format("'{}' is neither http://HOST/PATH nor /PATH", policy::escaped(url)));
  }
  made.target.resize(std::min(made.target.size(), made.target.find('#')));
  return made;
}

void refuse_line_end(std::string_view what, std::string_view text) {
  if (text.find('\n') == std::string_view::npos) return;
  throw BadArguments(fmt::format("{} '{}' holds a line end", what, policy::escaped(text)));
}

// Whether it is a Host.
bool check_header(std::string_view header) {
  refuse_line_end("--header", header);
  const std::size_t colon = header.find(':');
  if (colon == 0 || colon == std::string_view::npos)
    throw BadArguments(fmt::format("--header '{}' is not 'NAME: VALUE'", policy::escaped(header)));
  return policy::equal_ignoring_case(header.substr(0, colon), "host");
}

}  // namespace

AskedRequest make_request(const config::Config& config, const ExplainArguments& arguments) {
  refuse_line_end("--method", arguments.method);
  refuse_line_end("the URL", arguments.url);
  const TargetAndHost made = from_url(config, arguments);
  bool has_host = false;
  std::string fields;
  for (const std::string& header : arguments.headers) {
    has_host = check_header(header) || has_host;
    fields += header + "\r\n";
  }
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", arguments.method, made.target);
  if (!has_host) head += fmt::format("Host: {}\r\n", made.host);
  return {head + fields + "\r\n", peer_of(config, arguments.peer)};
}

}  // namespace sekisho
