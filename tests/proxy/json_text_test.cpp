#include "proxy/json_text.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace sekisho::proxy {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  append_json_escaped(out, text);
  return out;
}

TEST(JsonText, EscapesWhatMustNotStandInALine) {
  EXPECT_EQ(escaped("plain /path?x=1"), "plain /path?x=1");
  EXPECT_EQ(escaped("\"\\"), "\\\"\\\\");
  EXPECT_EQ(escaped(std::string_view("\0\n\r\x1b\x7f", 5)), "\\u0000\\u000a\\u000d\\u001b\\u007f");
  EXPECT_EQ(escaped("\xe9\x96\xa2\xe6\x89\x80 \xf0\x9f\x9a\xa7"),
            "\xe9\x96\xa2\xe6\x89\x80 \xf0\x9f\x9a\xa7");
  EXPECT_EQ(escaped("\xe2\x80\xa8|\xc2\x85"), "\\u2028|\\u0085") << "line ends to some readers";
}

TEST(JsonText, ReplacesEachByteThatIsNoUtf8) {
  EXPECT_EQ(escaped("\xff"), "\\u00ff");
  EXPECT_EQ(escaped("\xc0\xaf"), "\\u00c0\\u00af") << "overlong";
  EXPECT_EQ(escaped("\xe0\x80\xaf"), "\\u00e0\\u0080\\u00af") << "overlong";
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\u00ed\\u00a0\\u0080") << "a surrogate";
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\u00f4\\u0090\\u0080\\u0080") << "above U+10FFFF";
  EXPECT_EQ(escaped("a\xe9\x96"), "a\\u00e9\\u0096") << "cut short";
  EXPECT_EQ(escaped("\xc3\"x"), "\\u00c3\\\"x") << "a quote is no continuation";
}

TEST(JsonText, NoByteStringBreaksOut) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const char text[] = {static_cast<char>(first), static_cast<char>(second), '"'};
      const std::string out = escaped({text, 3});
      ASSERT_EQ(out.substr(out.size() - 2), "\\\"") << first << " " << second;
      for (const char c : out) ASSERT_GE(static_cast<unsigned char>(c), 0x20) << first << " " << second;
    }
  }
}

// The run and the escaping byte by byte, for the ways that take blocks.
std::size_t slow_run(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && json_detail::plain(text[size])) ++size;
  return size;
}

std::string slowly_escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (json_detail::plain(text.front())) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      text.remove_prefix(json_detail::append_escaped_front(out, text));
    }
  }
  return out;
}

template <class AnyBlock>
void check_run(std::string_view text) {
  const std::size_t run = slow_run(text);
  ASSERT_EQ(json_detail::plain_run<AnyBlock>(text), run) << slowly_escaped(text);
  std::vector<char> out(text.size() + json_detail::copy_slack);
  ASSERT_EQ(json_detail::copy_plain_run<AnyBlock>(out.data(), text), run) << slowly_escaped(text);
  ASSERT_EQ(std::string_view(out.data(), run), text.substr(0, run));
}

// Text and space are of the very sizes, for AddressSanitizer.
void check(const std::vector<char>& bytes) {
  const std::string_view text(bytes.data(), bytes.size());
  check_run<json_detail::WordBlock>(text);
  check_run<json_detail::Block>(text);
  const std::string expected = slowly_escaped(text);
  ASSERT_EQ(escaped(text), expected);
  std::vector<char> space(json_escaped_bound(text.size()));
  const char* end = write_json_escaped(space.data(), text);
  ASSERT_EQ(std::string_view(space.data(), static_cast<std::size_t>(end - space.data())), expected);
}

constexpr std::string_view edges("\0\x01\x1f\x20!\"#[\\]~\x7f\x80\x9f\xa0\xc2\xe2\xff", 18);

TEST(JsonText, EveryByteAtEveryPlaceOfEveryLength) {
  for (std::size_t length = 0; length <= 40; ++length) {
    check(std::vector<char>(length, 'a'));
    for (std::size_t place = 0; place < length; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        std::vector<char> text(length, 'a');
        text[place] = static_cast<char>(byte);
        check(text);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(JsonText, SomeBytesAtRandomPlaces) {
  std::mt19937 random(1);
  for (int round = 0; round < 100'000; ++round) {
    std::vector<char> text(random() % 80);
    const auto share = random() % 20 + 1;
    for (char& byte : text) {
      byte = random() % share == 0 ? edges[random() % edges.size()] : static_cast<char>(' ' + random() % 95);
    }
    check(text);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace sekisho::proxy
