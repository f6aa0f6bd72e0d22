// Reading, writing and waiting over TLS allocates nothing of ours once warm (OpenSSL's memory is malloc's).
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <string_view>

#include "proxy/tls_contexts.hpp"
#include "proxy/tls_stream.hpp"
#include "tests/support/allocation_counter.hpp"
#include "tests/support/tls_files.hpp"

namespace sekisho::proxy {
namespace {

TEST(TlsAllocation, AWarmStreamAllocatesNothing) {
  test::TlsFiles files;
  const auto pair = files.make("server", "server", "IP:127.0.0.1");
  config::Diagnostics found;
  const auto contexts = TlsServerContexts::make({{{pair.certificate, {}}, {pair.key, {}}}}, found);
  config::UpstreamTls tls;
  tls.enabled = true;
  tls.ca.value = files.ca();
  const config::Endpoint named{config::Endpoint::Kind::ip, "127.0.0.1", 1, "127.0.0.1:1", {}};
  const auto trusting = TlsClientContext::make(tls, {named}, found).at(0);
  ASSERT_FALSE(found.has_errors());

  asio::io_context io;
  EventLoop loop;
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  const auto client = TlsStream::create(loop, trusting);
  client->start_connect(StreamEndpoint(acceptor.local_endpoint()));
  asio::ip::tcp::socket socket(io);
  acceptor.accept(socket);
  const Stream::Ptr plain = SocketStream::adopt(loop, AF_INET, socket.release());
  const auto server = TlsStream::take_over(static_cast<SocketStream&>(*plain), contexts);
  server->start_handshake();
  while (!client->connect_result() || !server->connect_result()) loop.poll();
  ASSERT_FALSE(*client->connect_result());

  std::array<char, 64> space;
  const auto read = [&](Stream& stream, std::size_t most) {
    for (;;) {
      const auto outcome = stream.try_read(std::span(space).first(most));
      if (!outcome.nothing()) return outcome.bytes;
      stream.start_wait_readable();
      while (stream.read_wait_pending()) loop.poll();
    }
  };
  const auto turn = [&] {
    const std::array<asio::const_buffer, 2> parts = {asio::buffer("head", 4), asio::buffer("body", 4)};
    client->try_write(parts);
    EXPECT_EQ(read(*server, 4), 4U);
    server->start_wait_readable();  // the rest is with OpenSSL
    while (server->read_wait_pending()) loop.poll();
    EXPECT_EQ(read(*server, space.size()), 4U);
    EXPECT_TRUE(server->quiet());
    client->start_wait_writable();
    while (client->write_wait_pending()) loop.poll();
  };
  for (int i = 0; i < 100; ++i) turn();
  const std::uint64_t before = test::allocations;
  for (int i = 0; i < 1000; ++i) turn();
  EXPECT_EQ(test::allocations - before, 0U);
}

}  // namespace
}  // namespace sekisho::proxy
