// Sources, and what lists take from files and from the environment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string place(const Loaded& loaded, const Text& text) {
  return loaded.diagnostics.format({Severity::error, text.mark, text.value});
}

TEST(Sources, AFileAVariableAndWhatCannotBeRead) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a.yaml", "upstream: x:1\n");
  EXPECT_TRUE(load(path).config);
  EXPECT_EQ(load(path).source_name, path);

  const Environment variable("SEKISHO_T_YAML", "upstream: x:1\nshadow: maybe\n");
  const Loaded from_variable = load("env:SEKISHO_T_YAML");
  ASSERT_EQ(from_variable.diagnostics.all().size(), 1U);
  EXPECT_EQ(from_variable.diagnostics.format(from_variable.diagnostics.all()[0]),
            "env:SEKISHO_T_YAML:2:9: shadow: \"maybe\" is not true or false");

  for (const std::string& source :
       {std::string("/nonexistent/file"), std::string("env:SEKISHO_T_UNSET"), directory.path().string()}) {
    const Loaded loaded = load(source);
    EXPECT_FALSE(loaded.config);
    EXPECT_FALSE(loaded.draft);
    ASSERT_EQ(loaded.diagnostics.all().size(), 1U);
    EXPECT_THAT(loaded.diagnostics.format(loaded.diagnostics.all()[0]), testing::StartsWith(source + ": "));
  }
}

TEST(Sources, EndlessOnesAreCutOff) {
  const Loaded loaded = load("/dev/zero");
  ASSERT_EQ(loaded.diagnostics.all().size(), 1U);
  EXPECT_THAT(loaded.diagnostics.all()[0].message, HasSubstr("larger than"));
}

TEST(Sources, TheDefault) {
  ::unsetenv("SEKISHO_CONFIG");
  EXPECT_EQ(default_source(), "/etc/sekisho/sekisho.yaml");
  const Environment variable("SEKISHO_CONFIG", "env:X");
  EXPECT_EQ(default_source(), "env:X");
}

TEST(Lists, FromAFileBesideTheConfiguration) {
  const TemporaryDirectory directory;
  const std::string list =
      directory.write("networks.txt", "# ours\n192.0.2.0/24   # office\n\n  198.51.100.7 \r\n203.0.113.0/28");
  directory.write("hosts.txt", "www.example.jp\n*.example.jp\n");
  const std::string file = directory.write(
      "a.yaml",
      "upstream: x:1\nhosts: \"file:hosts.txt\"\nexempt: {networks: [10.0.0.1, \"file:networks.txt\"]}\n");
  const Loaded loaded = load(file);
  ASSERT_TRUE(loaded.config) << testing::PrintToString(problems(loaded));
  const Texts& networks = *loaded.config->exempt.at(0).networks;
  std::vector<std::string> places;
  for (const Text& text : networks) places.push_back(place(loaded, text));
  EXPECT_THAT(places, ElementsAre(file + ":3:21: 10.0.0.1", list + ":2:1: 192.0.2.0/24",
                                  list + ":4:3: 198.51.100.7", list + ":5:1: 203.0.113.0/28"));
  EXPECT_EQ(loaded.config->hosts.allow.size(), 2U);
}

TEST(Lists, AHashInsideAnEntryIsPartOfIt) {
  const TemporaryDirectory directory;
  directory.write("paths.txt", "~^/a#b # comment\n");
  const Loaded loaded = load_yaml("upstream: x:1\nexempt: {paths: \"file:paths.txt\"}\n", directory.path());
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->exempt[0].paths->at(0).value, "~^/a#b");
}

TEST(Lists, FromAVariable) {
  const Environment variable("SEKISHO_T_NETS", "192.0.2.0/24, 198.51.100.7\n203.0.113.1");
  const Loaded loaded = load_yaml("upstream: x:1\nclient_ip: {trusted_proxies: \"env:SEKISHO_T_NETS\"}\n");
  ASSERT_TRUE(loaded.config) << testing::PrintToString(problems(loaded));
  const Texts& proxies = loaded.config->client_ip.trusted_proxies;
  std::vector<std::string> places;
  for (const Text& text : proxies) places.push_back(place(loaded, text));
  EXPECT_THAT(places,
              ElementsAre("env:SEKISHO_T_NETS:1:1: 192.0.2.0/24", "env:SEKISHO_T_NETS:1:15: 198.51.100.7",
                          "env:SEKISHO_T_NETS:2:1: 203.0.113.1"));
}

