// YAML's own mistakes and traps, and what a hostile or broken file may not do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/tree.hpp"
#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

std::string only_problem(std::string_view yaml) {
  const auto found = problems(load_yaml(yaml));
  EXPECT_EQ(found.size(), 1U) << testing::PrintToString(found);
  return found.empty() ? "" : found[0];
}

TEST(Yaml, TrapsSayQuoteIt) {
  const std::tuple<std::string_view, std::string_view, std::string_view> cases[] = {
      {"hosts: [*.example.jp]", "1:9: ", "(at *.example.jp): quote it"},
      {"hosts: *.example.jp", "1:8: ", "quote it"},
      {"upstream: x:1\nlimits:\n  - match: {paths: [*.php, /a]}", "3:21: ", "(at *.php): quote it"},
      {"{upstream: ${UPSTREAM}}", "1:13: ", "(at ${UPSTREAM}): quote it"},
      {"upstream: {servers: [${A}]}", "1:", "quote it"},
      {"a: [~^/[a-z]+]", "1:8: ", "(at ~^/[a-z]+): quote it"},
      {"a: {U: ~(?i)sqlmap|nikto}", "1:10: ", "(at ~(?i)sqlmap|nikto): quote it"},
      {"listen: [::]:8443", "1:13: ", "(at [::]:8443): quote it"},
      {"a: @x", "1:4: ", "quote it"},
      {"a: %x", "1:4: ", "quote it"},
      {"a: `x`", "1:4: ", "quote it"},
      {"a: !x", "1:4: ", "quote it"},
      {"a: {paths: [/a{b}]}", "1:", "quote it"},
  };
  for (const auto& [yaml, place, says] : cases) {
    EXPECT_THAT(only_problem(yaml), AllOf(StartsWith(std::string(place)), HasSubstr(std::string(says))))
        << yaml;
  }
}

TEST(Yaml, BrokenText) {
  EXPECT_THAT(only_problem("a: b: c"), StartsWith("1:5: not valid YAML"));
  EXPECT_THAT(only_problem("a:\n\tb: 1"), HasSubstr("tabs"));
  EXPECT_THAT(only_problem("a: [1, 2\nb: 3"), StartsWith("2:2: not valid YAML"));
  EXPECT_THAT(only_problem("upstream: x:1\n  shadow: true"), HasSubstr("indented"));
  EXPECT_THAT(only_problem("- a"), HasSubstr("must be a mapping"));
  EXPECT_THAT(only_problem("? [a]\n: b"), HasSubstr("a key must be a plain word"));
}

TEST(Yaml, AQuoteThatIsNeverClosed) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"upstream: \"x:1\nlimits:\n  - {name: a, rate: 5/s}\n", "1:11: "},
      {"upstream: 'x:1\nshadow: true", "1:11: "},
      {"upstream: x:1\nhosts: ['a', \"b\", 'it''s]\nshadow: true\n", "2:19: "},
      {"upstream: x:1\nlimits:\n  - 'a\n", "3:5: "},
      {"upstream: x:1 # don't\nlog: {access: don't, level: \"info}\n# it's\n", "2:29: "},
      {"upstream: x:1\n\"hosts: [a]\n", "2:1: "},
      {"upstream: \"a\\\"\n", "1:11: "},
      {"upstream: \"関\", 'x", "1:"},
      {"upstream: \"x\n---\ny\"\n", "1:11: "},
      {"\"", "1:1: "},
  };
  for (const auto& [yaml, place] : cases) {
    EXPECT_THAT(only_problem(yaml), StartsWith(std::string(place))) << yaml;
    if (place.size() > 2) {
      EXPECT_THAT(only_problem(yaml), HasSubstr("this quote is never closed")) << yaml;
    }
  }
  EXPECT_TRUE(load_yaml("upstream: \"x:\n  1\"\n").draft);
}

// What is put behind the text to notice that must not be seen.
TEST(Yaml, TheEndOfTheTextIsTheEndOfIt) {
  EXPECT_THAT(only_problem("a: [1, 2"), StartsWith("1:"));
  const Loaded kept =
      load_yaml("upstream: x:1\nlimits: \n - name: a\n   rate: 5/s\n   action:\n    body: |+\n     no\n\n");
  ASSERT_TRUE(kept.config) << testing::PrintToString(problems(kept));
  EXPECT_EQ(kept.config->limits[0].action->body, "no\n\n");
}

