// The bytes that go out: to the upstream, to the client, and Sekisho's own answers.
#include "proxy/head_writer.hpp"

#include <gtest/gtest.h>

#include <string>

#include "proxy/request_parser.hpp"
#include "proxy/response_parser.hpp"

namespace sekisho::proxy {
namespace {

class RequestWriter : public testing::Test {
 protected:
  RequestWriter() {
    admission_.client = *config::IpAddress::parse("203.0.113.9");
    admission_.authority = "www.example.jp";
    admission_.origin_target = "/x?y";
    forwarding_.listener_port = 8080;
    forwarding_.request_id = "id-1";
    forwarding_.start_ms = 1'700'000'000'007;
  }

  // The head that goes to the upstream for one with these fields (each line ending in CRLF).
  std::string written(const std::string& fields, const std::string& start = "GET /x?y HTTP/1.1\r\n") {
    input_ = start + fields + "\r\n";
    RequestParser parser;
    parser.reset();
    const ParseResult result = parser.parse(input_, head_);
    EXPECT_EQ(result.status, ParseStatus::complete) << result.reason;
    HeadBuffer out(4096);
    write_request_head(out, head_, admission_, forwarding_);
    EXPECT_FALSE(out.overflowed());
    return std::string(out.view());
  }

  std::string canonical(const std::string& proto = "http", const std::string& port = "8080",
                        const std::string& via = "1.1 sekisho") {
    return "X-Forwarded-For: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\nX-Forwarded-Host: www.example.jp\r\n"
           "X-Forwarded-Proto: " +
           proto + "\r\nX-Forwarded-Port: " + port +
           "\r\nX-Request-Id: id-1\r\n"
           "X-Request-Start: t=1700000000.007\r\nVia: " +
           via + "\r\n\r\n";
  }

