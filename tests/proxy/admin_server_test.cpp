#include "proxy/admin_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "proxy/endpoint_address.hpp"

namespace sekisho::proxy {
namespace {

namespace asio = boost::asio;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Backend : public AdminBackend {
 public:
  Outcome reload() override {
    ++reloads;
    return good ? Outcome{true, "taken"} : Outcome{false, "file.yaml:1:2: wrong"};
  }
  std::string metrics() override { return "sekisho_one 1\n"; }
  Outcome healthy() override { return {good, good ? "ok" : "worker 1 is stuck"}; }
  Outcome ready() override { return {good, good ? "ok" : "draining"}; }
  std::string status() override { return "{\"version\":\"1\"}"; }
  std::string bans() override { return "{\"bans\":[]}"; }
  std::string top(std::size_t n, bool table) override {
    return (table ? "table " : "{\"n\":") + std::to_string(n) + (table ? "" : "}");
  }
  std::uint64_t lift(std::string_view client) override {
    lifted = client;
    return client == "2001:db8::1" ? 1 : 0;
  }

  bool good = true;
  int reloads = 0;
  std::string lifted;
};

class AdminRules : public testing::Test {
 protected:
  AdminResponse ask(std::string_view method, std::string_view target,
                    std::string_view host = "127.0.0.1:9180", std::string_view marker = "1",
                    std::string_view authorization = "", std::string_view token = "",
                    AdminScope scope = AdminScope::everything) {
    AdminRequest request;
    request.method = method;
    request.target = target;
    request.host = host;
    request.marker = marker;
    request.authorization = authorization;
    return answer_admin(request, scope, token, backend_);
  }

