// Runs the cases of tests/data/framing: whole, byte by byte, and cut in two at every place.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>

#include "proxy/chunk_decoder.hpp"
#include "proxy/request_parser.hpp"
#include "proxy/response_parser.hpp"
#include "tests/proxy/framing_case.hpp"
#include "tests/support/beast_head.hpp"

namespace sekisho::test {

void PrintTo(const FramingCase& entry, std::ostream* out) {
  *out << entry.file << ": " << entry.name;
}

namespace {

using proxy::Framing;
using proxy::ParseStatus;

using Words = std::map<std::string, std::string>;
using Fields = std::vector<std::pair<std::string, std::string>>;

// All that a parser said about one input, as text.
struct Verdict {
  std::string verdict;
  Words words;
  Fields fields;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

std::string framing_text(Framing framing, std::uint64_t length) {
  switch (framing) {
    case Framing::none:
      return "none";
    case Framing::length:
      return "length:" + std::to_string(length);
    case Framing::chunked:
      return "chunked";
    case Framing::until_close:
      return "until_close";
  }
  return "?";
}

std::string yes_or_no(bool value) {
  return value ? "yes" : "no";
}

template <typename Head>
void describe_common(const Head& head, const proxy::ParseResult& result, std::size_t size, Verdict& verdict) {
  verdict.words["framing"] = framing_text(head.framing, head.content_length);
  verdict.words["keep"] = yes_or_no(head.keep_alive);
  verdict.words["version"] = std::to_string(head.version);
  verdict.words["fields"] = std::to_string(head.fields.size());
  verdict.words["rest"] = std::to_string(size - result.consumed);
  for (const auto& field : head.fields) verdict.fields.emplace_back(field.name, field.value);
}

void describe(const proxy::RequestHead& head, Verdict& verdict) {
  verdict.words["method"] = head.method;
  verdict.words["target"] = head.target;
  verdict.words["expect"] = yes_or_no(head.expect_continue);
  verdict.words["upgrade"] = yes_or_no(head.upgrade);
}

void describe(const proxy::ResponseHead& head, Verdict& verdict) {
  verdict.words["status"] = std::to_string(head.status);
  verdict.words["events"] = yes_or_no(head.event_stream);
}

template <typename Head, typename Beast>
void expect_same_fields(const Head& head, const Beast& beast) {
  Fields ours, theirs;
  for (const auto& field : head.fields) ours.emplace_back(field.name, field.value);
  for (const auto& [name, value] : beast.fields) theirs.emplace_back(name, value);
  EXPECT_EQ(ours, theirs);
  EXPECT_EQ(head.version, beast.version);
}

// What our parsers take, Beast's takes as the same.
void compare_with_beast(std::string_view input, const proxy::RequestHead& head) {
  BeastHead<true> beast;
  EXPECT_TRUE(beast.record(input.substr(input.find_first_not_of("\r\n"))));
  EXPECT_EQ(head.method, beast.method);
  EXPECT_EQ(head.target, beast.target);
  expect_same_fields(head, beast);
}

void compare_with_beast(std::string_view input, const proxy::ResponseHead& head) {
  BeastHead<false> beast;
  EXPECT_TRUE(beast.record(input));
  EXPECT_EQ(head.status, beast.status);
  EXPECT_EQ(head.reason, beast.reason);
  expect_same_fields(head, beast);
}

// Where the input is cut: the parser sees the prefix of each of these lengths in turn.
using Cuts = std::vector<std::size_t>;

template <typename Parser, typename Head>
Verdict run_parser(const FramingCase& entry, const Cuts& cuts, Parser& parser, Head& head) {
  Verdict verdict;
  for (const std::size_t cut : cuts) {
    // A block of its very size, elsewhere each time: a read past its end is seen by AddressSanitizer.
    const std::unique_ptr<char[]> copy(new char[cut]);
    entry.input.copy(copy.get(), cut);
    const auto result = parser.parse({copy.get(), cut}, head);
    if (result.status == ParseStatus::incomplete) {
      verdict.verdict = "more";
      continue;
    }
    if (result.status == ParseStatus::failed) {
      verdict.verdict = std::to_string(result.error_status);
      EXPECT_NE(std::string(result.reason), "");
      return verdict;
    }
    verdict.verdict = "ok";
    describe_common(head, result, entry.input.size(), verdict);
    describe(head, verdict);
    compare_with_beast({copy.get(), result.consumed}, head);
    return verdict;
  }
  return verdict;
}

Verdict run_chunked(const FramingCase& entry, const Cuts& cuts) {
  Verdict verdict{"more", {}, {}};
  proxy::ChunkDecoder decoder;
  decoder.reset();
  std::string data, trailers;
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    while (verdict.verdict == "more") {
      const std::string part = entry.input.substr(at, cut - at);
      const auto step = decoder.step(part);
      at += step.consumed;
      data += step.data;
      trailers += step.trailers;
      if (step.status == proxy::ChunkDecoder::Status::failed) verdict.verdict = "failed";
      if (step.status == proxy::ChunkDecoder::Status::done) {
        verdict.verdict = "ok";
        verdict.words["rest"] = std::to_string(entry.input.size() - at);
      }
      if (step.status == proxy::ChunkDecoder::Status::more) {
        EXPECT_EQ(at, cut);
        break;
      }
    }
  }
  verdict.words["data"] = data;
  verdict.words["trailers"] = trailers;
  return verdict;
}

Verdict run(const FramingCase& entry, const Cuts& cuts) {
  const proxy::HeadLimits limits{entry.max_bytes, entry.max_fields};
  if (entry.kind == "request") {
    proxy::RequestParser parser;
    parser.set_limits(limits);
    parser.reset();
    proxy::RequestHead head;
    return run_parser(entry, cuts, parser, head);
  }
  if (entry.kind == "response") {
    proxy::ResponseParser parser;
    parser.set_limits(limits);
    parser.reset(entry.method);
    proxy::ResponseHead head;
    return run_parser(entry, cuts, parser, head);
  }
  return run_chunked(entry, cuts);
}

std::vector<FramingCase> all_cases() {
  return read_framing_cases(SEKISHO_SOURCE_DIR "/tests/data/framing");
}

class FramingTest : public testing::TestWithParam<FramingCase> {};

TEST_P(FramingTest, SaysWhatTheCaseWants) {
  const FramingCase& entry = GetParam();
  ASSERT_FALSE(entry.kind.empty());
  ASSERT_FALSE(entry.verdict.empty());
  const Verdict verdict = run(entry, {entry.input.size()});
  EXPECT_EQ(verdict.verdict, entry.verdict);
  for (const auto& [word, value] : entry.words) {
    const auto found = verdict.words.find(word);
    ASSERT_NE(found, verdict.words.end()) << word;
    EXPECT_EQ(found->second, value) << word;
  }
  for (const auto& field : entry.fields) {
    EXPECT_NE(std::find(verdict.fields.begin(), verdict.fields.end(), field), verdict.fields.end())
        << field.first << ": " << field.second;
  }
}

TEST_P(FramingTest, SaysTheSameHoweverTheInputIsCut) {
  const FramingCase& entry = GetParam();
  const std::size_t size = entry.input.size();
  const Verdict whole = run(entry, {size});
  const std::size_t stride = size > 2000 ? size / 50 : 1;
  Cuts single;
  for (std::size_t cut = 1; cut <= size; cut += stride) single.push_back(cut);
  single.push_back(size);
  EXPECT_EQ(run(entry, single), whole) << "byte by byte";
  for (std::size_t cut = 0; cut < size; cut += stride)
    EXPECT_EQ(run(entry, {cut, size}), whole) << "at " << cut;
}

INSTANTIATE_TEST_SUITE_P(Cases, FramingTest, testing::ValuesIn(all_cases()));

TEST(FramingCases, AreAllThere) {
  EXPECT_GE(all_cases().size(), 250U);
}

TEST(RequestParser, StaysFailedUntilReset) {
  proxy::RequestParser parser;
  proxy::RequestHead head;
  parser.reset();
  EXPECT_EQ(parser.parse("GET /\n", head).error_status, 400U);
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head).error_status, 400U);
  parser.reset();
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head).status, ParseStatus::complete);
  parser.reset();
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\nExpect: x\r\n\r\n", head).error_status, 417U);
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\nExpect: x\r\n\r\n", head).error_status, 417U);
}

