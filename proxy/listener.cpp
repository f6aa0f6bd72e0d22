#include "proxy/listener.hpp"

#include <fmt/format.h>

namespace sekisho::proxy {

std::string bound_address(const ListenerState& listener) {
  const config::Endpoint& address = listener.address;
  if (address.kind == config::Endpoint::Kind::unix_path) return "unix:" + address.host;
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.host, listener.port)
            : fmt::format("{}:{}", address.host, listener.port);
}

std::vector<ListenerState> wanted_listeners(const config::Config& config) {
  std::vector<ListenerState> wanted;
  for (const config::Listener& listener : config.listen) {
    ListenerState state;
    state.address = listener.address;
    state.port = listener.address.port;
    state.proxy_protocol = listener.proxy_protocol;
    wanted.push_back(std::move(state));
  }
  return wanted;
}

}  // namespace sekisho::proxy
