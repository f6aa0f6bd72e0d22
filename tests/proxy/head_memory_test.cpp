// What is recalled of a head is what reading it anew gives.
#include "proxy/head_memory.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "proxy/request_parser.hpp"

namespace sekisho::proxy {
namespace {

std::string with(std::string_view fields, std::string_view target = "/articles/12") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: www.example.jp\r\n" + std::string(fields) +
         "\r\n";
}

ParseResult read(std::string_view input, RequestHead& head) {
  RequestParser parser;
  parser.reset();
  return parser.parse(input, head);
}

// Reads the head at the front of `input` by memory or else anew, as a connection does. How long it is.
std::size_t take(HeadMemory& memory, std::string_view input, RequestHead& head, bool* known = nullptr) {
  const std::size_t recalled = memory.recall(input, head);
  if (known != nullptr) *known = recalled != 0;
  if (recalled != 0) return recalled;
  const ParseResult result = read(input, head);
  EXPECT_EQ(result.status, ParseStatus::complete) << input;
  memory.note(input.substr(0, result.consumed), head);
  return result.consumed;
}

// Equal in all but the serial number, each with its views into its own text.
void expect_equal(const RequestHead& a, const RequestHead& b) {
  EXPECT_EQ(a.method, b.method);
  EXPECT_EQ(a.target, b.target);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.framing, b.framing);
  EXPECT_EQ(a.content_length, b.content_length);
  EXPECT_EQ(a.keep_alive, b.keep_alive);
  EXPECT_EQ(a.last, b.last);
  EXPECT_EQ(a.expect_continue, b.expect_continue);
  EXPECT_EQ(a.upgrade, b.upgrade);
  ASSERT_EQ(a.fields.size(), b.fields.size());
  for (std::size_t i = 0; i < a.fields.size(); ++i) {
    EXPECT_EQ(a.fields[i].name, b.fields[i].name);
    EXPECT_EQ(a.fields[i].value, b.fields[i].value);
    EXPECT_EQ(a.fields[i].id, b.fields[i].id);
  }
}

bool inside(std::string_view view, std::string_view text) {
  return view.empty() ||
         (view.data() >= text.data() && view.data() + view.size() <= text.data() + text.size());
}

TEST(HeadMemory, KnowsWhatCameTwice) {
  HeadMemory memory;
  const std::string text = with("User-Agent: a\r\nX-Empty:\r\n");
  RequestHead head;
  bool known = false;
  take(memory, text, head, &known);
  EXPECT_FALSE(known);
  EXPECT_EQ(head.serial, 0U);
  take(memory, text, head, &known);
  EXPECT_FALSE(known);
  const std::uint64_t serial = head.serial;
  EXPECT_NE(serial, 0U);

  const std::string again = text + "GET / HTTP/1.1\r\n";  // the next one behind it
  RequestHead recalled, anew;
  EXPECT_EQ(take(memory, again, recalled, &known), text.size());
  EXPECT_TRUE(known);
  EXPECT_EQ(recalled.serial, serial);
  read(again, anew);
  expect_equal(recalled, anew);
  for (const Field& field : recalled.fields)
    EXPECT_TRUE(inside(field.name, again) && inside(field.value, again));
  EXPECT_TRUE(inside(recalled.method, again) && inside(recalled.target, again));
}

TEST(HeadMemory, ForgetsWhatAnotherTookThePlaceOf) {
  HeadMemory memory;
  RequestHead head;
  const std::string a = with("X-Forwarded-For: 198.51.100.7\r\n"),
                    b = with("X-Forwarded-For: 198.51.100.8\r\n");
  for (int i = 0; i < 3; ++i) take(memory, a, head);
  const std::uint64_t serial = head.serial;
  for (int i = 0; i < 3; ++i) take(memory, b, head);
  EXPECT_NE(head.serial, serial);
  EXPECT_EQ(memory.recall(a, head), 0U);
  EXPECT_EQ(head.fields.back().value, "198.51.100.8");
}

TEST(HeadMemory, NeedsAllOfAHead) {
  HeadMemory memory;
  RequestHead head;
  const std::string text = with("Accept: */*\r\n");
  for (int i = 0; i < 3; ++i) take(memory, text, head);
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_EQ(memory.recall(std::string_view(text).substr(0, size), head), 0U) << size;
  EXPECT_EQ(memory.recall(text, head), text.size());
}

TEST(HeadMemory, KeepsToTheBounds) {
  HeadMemory memory;
  RequestHead head;
  const std::string text = with("A: 1\r\nB: 2\r\n");
  for (int i = 0; i < 3; ++i) take(memory, text, head);
  memory.set_limits({text.size() - 1, 100});
  EXPECT_EQ(memory.recall(text, head), 0U);
  memory.set_limits({text.size(), 2});
  EXPECT_EQ(memory.recall(text, head), 0U);
  memory.set_limits({text.size(), 3});
  EXPECT_EQ(memory.recall(text, head), text.size());

  const std::string longest = with("A: " + std::string(HeadMemory::longest, 'a') + "\r\n");
  for (int i = 0; i < 3; ++i) take(memory, longest, head);
  EXPECT_EQ(memory.recall(longest, head), 0U);
  EXPECT_EQ(head.serial, 0U);
  const std::string shortest = "GET / HTTP/1.0\r\n\r\n";
  for (int i = 0; i < 3; ++i) take(memory, shortest, head);
  EXPECT_EQ(memory.recall(shortest, head), 0U);
}

// Heads of every kind in any order, some often and some once.
TEST(HeadMemory, SaysWhatReadingAnewSays) {
  const std::vector<std::string> fields = {
      "",
      "Connection: close\r\n",
      "Connection: keep-alive, X-A\r\nX-A: 1\r\n",
      "Content-Length: 7\r\n",
      "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n",
      "Connection: Upgrade\r\nUpgrade: websocket\r\n",
      "X-Forwarded-For:  198.51.100.7 ,10.0.0.1\t\r\nx-request-id: abc\r\n",
      "Cookie: a=b\r\nCookie: c=d\r\nAccept: application/json\r\n",
  };
  const std::vector<std::string> starts = {
      "GET /a/long/enough/path HTTP/1.1", "POST /a/long/enough/path HTTP/1.1",
      "HEAD http://www.example.jp/other HTTP/1.1", "\r\nGET /x?y=z&more=1 HTTP/1.1"};
  std::mt19937 random(20261128);
  HeadMemory memory;
  unsigned recalled = 0;
  std::map<std::uint64_t, std::string> by_serial;
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t kind = random() % 100 < 80 ? random() % 3 : random();
    std::string text =
        starts[kind % starts.size()] + "\r\nHost: h\r\n" + fields[kind / 3 % fields.size()] + "\r\n";
    if (random() % 3 == 0) text += "GET / HTTP/1.1\r\nHost: next\r\n\r\n";
    RequestHead head, anew;
    bool known = false;
    const std::size_t size = take(memory, text, head, &known);
    ASSERT_EQ(read(text, anew).consumed, size);
    expect_equal(head, anew);
    recalled += known ? 1 : 0;
    if (head.serial != 0) {
      const std::string bytes = text.substr(0, size);
      EXPECT_EQ(by_serial.emplace(head.serial, bytes).first->second, bytes);
    }
  }
  EXPECT_GT(recalled, 5000U);
}

}  // namespace
}  // namespace sekisho::proxy