  Backend backend_;
};

TEST_F(AdminRules, AnswersEachCall) {
  EXPECT_EQ(ask("GET", "/healthz").status, 200u);
  EXPECT_EQ(ask("HEAD", "/healthz").status, 200u);
  EXPECT_EQ(ask("GET", "/readyz").status, 200u);
  EXPECT_THAT(ask("GET", "/metrics").content_type, StartsWith("text/plain; version=0.0.4"));
  EXPECT_EQ(ask("GET", "/status").content_type, "application/json");
  EXPECT_EQ(ask("POST", "/reload").status, 200u);
  EXPECT_EQ(ask("DELETE", "/bans?client=2001%3Adb8::1").status, 200u);
  EXPECT_EQ(backend_.lifted, "2001:db8::1");
  EXPECT_EQ(ask("DELETE", "/bans?client=192.0.2.1").status, 404u);
  EXPECT_EQ(ask("DELETE", "/bans").status, 400u);
  EXPECT_EQ(ask("DELETE", "/bans?client=").status, 400u);
  backend_.good = false;
  EXPECT_EQ(ask("GET", "/healthz").status, 503u);
  EXPECT_EQ(ask("GET", "/readyz").status, 503u);
  EXPECT_EQ(ask("POST", "/reload").status, 422u);
  EXPECT_THAT(ask("POST", "/reload").body, HasSubstr("file.yaml:1:2"));
}

TEST_F(AdminRules, TopTakesHowManyAndInWhichForm) {
  EXPECT_EQ(ask("GET", "/top").body, "{\"n\":10}\n");
  EXPECT_EQ(ask("GET", "/top").content_type, "application/json");
  EXPECT_EQ(ask("GET", "/top?n=100&format=json").body, "{\"n\":100}\n");
  EXPECT_EQ(ask("GET", "/top?format=table&n=1").body, "table 1\n");
  EXPECT_THAT(ask("GET", "/top?format=table").content_type, StartsWith("text/plain"));
  for (const char* wrong : {"/top?n=0", "/top?n=101", "/top?n=", "/top?n=-1", "/top?n=1x", "/top?n=+5",
                            "/top?n=99999999999999999999", "/top?format=", "/top?format=xml"}) {
    EXPECT_EQ(ask("GET", wrong).status, 400u) << wrong;
  }
  EXPECT_EQ(ask("POST", "/top").status, 405u);
  EXPECT_EQ(ask("GET", "/top", "rebound.example").status, 421u);
}

TEST_F(AdminRules, UnknownPathsAndMethods) {
  EXPECT_EQ(ask("GET", "/nothing").status, 404u);
  EXPECT_EQ(ask("GET", "/reload").status, 405u);
  EXPECT_EQ(ask("GET", "/reload").allow, "POST");
  EXPECT_EQ(ask("PUT", "/bans").allow, "GET, HEAD, DELETE");
  EXPECT_EQ(backend_.reloads, 0);
}

TEST_F(AdminRules, HostMustBeAnAddressOrLocalhost) {
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:9180", "[::1]:9180", "[::1]", "localhost", "LocalHost:80", "10.0.0.5:1"}) {
    EXPECT_TRUE(is_local_host(host)) << host;
  }
  for (const char* host :
       {"", "rebound.example", "localhost.example", "127.0.0.1.example", "127.0.0.1:80:80", "[::1", "::1x",
        "localhost:", "localhost:x", "localhost@evil", "0x7f.1", "[evil]"}) {
    EXPECT_FALSE(is_local_host(host)) << host;
  }
  EXPECT_EQ(ask("GET", "/metrics", "rebound.example").status, 421u);
  EXPECT_EQ(ask("POST", "/reload", "rebound.example").status, 421u);
  EXPECT_EQ(backend_.reloads, 0);
  EXPECT_EQ(ask("GET", "/metrics", "rebound.example", "", "", "", AdminScope::metrics_only).status, 200u);
}

TEST_F(AdminRules, ChangesNeedTheMarkerAndTheToken) {
  EXPECT_EQ(ask("POST", "/reload", "localhost", "").status, 403u);
  EXPECT_EQ(ask("POST", "/reload", "localhost", "0").status, 403u);
  EXPECT_EQ(ask("DELETE", "/bans?client=x", "localhost", "").status, 403u);
  for (const char* wrong :
       {"", "Bearer", "Bearer ", "Bearer secre", "Bearer secret1", "secret", "Basic secret"}) {
    const AdminResponse response = ask("POST", "/reload", "localhost", "1", wrong, "secret");
    EXPECT_EQ(response.status, 401u) << wrong;
    EXPECT_TRUE(response.ask_for_token);
  }
  EXPECT_EQ(backend_.reloads, 0);
  EXPECT_EQ(ask("POST", "/reload", "localhost", "1", "bearer secret", "secret").status, 200u);
  EXPECT_EQ(ask("GET", "/status", "localhost", "", "", "secret").status, 200u) << "reading needs none";
}

TEST_F(AdminRules, TheMetricsAddressServesMetricsAlone) {
  for (const char* path : {"/healthz", "/status", "/top", "/bans", "/"}) {
    EXPECT_EQ(ask("GET", path, "localhost", "1", "", "", AdminScope::metrics_only).status, 404u) << path;
  }
  EXPECT_EQ(ask("POST", "/reload", "localhost", "1", "", "", AdminScope::metrics_only).status, 404u);
  EXPECT_EQ(ask("POST", "/metrics", "localhost", "1", "", "", AdminScope::metrics_only).status, 405u);
}

class AdminSocket : public testing::Test {
 protected:
  void start(config::Endpoint endpoint) {
    server_ = std::make_unique<AdminServer>(io_, endpoint, AdminScope::everything, "", backend_);
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    if (thread_.joinable()) {
      asio::post(io_, [this] { server_.reset(); });
      thread_.join();
    }
  }
  static config::Endpoint loopback() {
    return {config::Endpoint::Kind::ip, "127.0.0.1", 0, "127.0.0.1:0", {}};
  }

  // Sends `text` and reads to the end.
  template <class Socket>
  static std::string exchange(Socket& socket, std::string_view text) {
    boost::system::error_code error;
    asio::write(socket, asio::buffer(text), error);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return answer;
  }
  asio::ip::tcp::socket connect(asio::io_context& io) {
    const std::string address = server_->bound_address();
    asio::ip::tcp::socket socket(io);
    const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    socket.connect({asio::ip::address_v4::loopback(), port});
    return socket;
  }
  std::string exchange(std::string_view text) {
    asio::io_context io;
    asio::ip::tcp::socket socket = connect(io);
    return exchange(socket, text);
  }

