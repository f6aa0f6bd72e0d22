// What we write, read again: whatever a client made of its head, the upstream sees one request with the same
// framing.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "proxy/chunk_decoder.hpp"
#include "proxy/field_rules.hpp"
#include "proxy/head_writer.hpp"
#include "proxy/request_parser.hpp"
#include "proxy/response_parser.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::uint64_t seed = 20240607;

constexpr std::string_view requests[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /users/sign_in?x=%0d%0a HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\nContent-Type: "
    "text/plain\r\n\r\n",
    "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close, X-Hop\r\nX-Hop: "
    "1\r\n\r\n",
    "GET http://www.example.jp/x HTTP/1.1\r\nHost: b\r\nX-Forwarded-For: 1.1.1.1\r\nX_Forwarded_For: "
    "2.2.2.2\r\n\r\n",
    "GET /cable HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
    "x\r\n\r\n",
    "POST / HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 9\r\nTransfer_Encoding: chunked\r\nExpect: "
    "100-continue\r\n"
    "Content-Length: 5\r\n\r\n"};

constexpr std::string_view responses[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: puma\r\nSet-Cookie: a=b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
    "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\n\r\n"};

// Bytes and pieces that parsers disagree about.
constexpr std::string_view spices[] = {"\r\n",
                                       "\n",
                                       "\r",
                                       "\r\n\r\n",
                                       " ",
                                       "\t",
                                       ":",
                                       ",",
                                       "\v",
                                       ";",
                                       "\r\n ",
                                       "chunked",
                                       "Content-Length: 7\r\n",
                                       "0",
                                       "+",
                                       "Transfer-Encoding: chunked\r\n",
                                       "Transfer-Encoding : chunked\r\n",
                                       "Connection: Content-Length\r\n",
                                       "HTTP/1.1",
                                       "\x80",
                                       "Content_Length: 3\r\n",
                                       "Connection: X-Forwarded-For\r\n",
                                       "_"};

std::string garbled(std::string_view valid, std::mt19937_64& random) {
  std::string text(valid);
  for (auto left = 1 + random() % 3; left > 0; --left) {
    const std::size_t at = text.empty() ? 0 : random() % text.size();
    switch (random() % 5) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random());
        break;
      case 1:
        text.insert(at, spices[random() % std::size(spices)]);
        break;
      case 2:
        text.erase(at, 1 + random() % 4);
        break;
      case 3:
        text.insert(at, text.substr(random() % (text.size() + 1), random() % 20));
        break;
      case 4:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ 0x20);
        break;
    }
  }
  return text;
}

std::size_t framing_fields(const std::vector<Field>& fields) {
  return static_cast<std::size_t>(std::count_if(fields.begin(), fields.end(), [](const Field& field) {
    return field.id == FieldId::content_length || field.id == FieldId::transfer_encoding;
  }));
}

void check_request(const std::string& input, const RequestHead& head) {
  policy::Admission admission;
  admission.authority = "www.example.jp";
  admission.origin_target = head.target.front() == '/' ? head.target : "/";
  Forwarding forwarding;
  forwarding.listener_port = 80;
  forwarding.request_id = "r";
  forwarding.framing = head.framing;
  forwarding.content_length = head.content_length;
  HeadBuffer out(64 * 1024);
  write_request_head(out, head, admission, forwarding);
  ASSERT_FALSE(out.overflowed());

  RequestParser parser;
  parser.reset();
  RequestHead again;
  const ParseResult result = parser.parse(out.view(), again);
  ASSERT_EQ(result.status, ParseStatus::complete) << result.reason << "\n" << input << "\n" << out.view();
  EXPECT_EQ(result.consumed, out.size()) << input;
  EXPECT_EQ(again.method, head.method);
  EXPECT_EQ(again.target, admission.origin_target);
  EXPECT_EQ(again.framing, head.framing) << input;
  EXPECT_EQ(again.content_length, head.content_length);
  EXPECT_EQ(again.upgrade, head.upgrade);
  EXPECT_EQ(framing_fields(again.fields), head.framing == Framing::none ? 0U : 1U);
  const auto hosts = std::count_if(again.fields.begin(), again.fields.end(),
                                   [](const Field& field) { return field.id == FieldId::host; });
  EXPECT_EQ(hosts, 1);
  // No field that an application would take for one of ours got through under another spelling.
  for (const Field& field : again.fields) {
    if (field.id == FieldId::other && ends_before_upstream(field)) {
      EXPECT_EQ(field.name, "X-Request-Start") << input;
    }
  }
}

