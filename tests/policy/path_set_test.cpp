#include "proxy/policy/path_set.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sekisho::policy {
namespace {

PathSet set_of(const std::vector<std::string>& patterns) {
  config::Texts texts;
  for (const std::string& pattern : patterns) texts.push_back({pattern, {}});
  config::Diagnostics diagnostics;
  PathSet set = PathSet::compile(texts, diagnostics);
  for (const auto& problem : diagnostics.all()) ADD_FAILURE() << problem.message;
  return set;
}

bool matches(const std::string& pattern, std::string_view path) {
  return set_of({pattern}).matches(path).matched;
}

TEST(PathPattern, Table) {
  struct Case {
    const char* pattern;
    std::vector<const char*> yes, no;
  };
  const Case cases[] = {
      {"/", {"/"}, {"/a", "/.json"}},
      {"/login",
       {"/login", "/login/", "/login.json", "/login.json/", "/login.html"},
       {"/Login", "/log", "/logins", "/login/x", "/x/login", "/login.", "/login/.json", "/loginxjson",
        "/login.a.b"}},
      {"/login/", {"/login", "/login/", "/login.json"}, {"/login/x"}},
      {"/feed.json", {"/feed.json", "/feed.json/"}, {"/feed", "/feed.xml"}},
      {"=/login", {"/login"}, {"/login/", "/login.json", "/Login"}},
      {"=/a*b", {"/a*b"}, {"/axb"}},
      {"/100%/%zz%", {"/100%/%zz%"}, {"/100"}},
      {"/caf\u00e9", {"/caf\u00e9", "/caf\u00e9.json"}, {"/caf%C3%A9"}},
      {"/users/*", {"/users/1", "/users/1/", "/users/a.json"}, {"/users", "/users/", "/users/1/edit"}},
      {"/users/*/edit",
       {"/users/1/edit", "/users/1/edit.json", "/users/1/edit/"},
       {"/users/edit", "/users/1/2/edit"}},
      {"/*.php", {"/a.php", "/.php", "/a.php/"}, {"/a.php.json", "/a/b.php", "/a.phpx"}},
      {"/a*b*c", {"/abc", "/axbxc", "/abbbcc"}, {"/ab", "/acb", "/a/bc"}},
      {"/admin/**",
       {"/admin", "/admin/", "/admin/a", "/admin/a/b.c", "/admin.json"},
       {"/admins", "/x/admin", "/adminx/y"}},
      {"/**", {"/", "/a", "/a/b/"}, {}},
      {"/**/x", {"/x", "/a/x", "/a/b/x.json", "/x/x/"}, {"/xx", "/x/y", "/ax"}},
      {"/a/**/b", {"/a/b", "/a/x/b", "/a/x/y/b", "/a/b/b"}, {"/a", "/b", "/a/bb", "/ab"}},
      {"/a/**/b/**/c", {"/a/b/c", "/a/x/b/y/c", "/a/b/b/c/c"}, {"/a/c/b", "/a/b/cc"}},
      {"/**/a*/**", {"/a", "/x/ab/c"}, {"/b", "/xa"}},
      {"/**/**/x", {"/x", "/a/b/x"}, {"/y"}},
      {"~^/wp-[a-z]+", {"/wp-admin", "/wp-x/y"}, {"/x/wp-admin", "/WP-admin"}},
      {"~(?i)sql", {"/a/MySQL"}, {"/sq"}},
      {"~^/a.b$",
       {"/a\nb",
        "/a\xff"
        "b"},
       {"/ab"}},
  };
  for (const Case& test : cases) {
    for (const char* path : test.yes) EXPECT_TRUE(matches(test.pattern, path)) << test.pattern << " " << path;
    for (const char* path : test.no) EXPECT_FALSE(matches(test.pattern, path)) << test.pattern << " " << path;
  }
}

TEST(PathPattern, ProblemsAreLocated) {
  for (const char* pattern : {"",
                              "login",
                              "=login",
                              "=",
                              "/a//b",
                              "/a/../b",
                              "/./a",
                              "/a**",
                              "/**a/b",
                              "/a?x",
                              "/a#b",
                              "/caf%C3%A9",
                              "/foo%20bar",
                              "=/a%2fb",
                              "/a*/%7euser/**",
                              "=//x",
                              "=/a//b",
                              "=/a/../b",
                              "~(",
                              "~[",
                              "builtin:nothing",
                              "builtin:probes/word",
                              "*"}) {
    config::Diagnostics diagnostics;
    PathSet::compile({{pattern, {0, 5, 9}}}, diagnostics);
    ASSERT_EQ(diagnostics.all().size(), 1U) << pattern;
    EXPECT_EQ(diagnostics.all()[0].mark.line, 5U) << pattern;
    EXPECT_EQ(diagnostics.all()[0].mark.column, 9U) << pattern;
  }
  config::Diagnostics diagnostics;
  PathSet::compile({{"login", {}}, {"builtin:probes/wordpres", {}}}, diagnostics);
  EXPECT_NE(diagnostics.all()[0].message.find("did you mean \"/login\"?"), std::string::npos);
  EXPECT_NE(diagnostics.all()[1].message.find("did you mean builtin:probes/wordpress?"), std::string::npos)
      << diagnostics.all()[1].message;
  PathSet::compile({{"/foo%20bar", {}}}, diagnostics);
  EXPECT_NE(diagnostics.all()[2].message.find("write the decoded character, not %20"), std::string::npos)
      << diagnostics.all()[2].message;
}

TEST(PathSet, SaysWhatMatched) {
  const PathSet set = set_of({"/login", "/admin/**", "~secret", "builtin:probes/wordpress"});
  EXPECT_EQ(set.matches("/login.json").pattern, "/login");
  EXPECT_EQ(set.matches("/admin/x").pattern, "/admin/**");
  EXPECT_EQ(set.matches("/my-secret").pattern, "~secret");
  const PathMatch probe = set.matches("/x/WP-Login.php");
  EXPECT_EQ(probe.pattern, "builtin:probes/wordpress");
  EXPECT_EQ(probe.entry, "/**/wp-login.*/**");
  EXPECT_FALSE(set.matches("/phpmyadmin"));
  EXPECT_FALSE(set_of({}).matches("/"));
}

TEST(PathSet, AnyReadingMatchesEveryReadingExempts) {
  PathReadings read;
  const PathSet assets = set_of({"/assets/**"});
  read.read("/assets/..%2fusers/sign_in");
  EXPECT_TRUE(assets.matches_any(read));
  EXPECT_FALSE(assets.matches_all(read));
  EXPECT_EQ(set_of({"/users/sign_in"}).matches_any(read).reading, "/users/sign_in");
  read.read("/assets/a.css");
  EXPECT_TRUE(assets.matches_all(read));
  read.read("/%61/..;x%2f..%5c%c0%af%252e%25252f/%00%3b//..\\b");
  ASSERT_TRUE(read.incomplete());
  EXPECT_TRUE(assets.matches_any(read));
  EXPECT_FALSE(set_of({"/**"}).matches_all(read));
}

// Many patterns compiled together say what each says alone.
TEST(PathSet, AgreesWithItsPatternsOneByOne) {
  std::mt19937 random(3);
  const std::string_view segments[] = {"a", "b", "ab", "a*", "*b", "*", "**", "ba", "a*b"};
  const std::string_view words[] = {"a", "b", "ab", "ba", "aab", "c", "a.b", "b.json"};
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> patterns;
    for (int i = 0; i < 12; ++i) {
      std::string pattern;
      for (auto n = random() % 4 + 1; n != 0; --n)
        pattern += "/" + std::string(segments[random() % std::size(segments)]);
      patterns.push_back(pattern);
    }
    const PathSet set = set_of(patterns);
    for (int i = 0; i < 60; ++i) {
      std::string path;
      for (auto n = random() % 5; n != 0; --n) path += "/" + std::string(words[random() % std::size(words)]);
      if (path.empty() || random() % 4 == 0) path += "/";
      bool expected = false;
      for (const std::string& pattern : patterns) {
        std::string problem;
        expected = expected || PathPattern::parse(pattern, problem)->matches(path);
      }
      ASSERT_EQ(set.matches(path).matched, expected) << path << " " << testing::PrintToString(patterns);
    }
  }
}