TEST(Yaml, ExactlyOneDocument) {
  EXPECT_THAT(only_problem(""), HasSubstr("empty"));
  EXPECT_THAT(only_problem("# nothing\n"), HasSubstr("empty"));
  EXPECT_THAT(only_problem("upstream: x:1\n---\nupstream: y:1\n"),
              AllOf(StartsWith("2:1: "), HasSubstr("one document")));
  EXPECT_TRUE(load_yaml("---\nupstream: x:1\n...\n").config);
}

TEST(Yaml, TextOnly) {
  EXPECT_THAT(only_problem("upstream: x:1\nhosts: a\xff\n"),
              AllOf(StartsWith("2:9: "), HasSubstr("not UTF-8")));
  EXPECT_THAT(only_problem(std::string_view("upstream: x\0:1", 14)),
              AllOf(StartsWith("1:12: "), HasSubstr("NUL")));
  EXPECT_THAT(only_problem("a: \xed\xa0\x80"), HasSubstr("not UTF-8"));
  EXPECT_THAT(only_problem("a: \xc0\xaf"), HasSubstr("not UTF-8"));
  EXPECT_TRUE(load_yaml("upstream: x:1 # 関所\n").config);
  EXPECT_TRUE(load_yaml("upstream: x:1\r\nshadow: true\r\n").config);
  EXPECT_TRUE(load_yaml("\xef\xbb\xbfupstream: x:1\n").config);
}

TEST(Yaml, AliasesStandForWhatTheyName) {
  const Loaded loaded = load_yaml(
      "upstream: x:1\nlimits:\n  - {name: a, rate: 5/s, match: &m {paths: [/x]}}\n  - {name: b, rate: 6/s, "
      "match: *m}\n");
  ASSERT_TRUE(loaded.config) << testing::PrintToString(problems(loaded));
  EXPECT_EQ(loaded.config->limits[1].match.paths->at(0).value, "/x");
}

TEST(Yaml, AProblemBehindAnAliasIsSaidOnce) {
  EXPECT_THAT(only_problem("upstream: x:1\nlimits:\n  - {name: a, rate: 5/s, match: &m {pahts: /x}}\n  - "
                           "{name: b, rate: 6/s, match: *m}\n"),
              StartsWith("3:37: "));
}

TEST(Yaml, AliasesAreBounded) {
  EXPECT_THAT(only_problem("a: &x [*x]"), HasSubstr("inside what it names"));
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string prior = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + prior;
    for (int k = 0; k < 9; ++k) laughs += "," + prior;
    laughs += "]\n";
  }
  EXPECT_THAT(only_problem(laughs), HasSubstr("more than 200000 values"));
  std::string texts = "a: &a " + std::string(1'000'000, 'x') + "\nb: [";
  for (int i = 0; i < 1000; ++i) texts += "*a,";
  EXPECT_THAT(only_problem(texts + "]\n"), HasSubstr("too large"));
}

TEST(Yaml, DepthIsBounded) {
  for (const std::string& deep :
       {std::string(100, '['), std::string(100'000, '['), std::string(100'000, '{')}) {
    EXPECT_EQ(problems(load_yaml(deep)).size(), 1U);
  }
  std::string steps;
  for (int i = 0; i < 100'000; ++i) steps += "- ";
  EXPECT_THAT(only_problem(steps), HasSubstr("deep"));
}

TEST(Yaml, SizeIsBounded) {
  EXPECT_THAT(only_problem(std::string(max_document_bytes + 1, ' ')), HasSubstr("larger than 4096 KiB"));
  const Loaded many = load_yaml("a: [" + [] {
    std::string text;
    for (int i = 0; i < 300'000; ++i) text += "x,";
    return text;
  }() + "]");
  EXPECT_THAT(problems(many), testing::ElementsAre(HasSubstr("more than 200000 values")));
}

}  // namespace
}  // namespace sekisho::config