  const std::string start_ = "GET /x?y HTTP/1.1\r\nHost: www.example.jp\r\n";
  std::string input_;
  RequestHead head_;
  policy::Admission admission_;
  Forwarding forwarding_;
};

TEST_F(RequestWriter, WritesTheCanonicalFields) {
  EXPECT_EQ(written("Host: WWW.example.jp.\r\nAccept: */*\r\nCookie: a=b\r\n"),
            start_ + "Accept: */*\r\nCookie: a=b\r\n" + canonical());
}

TEST_F(RequestWriter, TakesOffWhatLies) {
  EXPECT_EQ(
      written(
          "Host: a\r\nX-Forwarded-For: 1.1.1.1\r\nX_Forwarded_For: 2.2.2.2\r\nX-Real-IP: 3.3.3.3\r\n"
          "Client-IP: 4.4.4.4\r\nForwarded: for=5.5.5.5\r\nX-Forwarded-Host: evil\r\nX-Request-Start: t=1\r\n"
          "Sekisho-Shadow: x\r\nContent_Length: 9\r\nTransfer_Encoding: chunked\r\nProxy: http://evil\r\n"
          "HOST_: kept\r\nX_Host: kept\r\n"),
      start_ + "HOST_: kept\r\nX_Host: kept\r\n" + canonical());
}

TEST_F(RequestWriter, TakesOffHopByHopFields) {
  EXPECT_EQ(
      written("Host: a\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: 5\r\nx-hop: 1\r\nX_Hop: 2\r\nTE: "
              "trailers\r\n"
              "Trailer: X\r\nProxy-Connection: close\r\nProxy-Authorization: x\r\nUpgrade: websocket\r\n"),
      start_ + canonical());
}

TEST_F(RequestWriter, ConnectionCannotTakeOffOurs) {
  admission_.shadow_names = "a,b";
  const std::string out = written(
      "Host: a\r\nConnection: close, Host, X-Forwarded-For, X-Real-IP, Content-Length, Via, "
      "Sekisho-Shadow\r\n"
      "Via: 1.1 front\r\n");
  std::string tail = canonical("http", "8080", "1.1 front, 1.1 sekisho");
  tail.insert(tail.size() - 2, "Sekisho-Shadow: a,b\r\n");
  EXPECT_EQ(out, start_ + tail);
}

TEST_F(RequestWriter, FramesAsAsked) {
  forwarding_.framing = Framing::length;
  forwarding_.content_length = 12;
  EXPECT_EQ(written("Host: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n"),
            start_ + "Content-Length: 12\r\n" + canonical());
  forwarding_.framing = Framing::chunked;
  EXPECT_EQ(written("Host: a\r\nContent-Length: 12\r\n"),
            start_ + "Transfer-Encoding: chunked\r\n" + canonical());
}

TEST_F(RequestWriter, KeepsAnUpgrade) {
  EXPECT_EQ(
      written("Host: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n"),
      start_ + "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\n" + canonical());
}

TEST_F(RequestWriter, BelievesATrustedPeerAboutSchemeAndPort) {
  const std::string fields = "Host: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n";
  EXPECT_EQ(written(fields), start_ + canonical());
  admission_.peer_trusted = true;
  EXPECT_EQ(written(fields), start_ + canonical("https", "443"));
  EXPECT_EQ(written("Host: a\r\nX-Forwarded-Proto: ht tp\r\nX-Forwarded-Port: 65536\r\n"),
            start_ + canonical());
  EXPECT_EQ(written("Host: a\r\nX-Forwarded-Port: 0\r\n"), start_ + canonical());
  EXPECT_EQ(written("Host: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n"),
            start_ + canonical());
  EXPECT_EQ(written("Host: a\r\nX_Forwarded_Proto: https\r\n"), start_ + canonical());
}

TEST_F(RequestWriter, SaysHowTheListenerWasReached) {
  forwarding_.listener_tls = true;
  forwarding_.listener_port = 0;  // a UNIX socket
  const std::string out = written("Host: a\r\n");
  EXPECT_NE(out.find("X-Forwarded-Proto: https\r\nX-Request-Id"), std::string::npos) << out;
}

TEST_F(RequestWriter, NamesHttp10InVia) {
  admission_.authority = "";
  const std::string out = written("Via: 1.0 a\r\nVia:\r\nVia: 1.1 b\r\n", "GET /x?y HTTP/1.0\r\n");
  EXPECT_NE(out.find("Via: 1.0 a, 1.1 b, 1.0 sekisho\r\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("X-Forwarded-Host"), std::string::npos);
  EXPECT_EQ(out.rfind("GET /x?y HTTP/1.1\r\nHost: \r\n", 0), 0U) << out;
}

TEST_F(RequestWriter, OverflowsInsteadOfCutting) {
  HeadBuffer small(64);
  write_request_head(small, head_, admission_, forwarding_);
  EXPECT_TRUE(small.overflowed());
  EXPECT_LE(small.size(), 64U);
  small.clear();
  EXPECT_FALSE(small.overflowed());
}

TEST_F(RequestWriter, ChoosesTheRequestId) {
  const std::uint64_t random[2] = {0x0123456789abcdef, 0xf};
  char scratch[32];
  const std::string made = "0123456789abcdef000000000000000f";
  const auto chosen = [&](const std::string& fields) {
    written("Host: a\r\n" + fields);
    return std::string(choose_request_id(head_, random, scratch));
  };
  EXPECT_EQ(chosen(""), made);
  EXPECT_EQ(chosen("X-Request-Id: aZ0._-\r\n"), "aZ0._-");
  EXPECT_EQ(chosen("X-Request-Id:\r\n"), made);
  EXPECT_EQ(chosen("X-Request-Id: a b\r\n"), made);
  EXPECT_EQ(chosen("X-Request-Id: a\r\nX-Request-Id: b\r\n"), made);
  EXPECT_EQ(chosen("X-Request-Id: " + std::string(128, 'a') + "\r\n"), std::string(128, 'a'));
  EXPECT_EQ(chosen("X-Request-Id: " + std::string(129, 'a') + "\r\n"), made);
}

std::string response(const std::string& text, const ResponseOptions& options,
                     const policy::Admission& admission = {}, std::string_view method = "GET") {
  ResponseParser parser;
  parser.reset(method);
  ResponseHead head;
  const ParseResult result = parser.parse(text, head);
  EXPECT_EQ(result.status, ParseStatus::complete) << result.reason;
  HeadBuffer out(4096);
  write_response_head(out, head, admission, options);
  return std::string(out.view());
}

constexpr const char* date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

ResponseOptions with(Framing framing, std::uint64_t length = 0) {
  ResponseOptions options;
  options.framing = framing;
  options.content_length = length;
  options.date = 784'111'777;
  return options;
}

TEST(ResponseWriter, TakesOffHopByHopFieldsAndAddsADate) {
  EXPECT_EQ(response("HTTP/1.1 200 Fine\r\nServer: puma\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: "
                     "5\r\nSet-Cookie: a\r\n"
                     "Set-Cookie: b\r\nUpgrade: h2\r\nContent-Length: 005\r\n\r\n",
                     with(Framing::length, 5)),
            std::string("HTTP/1.1 200 Fine\r\nServer: puma\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n") + date +
                "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nDate: theirs\r\nTransfer-Encoding: chunked\r\n\r\n",
                     with(Framing::chunked)),
            "HTTP/1.1 200 OK\r\nDate: theirs\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(ResponseWriter, SaysHowTheConnectionGoesOn) {
  const std::string text = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  ResponseOptions options = with(Framing::length);
  const std::string head = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n";
  EXPECT_EQ(response(text, options), head + "\r\n");
  options.client_version = 10;
  EXPECT_EQ(response(text, options), head + "Connection: keep-alive\r\n\r\n");
  options.keep_alive = false;
  EXPECT_EQ(response(text, options), head + "Connection: close\r\n\r\n");
  options = with(Framing::until_close);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nDate: x\r\n\r\n", options),
            "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close\r\n\r\n");
}

TEST(ResponseWriter, KeepsTheLengthWhereThereIsNoBody) {
  EXPECT_EQ(
      response("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 99\r\n\r\n", with(Framing::none), {}, "HEAD"),
      "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 99\r\n\r\n");
  EXPECT_EQ(
      response("HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 99\r\n\r\n", with(Framing::none)),
      "HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 99\r\n\r\n");
  EXPECT_EQ(response("HTTP/1.1 204 No Content\r\nDate: x\r\nContent-Length: 0\r\n\r\n", with(Framing::none)),
            "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n");
}

TEST(ResponseWriter, PassesAnUpgrade) {
  ResponseOptions options = with(Framing::none);
  options.upgraded = true;
  EXPECT_EQ(
      response(
          "HTTP/1.1 101 Switching Protocols\r\nDate: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
          options),
      "HTTP/1.1 101 Switching Protocols\r\nDate: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  EXPECT_EQ(
      response("HTTP/1.1 426 Upgrade Required\r\nDate: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
               "Content-Length: 0\r\n\r\n",
               with(Framing::length)),
      "HTTP/1.1 426 Upgrade Required\r\nDate: x\r\nUpgrade: websocket\r\nContent-Length: 0\r\n"
      "Connection: Upgrade\r\n\r\n");
}

TEST(ResponseWriter, PassesInterimHeads) {
  ResponseParser parser;
  parser.reset("GET");
  ResponseHead head;
  ASSERT_EQ(parser.parse("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n", head).status,
            ParseStatus::complete);
  HeadBuffer out(1024);
  write_interim_head(out, head);
  EXPECT_EQ(out.view(), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

policy::Admission limited() {
  policy::Admission admission;
  admission.outcome = policy::Outcome::limited;
  admission.limit_name = "login";
  admission.policy_name = "login";
  admission.show_ratelimit = admission.show_retry_after = true;
  admission.policy_quota = 30;
  admission.policy_window = 60;
  admission.decision.admitted = false;
  admission.decision.retry_after = std::chrono::milliseconds(1001);
  return admission;
}

TEST(ResponseWriter, AddsRateLimitFields) {
  policy::Admission admission = limited();
  admission.outcome = policy::Outcome::proxied;
  admission.decision.admitted = true;
  admission.decision.remaining = 7;
  admission.decision.reset_after = std::chrono::milliseconds(45'001);
  EXPECT_EQ(
      response("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n", with(Framing::length), admission),
      "HTTP/1.1 200 OK\r\nDate: x\r\nRateLimit-Policy: \"login\";q=30;w=60\r\nRateLimit: "
      "\"login\";r=7;t=46\r\n"
      "Content-Length: 0\r\n\r\n");
}

std::string local(LocalAnswer answer, const policy::Admission* admission = nullptr) {
  answer.date = 784'111'777;
  HeadBuffer out(4096);
  write_local_answer(out, answer, admission);
  return std::string(out.view());
}

TEST(LocalAnswers, AreALineOfText) {
  LocalAnswer answer;
  answer.status = 502;
  EXPECT_EQ(
      local(answer),
      std::string("HTTP/1.1 502 Bad Gateway\r\n") + date +
          "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\nCache-Control: no-store\r\n\r\n"
          "502 Bad Gateway\n");
  answer.head_request = true;
  answer.keep_alive = false;
  EXPECT_EQ(local(answer),
            std::string("HTTP/1.1 502 Bad Gateway\r\n") + date +
                "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\nCache-Control: no-store\r\n"
                "Connection: close\r\n\r\n");
}

TEST(LocalAnswers, SayWhenALimitedClientMayReturn) {
  const policy::Admission admission = limited();
  LocalAnswer answer;
  answer.status = 429;
  EXPECT_EQ(
      local(answer, &admission),
      std::string("HTTP/1.1 429 Too Many Requests\r\n") + date +
          "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 22\r\nCache-Control: no-store\r\n"
          "Retry-After: 2\r\nRateLimit-Policy: \"login\";q=30;w=60\r\nRateLimit: \"login\";r=0;t=2\r\n\r\n"
          "429 Too Many Requests\n");
}

TEST(LocalAnswers, AreProblemDetailsForJsonClients) {
  const policy::Admission admission = limited();
  LocalAnswer answer;
  answer.status = 429;
  answer.prefers_json = true;
  const std::string body =
      "{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\",\"title\":\"Too Many "
      "Requests\","
      "\"status\":429,\"detail\":\"Too many requests: try again after the time that Retry-After names.\","
      "\"violated-policies\":[\"login\"]}\n";
  const std::string out = local(answer, &admission);
  EXPECT_EQ(out.substr(out.find("\r\n\r\n") + 4), body);
  EXPECT_NE(out.find("Content-Type: application/problem+json\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n"),
            std::string::npos)
      << out;
}

TEST(LocalAnswers, TakeABodyAsItIs) {
  LocalAnswer answer;
  answer.status = 503;
  answer.prefers_json = true;
  answer.body = "<p>later</p>";
  answer.retry_after = 9;
  EXPECT_NE(local(answer).find("Content-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\n"),
            std::string::npos);
  answer.content_type = "text/html";
  const std::string out = local(answer);
  EXPECT_NE(out.find("Content-Type: text/html\r\n"), std::string::npos) << out;
  EXPECT_NE(out.find("Retry-After: 9\r\n"), std::string::npos) << out;
  EXPECT_TRUE(out.ends_with("\r\n\r\n")) << out;  // the body is the caller's to send
}

TEST(LocalAnswers, NameWhatIsAllowedWith405) {
  LocalAnswer answer;
  answer.status = 405;
  EXPECT_NE(local(answer).find("\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"),
            std::string::npos);
}

TEST(LocalAnswers, AreReadableByOurOwnParser) {
  const policy::Admission admission = limited();
  for (unsigned status = 200; status < 600; ++status) {
    if (status == 204 || status == 304) continue;
    LocalAnswer answer;
    answer.status = status;
    answer.prefers_json = status % 2 == 0;
    const std::string out = local(answer, &admission);
    ResponseParser parser;
    parser.reset("GET");
    ResponseHead head;
    const ParseResult result = parser.parse(out, head);
    ASSERT_EQ(result.status, ParseStatus::complete) << out;
    EXPECT_EQ(head.status, status);
    EXPECT_EQ(head.content_length, out.size() - result.consumed) << out;
  }
}

TEST(PrefersJson, ReadsAcceptAndContentType) {
  const auto asks = [](const std::string& fields) {
    RequestParser parser;
    parser.reset();
    RequestHead head;
    const std::string input = "GET / HTTP/1.1\r\n" + fields + "\r\n";
    EXPECT_EQ(parser.parse(input, head).status, ParseStatus::complete);
    return prefers_json(head);
  };
  EXPECT_FALSE(asks(""));
  EXPECT_FALSE(asks("Accept: */*\r\n"));
  EXPECT_FALSE(asks("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"));
  EXPECT_TRUE(asks("Accept: application/json\r\n"));
  EXPECT_TRUE(asks("Accept: application/vnd.api+JSON\r\n"));
  EXPECT_TRUE(asks("Accept: application/problem+json; charset=utf-8\r\n"));
  EXPECT_TRUE(asks("Accept: application/json, text/plain, */*\r\n"));
  EXPECT_FALSE(asks("Accept: text/html, application/json\r\n"));
  EXPECT_TRUE(asks("Accept: text/html;q=0.5\r\nAccept: application/json;q=0.9\r\n"));
  EXPECT_FALSE(asks("Accept: application/json;q=0\r\n"));
  EXPECT_FALSE(asks("Accept: application/json;q=0.1, */*\r\n"));
  EXPECT_FALSE(asks("Accept: application/jsonx\r\n"));
  EXPECT_TRUE(asks("Content-Type: application/json; charset=utf-8\r\n"));
  EXPECT_FALSE(asks("Content-Type: application/x-www-form-urlencoded\r\n"));
}

}  // namespace
}  // namespace sekisho::proxy