TEST(Lists, HeaderValuesAndPathsToo) {
  const TemporaryDirectory directory;
  directory.write("agents.txt", "~(?i)sqlmap\n~(?i)nikto\n");
  const Loaded loaded =
      load_yaml("upstream: x:1\nexempt: {headers: {User-Agent: \"file:agents.txt\"}}\n", directory.path());
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->exempt[0].headers[0].values.size(), 2U);
}

TEST(Lists, AnEmptyFileIsAnEmptyList) {
  const TemporaryDirectory directory;
  directory.write("none.txt", "# nobody yet\n");
  const Loaded loaded =
      load_yaml("upstream: x:1\nlimits: [{name: a, block: true, match: {networks: \"file:none.txt\"}}]\n",
                directory.path());
  ASSERT_TRUE(loaded.config) << testing::PrintToString(problems(loaded));
  ASSERT_TRUE(loaded.config->limits[0].match.networks);
  EXPECT_TRUE(loaded.config->limits[0].match.networks->empty());
}

TEST(Lists, AHostGuardWithoutNamesIsNoGuard) {
  const TemporaryDirectory directory;
  directory.write("none.txt", "# later\n");
  const Environment variable("SEKISHO_T_HOSTS", " ");
  for (const std::string_view hosts : {"env:SEKISHO_T_HOSTS", "[env:SEKISHO_T_HOSTS, file:none.txt]",
                                       "{allow: env:SEKISHO_T_HOSTS}", "{allow: [file:none.txt]}"}) {
    EXPECT_THAT(problems(load_yaml("upstream: x:1\nhosts: " + std::string(hosts) + "\n", directory.path())),
                ElementsAre(HasSubstr("names no host: every name would be let in")))
        << hosts;
  }
  EXPECT_THAT(problems(load_yaml("upstream: x:1\nhosts: env:SEKISHO_T_NO\n")),
              ElementsAre(HasSubstr("is not set")));
  EXPECT_TRUE(load_yaml("upstream: x:1\nhosts: []\n").config);
  EXPECT_TRUE(load_yaml("upstream: x:1\nhosts: [env:SEKISHO_T_HOSTS, a.example]\n").config);
}

TEST(Lists, AByteOrderMarkIsNoPartOfTheFirstEntry) {
  const TemporaryDirectory directory;
  directory.write("hosts.txt", "\xef\xbb\xbf# ours\nwww.example.jp\n");
  const Loaded loaded = load_yaml("upstream: x:1\nhosts: file:hosts.txt\n", directory.path());
  ASSERT_TRUE(loaded.config) << testing::PrintToString(problems(loaded));
  ASSERT_EQ(loaded.config->hosts.allow.size(), 1U);
  EXPECT_EQ(loaded.config->hosts.allow[0].value, "www.example.jp");
}

TEST(Lists, WhatIsNoTextFile) {
  const TemporaryDirectory directory;
  directory.write("bad.txt", "10.0.0.1\n\xff\xfe\n");
  EXPECT_THAT(problems(load_yaml("upstream: x:1\nhosts: \"file:bad.txt\"\n", directory.path())),
              ElementsAre(HasSubstr("not UTF-8")));
  EXPECT_THAT(problems(load_yaml("upstream: x:1\nhosts: \"file:.\"\n", directory.path())),
              ElementsAre(HasSubstr("not a regular file")));
  EXPECT_THAT(problems(load_yaml("upstream: x:1\nhosts: \"file:\"\n", directory.path())),
              ElementsAre(HasSubstr("needs a path")));
}

TEST(Lists, ABodyFromAFile) {
  const TemporaryDirectory directory;
  directory.write("sorry.html", "<p>${HOME} stays as it is</p>");
  const Loaded loaded = load_yaml(
      "upstream: x:1\nlimits: [{name: a, rate: 5/s, action: {body: \"file:sorry.html\", content_type: "
      "text/html}}]\n",
      directory.path());
  ASSERT_TRUE(loaded.config) << testing::PrintToString(problems(loaded));
  EXPECT_EQ(loaded.config->limits[0].action->body, "<p>${HOME} stays as it is</p>");
}

}  // namespace
}  // namespace sekisho::config
