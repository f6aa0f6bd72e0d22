#include "proxy/tls_stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "proxy/tls_client_context.hpp"
#include "proxy/tls_server_contexts.hpp"
#include "tests/support/tls_files.hpp"

namespace sekisho::proxy {
namespace {

using testing::HasSubstr;

config::Endpoint endpoint_of(const std::string& host, std::uint16_t port) {
  return {config::Endpoint::Kind::ip, host, port, host + ":" + std::to_string(port), {}};
}

// Two ends of one connection on one event loop, both of them ours.
class TlsStreamTest : public testing::Test {
 protected:
  TlsStreamTest() {
    const auto made = files_.make("server", "server", "DNS:app.example,IP:127.0.0.1");
    config::Diagnostics found;
    contexts_ = TlsServerContexts::make({{{made.certificate, {}}, {made.key, {}}}}, found);
    EXPECT_FALSE(found.has_errors());
  }

  std::shared_ptr<const TlsClientContext> client_context(const std::string& ca, const std::string& name = {},
                                                         bool verify = true) {
    config::UpstreamTls tls;
    tls.enabled = true;
    tls.verify = verify;
    tls.ca.value = ca;
    tls.server_name.value = name;
    config::Diagnostics found;
    const auto made = TlsClientContext::make(tls, {endpoint_of("127.0.0.1", 1)}, found);
    EXPECT_FALSE(found.has_errors());
    return made.at(0);
  }

  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      if (loop_.poll() == 0) std::this_thread::yield();
    }
  }

  // Connects as far as TCP; the server's end is a plain stream.
  Stream::Ptr accept_from(Stream& client) {
    asio::ip::tcp::acceptor acceptor(io_, {asio::ip::address_v4::loopback(), 0});
    client.start_connect(StreamEndpoint(acceptor.local_endpoint()));
    asio::ip::tcp::socket socket(io_);
    acceptor.accept(socket);
    return SocketStream::adopt(loop_, AF_INET, socket.release());
  }

  // Both after their handshakes; what each came to is in the results.
  void connect(std::shared_ptr<const TlsClientContext> context) {
    client_ = TlsStream::create(loop_, std::move(context));
    const Stream::Ptr plain = accept_from(*client_);
    server_ = TlsStream::take_over(static_cast<SocketStream&>(*plain), contexts_);
    server_->start_handshake();
    run_until([&] { return client_->connect_result() && server_->connect_result(); });
  }
  void connect() {
    connect(client_context(files_.ca()));
    ASSERT_FALSE(*client_->connect_result()) << client_->connect_result()->message();
    ASSERT_FALSE(*server_->connect_result()) << server_->connect_result()->message();
  }

  // What comes next, whatever it is.
  Stream::ReadOutcome next(Stream& stream, std::span<char> space) {
    for (;;) {
      const Stream::ReadOutcome outcome = stream.try_read(space);
      if (!outcome.nothing() || testing::Test::HasFatalFailure()) return outcome;
      stream.start_wait_readable();
      run_until([&] { return !stream.read_wait_pending(); });
    }
  }
  Stream::ReadOutcome next(Stream& stream) {
    std::array<char, 16> space;
    return next(stream, space);
  }
  std::string read(Stream& stream, std::size_t most = 65536) {
    std::string space(most, '\0');
    const Stream::ReadOutcome outcome = next(stream, space);
    EXPECT_FALSE(outcome.error) << outcome.error.message();
    return space.substr(0, outcome.bytes);
  }
  static std::size_t write(Stream& stream, std::string_view bytes) {
    const asio::const_buffer buffer(bytes.data(), bytes.size());
    return stream.try_write({&buffer, 1}).bytes;
  }

  // Whether it stops being quiet, the event loop standing still.
  static bool notices(Stream& stream) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (stream.quiet() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return !stream.quiet();
  }