void check_response(const std::string& input, const ResponseHead& head) {
  ResponseOptions options;
  options.framing = head.framing;
  options.content_length = head.content_length;
  options.keep_alive = head.keep_alive;
  HeadBuffer out(64 * 1024);
  write_response_head(out, head, {}, options);
  ASSERT_FALSE(out.overflowed());
  ResponseParser parser;
  parser.reset("GET");
  ResponseHead again;
  const ParseResult result = parser.parse(out.view(), again);
  ASSERT_EQ(result.status, ParseStatus::complete) << result.reason << "\n" << input << "\n" << out.view();
  EXPECT_EQ(result.consumed, out.size()) << input;
  EXPECT_EQ(again.status, head.status);
  EXPECT_EQ(again.framing, head.framing) << input << out.view();
  if (head.framing == Framing::length) {
    EXPECT_EQ(again.content_length, head.content_length);
  }
  EXPECT_LE(framing_fields(again.fields), 1U);
}

TEST(RoundTrip, GarbledRequestsAreRefusedOrReadTheSameAgain) {
  std::mt19937_64 random(seed);
  unsigned accepted = 0, failed = 0;
  RequestParser parser;
  RequestHead head;
  for (unsigned i = 0; i < 60'000 && !HasFailure(); ++i) {
    const std::string input = garbled(requests[random() % std::size(requests)], random);
    parser.reset();
    const ParseResult result = parser.parse(input, head);
    if (result.status == ParseStatus::failed) ++failed;
    if (result.status != ParseStatus::complete) continue;
    ++accepted;
    check_request(input, head);
  }
  EXPECT_GT(accepted, 5000U);
  EXPECT_GT(failed, 5000U);
}

TEST(RoundTrip, GarbledResponsesAreRefusedOrReadTheSameAgain) {
  std::mt19937_64 random(seed);
  unsigned accepted = 0;
  ResponseParser parser;
  ResponseHead head;
  for (unsigned i = 0; i < 40'000 && !HasFailure(); ++i) {
    const std::string input = garbled(responses[random() % std::size(responses)], random);
    parser.reset("GET");
    if (parser.parse(input, head).status != ParseStatus::complete || head.status == 101) continue;
    ++accepted;
    check_response(input, head);
  }
  EXPECT_GT(accepted, 3000U);
}

// A second, naive reader of well-formed chunked bodies.
std::string chunked(const std::string& body, std::mt19937_64& random) {
  std::string text;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t size = std::min<std::size_t>(1 + random() % 40, body.size() - at);
    char digits[20];
    std::snprintf(digits, sizeof digits, random() % 2 ? "%zx" : "%04zX", size);
    text += digits;
    if (random() % 3 == 0) text += ";x=\"y\"";
    text += "\r\n" + body.substr(at, size) + "\r\n";
    at += size;
  }
  return text + "0\r\n" + (random() % 2 ? "X-Sum: 1\r\n" : "") + "\r\n";
}

TEST(RoundTrip, ChunkedBodiesComeBackWhole) {
  std::mt19937_64 random(seed);
  for (unsigned i = 0; i < 2000; ++i) {
    std::string body(random() % 300, '\0');
    for (char& c : body) c = static_cast<char>(random());
    const std::string input = chunked(body, random) + "next";
    ChunkDecoder decoder;
    std::string data;
    std::size_t at = 0;
    ChunkDecoder::Step step;
    while (step.status != ChunkDecoder::Status::done) {
      step = decoder.step(std::string_view(input).substr(at, 1 + random() % 50));
      ASSERT_NE(step.status, ChunkDecoder::Status::failed);
      at += step.consumed;
      data += step.data;
    }
    ASSERT_EQ(data, body);
    ASSERT_EQ(input.substr(at), "next");
  }
}

}  // namespace
}  // namespace sekisho::proxy