// It remembers paths: whatever was asked before, in however few places they had to share, it says what a set
// says that was asked nothing.
TEST(PathSet, SaysTheSameWhateverItWasAskedBefore) {
  std::vector<std::string> paths = {
      "/",           "/users/sign_in",        "/users/sign_in/", "/users/sign_in.json",
      "/phpmyadmin", "/PHPmyAdmin/index.php", "/admin",          "/admin/a/b",
      "/articles"};
  // Of one size, and different in one byte: many of them fall into one place.
  for (int number = 0; number < 300; ++number) {
    std::string path = "/admin/page/" + std::to_string(1000 + number) + "/edit";
    paths.push_back(path);
    path[1] = 'A';
    paths.push_back(path);
  }
  for (std::size_t size = 50; size < 60; ++size) paths.push_back("/admin/" + std::string(size, 'x'));
  const auto make_set = [] { return set_of({"/users/sign_in", "/admin/**", "builtin:probes"}); };
  const PathSet set = make_set();
  PathReadings readings;
  for (int round = 0; round < 3; ++round) {
    for (const std::string& path : paths) {
      readings.read(path);
      const PathMatch match = set.matches_any(readings);
      const PathSet untouched = make_set();
      const PathMatch fresh = untouched.matches_any(readings);
      EXPECT_EQ(match.matched, fresh.matched) << path;
      EXPECT_EQ(match.pattern, fresh.pattern) << path;
      EXPECT_EQ(match.entry, fresh.entry) << path;
      EXPECT_EQ(match.reading, fresh.reading) << path;
      EXPECT_TRUE(!match || match.reading.data() == readings.usual().data())
          << "no view into what is remembered";
    }
  }
}

}  // namespace
}  // namespace sekisho::policy