TEST(RequestParser, ForgetsThePreviousRequest) {
  proxy::RequestParser parser;
  proxy::RequestHead head;
  parser.reset();
  ASSERT_EQ(parser
                .parse("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"
                       "Connection: close\r\n\r\n",
                       head)
                .status,
            ParseStatus::complete);
  parser.reset();
  ASSERT_EQ(parser.parse("GET /x HTTP/1.1\r\nHost: b\r\n\r\n", head).status, ParseStatus::complete);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expect_continue);
  EXPECT_EQ(head.framing, Framing::none);
  EXPECT_EQ(head.content_length, 0U);
  EXPECT_EQ(head.fields.size(), 1U);
}

TEST(ChunkDecoder, StaysFailedUntilReset) {
  proxy::ChunkDecoder decoder;
  EXPECT_EQ(decoder.step("z").status, proxy::ChunkDecoder::Status::failed);
  EXPECT_EQ(decoder.step("0\r\n\r\n").status, proxy::ChunkDecoder::Status::failed);
  decoder.reset();
  EXPECT_EQ(decoder.step("0\r\n\r\n").status, proxy::ChunkDecoder::Status::done);
  EXPECT_EQ(decoder.step("0\r\n\r\n").consumed, 0U);
}

}  // namespace
}  // namespace sekisho::test
