#include "proxy/endpoint_address.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <stdexcept>

namespace sekisho::proxy {

namespace asio = boost::asio;

asio::generic::stream_protocol::endpoint socket_endpoint(const config::Endpoint& endpoint) {
  boost::system::error_code error;
  if (endpoint.kind == config::Endpoint::Kind::unix_path) {
    try {
      return asio::local::stream_protocol::endpoint(endpoint.host);
    } catch (const boost::system::system_error& problem) {
      throw std::runtime_error(endpoint.text + ": " + problem.code().message());
    }
  }
  const auto address = asio::ip::make_address(endpoint.host, error);
  if (error) throw std::runtime_error(endpoint.text + ": " + error.message());
  return asio::ip::tcp::endpoint(address, endpoint.port);
}

}  // namespace sekisho::proxy