  // Sends all of `sent` in many buffers, offering again what was not taken, while the other end reads.
  std::string carry(Stream& from, Stream& to, const std::string& sent, std::size_t piece,
                    std::size_t read_size) {
    std::string received, space(read_size, '\0');
    std::size_t done = 0;
    unsigned turns_without_reading = 20;
    while (received.size() < sent.size()) {
      if (done < sent.size() && !from.write_wait_pending()) {
        std::vector<asio::const_buffer> buffers;
        for (std::size_t at = done; at < sent.size() && buffers.size() < 64; at += piece) {
          buffers.emplace_back(sent.data() + at, std::min(piece, sent.size() - at));
        }
        const Stream::WriteOutcome outcome = from.try_write(buffers);
        EXPECT_FALSE(outcome.error) << outcome.error.message();
        if (outcome.error) return received;
        done += outcome.bytes;
        if (outcome.bytes == 0) from.start_wait_writable();
      }
      if (turns_without_reading > 0 && done < sent.size()) {
        --turns_without_reading;
        continue;
      }
      if (!to.read_wait_pending()) {
        const auto outcome = to.try_read(space);
        EXPECT_FALSE(outcome.error) << outcome.error.message();
        if (outcome.error || outcome.eof) return received;
        received.append(space, 0, outcome.bytes);
        to.start_wait_readable();
      }
      if (loop_.poll() == 0) std::this_thread::yield();
    }
    return received;
  }

  test::TlsFiles files_;
  std::shared_ptr<const TlsServerContexts> contexts_;
  asio::io_context io_;  // for what accepts
  EventLoop loop_;
  TlsStream::Pointer client_, server_;
};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

