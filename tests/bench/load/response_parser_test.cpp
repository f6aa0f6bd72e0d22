#include "bench/load/response_parser.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace sekisho::load {
namespace {

using Result = ResponseParser::Result;

// Statuses of the responses that `text` holds, -1 where it is malformed, in pieces of `size` bytes; each
// piece is in memory of its own, so that a sanitizer sees what looks beyond.
std::vector<int> statuses(std::string_view text, std::size_t size, bool to_head = false) {
  ResponseParser parser;
  parser.reset();
  std::vector<int> found;
  while (!text.empty()) {
    const std::string piece(text.substr(0, size));
    text.remove_prefix(piece.size());
    std::string_view input = piece;
    while (!input.empty()) {
      const Result result = parser.take(input, to_head);
      if (result == Result::malformed) {
        found.push_back(-1);
        return found;
      }
      if (result == Result::complete) found.push_back(static_cast<int>(parser.status()));
    }
  }
  if (parser.ends_at_close())
    found.push_back(static_cast<int>(parser.status()));
  else if (parser.within())
    found.push_back(0);
  return found;
}

// However the bytes are cut.
void expect(std::string_view text, const std::vector<int>& wanted, bool to_head = false) {
  for (std::size_t size = 1; size <= text.size(); ++size) {
    EXPECT_EQ(statuses(text, size, to_head), wanted) << "in pieces of " << size << ": " << text;
  }
}

TEST(ResponseParser, ContentLength) {
  expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", {200});
  expect("HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\nHTTP/1.1 429 Too Many\r\nCONTENT-LENGTH:\t 1 \r\n\r\nx",
         {200, 429});
  expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", {0});
  expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", {200});
}

TEST(ResponseParser, Chunked) {
  expect(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5\r\nhello\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n"
      "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
      {200, 404});
  expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\nTrailer: 1\r\nOther: 2\r\n\r\n",
         {200});
  // Transfer-Encoding wins over Content-Length (RFC 9112, 6.3).
  expect("HTTP/1.1 200 OK\r\nContent-Length: 90\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
         {200});
}

TEST(ResponseParser, NoBodyByItsNature) {
  expect("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", {204, 304});
  expect("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         {200, 200}, true);
}

TEST(ResponseParser, InterimResponsesArePassedOver) {
  expect(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\n"
      "Content-Length: 2\r\n\r\nok",
      {201});
}

TEST(ResponseParser, UpToTheEndOfTheConnection) {
  expect("HTTP/1.1 200 OK\r\n\r\nwhatever\r\n\r\nHTTP/1.1 500 no head", {200});
  expect("HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", {200});
}

TEST(ResponseParser, BareLineFeedsAndNoReason) {
  expect("HTTP/1.1 200 \nContent-Length: 1\n\nxHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", {200, 200});
}

TEST(ResponseParser, Malformed) {
  for (const std::string_view text :
       {"HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n", "<html>\r\n\r\n", "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"}) {
    expect(text, {-1});
  }
}

TEST(ResponseParser, AnotherProtocolIsMalformedFromItsFirstBytes) {
  for (const std::string_view text :
       {"SSH-2.0-OpenSSH_9.6\r\n", "220 mail.example.jp ESMTP\r\n", "HTTP/2", "HTTP/1.1/", "HTTP/1.1 x",
        "HTTP/1.1 09", "HTTP/1.1 20\r\n", "http/1.1 200", "\x15\x03\x01"}) {
    expect(text, {-1});
  }
  expect("HTTP/1.1 200", {0});
}

TEST(ResponseParser, EndlessHeadsAndLinesAreMalformed) {
  const std::string head = "HTTP/1.1 200 OK\r\nX: " + std::string(2 * ResponseParser::most_head_bytes, 'x');
  EXPECT_EQ(statuses(head, head.size()), std::vector<int>{-1});
  EXPECT_EQ(statuses(head, 1000), std::vector<int>{-1});
  const std::string line =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(10'000, 'x');
  EXPECT_EQ(statuses(line, line.size()), std::vector<int>{-1});
  EXPECT_EQ(statuses(line, 100), std::vector<int>{-1});
}

TEST(ResponseParser, WhetherTheConnectionEnds) {
  const auto closes = [](std::string_view text) {
    ResponseParser parser;
    parser.reset();
    EXPECT_EQ(parser.take(text, false), Result::complete);
    return parser.closes();
  };
  EXPECT_FALSE(closes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(closes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(closes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nconnection: x, Close\r\n\r\n"));
  EXPECT_TRUE(closes("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(closes("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(closes("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"));
}

TEST(ResponseParser, WhatIsLeftOfABody) {
  const auto left = [](std::string_view text) {
    ResponseParser parser;
    parser.reset();
    EXPECT_EQ(parser.take(text, false), Result::more);
    return parser.body_left();
  };
  EXPECT_EQ(left("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n"), 0U);
  EXPECT_EQ(left("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\nabc"), 69'997U);
  EXPECT_EQ(left("HTTP/1.1 200 OK\r\n\r\nabc"), 0U);
  const std::string_view chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nab";
  EXPECT_EQ(left(chunked), 4U);
  EXPECT_EQ(left(std::string(chunked) + "cdef"), 0U);  // its line's end is looked at
  EXPECT_EQ(left(std::string(chunked) + "cdef\r\n"), 0U);
}

TEST(ResponseParser, AResetForgetsWhatCameInPart) {
  ResponseParser parser;
  parser.reset();
  std::string_view half = "HTTP/1.1 200 OK\r\nContent-Le";
  EXPECT_EQ(parser.take(half, false), Result::more);
  EXPECT_TRUE(parser.within());
  parser.reset();
  EXPECT_FALSE(parser.within());
  std::string_view whole = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(parser.take(whole, false), Result::complete);
  EXPECT_EQ(parser.status(), 404U);
}

}  // namespace
}  // namespace sekisho::load