  Backend backend_;
  asio::io_context io_;
  std::unique_ptr<AdminServer> server_;
  std::thread thread_;
};

TEST_F(AdminSocket, AnswersAndKeepsTheConnection) {
  start(loopback());
  const std::string answer = exchange(
      "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "POST /reload HTTP/1.1\r\nHost: localhost\r\nX-Sekisho: 1\r\nContent-Length: 0\r\nConnection: "
      "close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("{\"version\":\"1\"}\n"));
  EXPECT_THAT(answer, HasSubstr("taken\n"));
  EXPECT_EQ(backend_.reloads, 1);
}

TEST_F(AdminSocket, RefusesWhatIsTooLargeOrNoHttp) {
  start(loopback());
  EXPECT_THAT(exchange("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x')), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(exchange("POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(
      exchange("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
      StartsWith("HTTP/1.1 421"));
  EXPECT_EQ(backend_.reloads, 0);
}

TEST_F(AdminSocket, SilentCallersKeepNobodyOut) {
  constexpr const char* last_call = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  start(loopback());
  asio::io_context io;
  asio::ip::tcp::socket busy = connect(io);
  std::vector<asio::ip::tcp::socket> silent;
  for (int i = 0; i < 62; ++i) {
    silent.push_back(connect(io));
    if (i % 2 == 1) asio::write(silent.back(), asio::buffer(std::string_view("GET /hea")));
  }
  EXPECT_THAT(exchange(last_call), StartsWith("HTTP/1.1 200")) << "so all before it were accepted";
  asio::write(busy, asio::buffer(std::string_view("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")));
  std::string answer;
  asio::read_until(busy, asio::dynamic_buffer(answer), "ok\n");
  for (int i = 0; i < 10; ++i) {
    silent.push_back(connect(io));
    EXPECT_THAT(exchange(last_call), StartsWith("HTTP/1.1 200"));
  }
  boost::system::error_code error;
  char byte;
  EXPECT_EQ(silent.front().read_some(asio::buffer(&byte, 1), error), 0u) << "made room";
  EXPECT_THAT(exchange(busy, last_call), StartsWith("HTTP/1.1 200"))
      << "it had asked after the silent ones came";
}

TEST_F(AdminSocket, OnAUnixSocketThatAKilledProcessLeft) {
  std::string folder = (std::filesystem::temp_directory_path() / "sekisho-admin-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/admin.sock";
  {
    asio::io_context io;
    asio::local::stream_protocol::acceptor left(io, asio::local::stream_protocol::endpoint(path));
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  const config::Endpoint endpoint{config::Endpoint::Kind::unix_path, path, 0, "unix:" + path, {}};
  start(endpoint);
  {
    asio::io_context io;
    asio::local::stream_protocol::socket socket(io);
    socket.connect(asio::local::stream_protocol::endpoint(path));
    EXPECT_THAT(exchange(socket, "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"),
                StartsWith("HTTP/1.0 200"));
  }
  asio::io_context io;
  EXPECT_THROW(AdminServer(io, endpoint, AdminScope::everything, "", backend_), std::runtime_error)
      << "somebody listens there";
  EXPECT_TRUE(std::filesystem::exists(path)) << "the socket in use stays";
  TearDown();
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
}

TEST_F(AdminSocket, APortInUseIsNamed) {
  start(loopback());
  config::Endpoint same = loopback();
  same.text = server_->bound_address();
  same.port = static_cast<std::uint16_t>(std::stoi(same.text.substr(same.text.rfind(':') + 1)));
  asio::io_context io;
  try {
    AdminServer second(io, same, AdminScope::everything, "", backend_);
    FAIL() << "bound twice";
  } catch (const std::runtime_error& problem) {
    EXPECT_THAT(problem.what(), HasSubstr(same.text));
    EXPECT_THAT(problem.what(), HasSubstr("in use"));
  }
}

}  // namespace
}  // namespace sekisho::proxy