TEST_F(TlsStreamTest, CarriesBytesBothWaysPastAFullSocket) {
  connect();
  const std::string sent = pattern(12'000'000);
  EXPECT_EQ(carry(*server_, *client_, sent, 997, 65536), sent);
  EXPECT_EQ(carry(*client_, *server_, sent, 100'000, 5000), sent);
}

TEST_F(TlsStreamTest, GathersAHeadAndItsBodyIntoOneRecord) {
  connect();
  const std::array<asio::const_buffer, 3> parts = {asio::buffer("head", 4), asio::buffer("body", 4),
                                                   asio::buffer("end", 3)};
  EXPECT_EQ(server_->try_write(parts).bytes, 11U);
  EXPECT_EQ(read(*client_, 65536), "headbodyend");
}

TEST_F(TlsStreamTest, IsReadableWhereOpensslHasTheBytesAlreadyAndSaysSoLater) {
  struct Told final : StreamListener {
    void on_stream() override { ++times; }
    int times = 0;
  } told;
  connect();
  write(*server_, "0123456789");
  EXPECT_EQ(read(*client_, 4), "0123");
  client_->set_listener(&told);
  client_->start_wait_readable();
  EXPECT_TRUE(client_->read_wait_pending());
  EXPECT_EQ(told.times, 0);
  run_until([&] { return told.times == 1; });
  EXPECT_FALSE(client_->read_wait_pending());
  client_->set_listener(nullptr);
  EXPECT_EQ(read(*client_), "456789");
}

TEST_F(TlsStreamTest, IsQuietUntilAByteComesForTheReader) {
  connect();
  EXPECT_TRUE(client_->quiet()) << "a ticket is no noise";
  EXPECT_TRUE(server_->quiet());
  write(*server_, "x");
  EXPECT_TRUE(notices(*client_));
  EXPECT_FALSE(client_->quiet()) << "the byte was taken by the look";
  EXPECT_EQ(read(*client_), "x");
}

TEST_F(TlsStreamTest, TellsThatThePeerHungUpBehindBytesThatAreUnread) {
  connect();
  write(*client_, "x");
  ASSERT_TRUE(notices(*server_));
  EXPECT_FALSE(server_->hung_up());
  client_->close();
  run_until([&] { return server_->hung_up(); });
}

TEST_F(TlsStreamTest, ALookDoesNotTakeAwayWhatAWaitIsFor) {
  connect();
  client_->start_wait_readable();
  write(*server_, "hello");
  EXPECT_TRUE(notices(*client_));
  run_until([&] { return !client_->read_wait_pending(); });
  EXPECT_EQ(read(*client_), "hello");
}

// A client whose bytes the test carries, so that it can cut them anywhere.
struct HandCarriedClient {
  HandCarriedClient(const TlsClientContext& context, EventLoop& loop,
                    const std::shared_ptr<const TlsServerContexts>& contexts)
      : ssl(context.new_session()), from_server(BIO_new(BIO_s_mem())), to_server(BIO_new(BIO_s_mem())) {
    SSL_set_bio(ssl.get(), from_server, to_server);
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    const Stream::Ptr plain = SocketStream::adopt(loop, AF_UNIX, ends[0]);
    server = TlsStream::take_over(static_cast<SocketStream&>(*plain), contexts);
    server->start_handshake();
    while (SSL_do_handshake(ssl.get()) != 1 || !server->connect_result()) {
      carry(taken());
      loop.poll();
      char bytes[16384];
      const ssize_t got = ::recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT);
      if (got > 0) BIO_write(from_server, bytes, static_cast<int>(got));
    }
  }
  ~HandCarriedClient() { ::close(ends[1]); }

  std::string taken() const {
    std::string bytes(BIO_ctrl_pending(to_server), '\0');
    if (!bytes.empty()) BIO_read(to_server, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  std::string record(std::string_view text) const {
    SSL_write(ssl.get(), text.data(), static_cast<int>(text.size()));
    return taken();
  }
  void carry(std::string_view bytes) const {
    EXPECT_EQ(::send(ends[1], bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }

  SslHandle ssl;
  BIO *from_server, *to_server;  // ssl's
  int ends[2] = {-1, -1};
  TlsStream::Pointer server;
};

// Part of a record may stand with OpenSSL for long: who waits is told when the rest has come, not turn after
// turn until then, as the loop's poll() would never end.
TEST_F(TlsStreamTest, PartOfARecordIsNothingToRead) {
  const auto context = client_context(files_.ca());
  HandCarriedClient client(*context, loop_, contexts_);
  std::array<char, 64> space;
  const std::string first = client.record("text");
  client.carry(first);
  loop_.poll();
  EXPECT_EQ(client.server->try_read(space).bytes, 4U);
  for (std::size_t cut = 1; cut < first.size(); ++cut) {
    const std::string record = client.record("text");
    client.carry(record.substr(0, cut));
    client.server->start_wait_readable();
    for (int looks = 0; looks < 3; ++looks) {
      loop_.poll();
      if (client.server->read_wait_pending()) continue;
      EXPECT_TRUE(client.server->try_read(space).nothing());
      client.server->start_wait_readable();
    }
    loop_.poll();
    EXPECT_TRUE(client.server->read_wait_pending()) << "cut at " << cut;
    EXPECT_TRUE(client.server->quiet());
    client.carry(record.substr(cut));
    loop_.poll();
    EXPECT_FALSE(client.server->read_wait_pending()) << "cut at " << cut;
    EXPECT_EQ(client.server->try_read(space).bytes, 4U);
  }
}

TEST_F(TlsStreamTest, CloseNotifyIsTheEnd) {
  connect();
  write(*server_, "last");
  server_->shutdown_send();
  EXPECT_EQ(read(*client_), "last");
  EXPECT_TRUE(next(*client_).eof);
  // The other direction goes on.
  write(*client_, "words");
  EXPECT_EQ(read(*server_), "words");
}

TEST_F(TlsStreamTest, AFinAloneIsAnError) {
  connect();
  write(*server_, "cut");
  server_->close();
  EXPECT_EQ(read(*client_), "cut");
  const Stream::ReadOutcome outcome = next(*client_);
  EXPECT_FALSE(outcome.eof);
  EXPECT_EQ(outcome.error.message(), "tls: unexpected eof while reading");
  EXPECT_TRUE(next(*client_).error);
}

TEST_F(TlsStreamTest, ClosesTowardsAnUpstreamKindly) {
  connect();
  client_->close();
  EXPECT_TRUE(next(*server_).eof);
}

TEST_F(TlsStreamTest, SaysCloseOnceTheSocketTakesIt) {
  connect();
  const std::string block(16384, 'x');
  std::size_t sent = 0;
  // The last record is taken whole, so that nothing is owed but the close.
  for (;;) {
    const std::size_t taken = write(*server_, block);
    sent += taken;
    if (taken == 0) break;
  }
  std::string space(65536, '\0');
  std::size_t received = 0;
  bool closed = false, eof = false;
  while (!eof) {
    const Stream::ReadOutcome outcome = next(*client_, space);
    ASSERT_FALSE(outcome.error) << outcome.error.message();
    received += outcome.bytes;
    eof = outcome.eof;
    if (closed) continue;
    const std::size_t taken = write(*server_, block);  // what was refused
    sent += taken;
    if (taken == 0) continue;
    server_->shutdown_send();
    closed = true;
  }
  EXPECT_EQ(received, sent);
}

TEST_F(TlsStreamTest, GoesOnAtAnotherEventLoop) {
  connect();
  write(*server_, "0123456789");
  EXPECT_EQ(read(*client_, 4), "0123");
  std::unique_ptr<DetachedStream> detached = client_->detach();
  ASSERT_NE(detached, nullptr);
  EXPECT_FALSE(client_->is_open());
  const Stream::Ptr moved = detached->attach(loop_);
  EXPECT_EQ(read(*moved), "456789");
  write(*moved, "back");
  EXPECT_EQ(read(*server_), "back");
}

TEST_F(TlsStreamTest, AClosedStreamWaitsForNothing) {
  connect();
  write(*server_, "0123456789");
  EXPECT_EQ(read(*client_, 4), "0123");
  client_->start_wait_readable();
  client_->close();
  EXPECT_FALSE(client_->read_wait_pending());
  EXPECT_TRUE(next(*client_).error);
}

TEST_F(TlsStreamTest, TrustsTheAuthorityAndNameThatItIsToldTo) {
  test::TlsFiles others;
  struct Case {
    std::shared_ptr<const TlsClientContext> context;
    std::string says;  // empty: trusted
  };
  const Case cases[] = {
      {client_context(files_.ca()), ""},
      {client_context(files_.ca(), "app.example"), ""},
      {client_context(files_.ca(), "other.example"), "tls: certificate verify failed (hostname mismatch)"},
      {client_context(files_.ca(), "127.0.0.2"), "tls: certificate verify failed (IP address mismatch)"},
      {client_context(others.ca()), "tls: certificate verify failed (certificate signature failure)"},
      {client_context(others.ca(), "other.example", false), ""},
  };
  for (const Case& c : cases) {
    connect(c.context);
    const boost::system::error_code result = *client_->connect_result();
    EXPECT_EQ(result ? result.message() : "", c.says);
    EXPECT_TRUE(c.says.empty() || *server_->connect_result());
  }
}

TEST_F(TlsStreamTest, RefusesWhatIsNoTls) {
  client_ = nullptr;
  SocketStream::Ptr raw = SocketStream::create(loop_);
  const Stream::Ptr plain = accept_from(*raw);
  run_until([&] { return raw->connect_result().has_value(); });
  server_ = TlsStream::take_over(static_cast<SocketStream&>(*plain), contexts_);
  server_->start_handshake();
  write(*raw, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  run_until([&] { return server_->connect_result().has_value(); });
  EXPECT_EQ(server_->connect_result()->message(), "tls: http request");
  EXPECT_THAT(read(*raw), HasSubstr("HTTP/1.1 400 Bad Request\r\n"));
}

TEST_F(TlsStreamTest, AConnectThatIsRefusedSaysSo) {
  asio::ip::tcp::acceptor acceptor(io_, {asio::ip::address_v4::loopback(), 0});
  const StreamEndpoint nobody(acceptor.local_endpoint());
  acceptor.close();
  client_ = TlsStream::create(loop_, client_context(files_.ca()));
  client_->start_connect(nobody);
  run_until([&] { return client_->connect_result().has_value(); });
  EXPECT_EQ(*client_->connect_result(), asio::error::connection_refused);
}

}  // namespace
}  // namespace sekisho::proxy
