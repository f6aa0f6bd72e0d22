#include "proxy/policy/path_readings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace sekisho::policy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::vector<std::string> readings(std::string_view target) {
  PathReadings read;
  read.read(target);
  EXPECT_FALSE(read.incomplete()) << target;
  PathReadings alone;
  EXPECT_EQ(alone.usual_of(target), read.usual());
  return {read.all().begin(), read.all().end()};
}

TEST(PathReadings, ACleanPathHasOneAndIsNotCopied) {
  for (const std::string_view target :
       {"/", "/login", "/login/", "/a/b.json", "/~user", "/a.b/c..d", "/a-b_c", "/@x/(y)!$&'*+,=:"}) {
    PathReadings read;
    read.read(target);
    ASSERT_EQ(read.all().size(), 1U) << target;
    EXPECT_EQ(read.usual().data(), target.data());
    EXPECT_EQ(read.usual(), target);
  }
}

TEST(PathReadings, DropsWhatIsNotPath) {
  for (const char* target : {"/login?x=/../y;z%2f//", "/login#x", "/login?#", "http://a.test/login",
                             "HTTPS://a:80/login?q", "/login?http://x/y"})
    EXPECT_THAT(readings(target), ElementsAre("/login")) << target;
  EXPECT_THAT(readings("http://a.test"), ElementsAre("/"));
  EXPECT_THAT(readings("http://a.test?x"), ElementsAre("/"));
  EXPECT_THAT(readings(""), ElementsAre("/"));
  EXPECT_THAT(readings("*"), ElementsAre("*"));
  EXPECT_THAT(readings("login"), ElementsAre("/login"));
}

TEST(PathReadings, FoldsSlashesWithoutDoubt) {
  EXPECT_THAT(readings("//a///b//"), ElementsAre("/a/b/"));
  EXPECT_THAT(readings("//"), ElementsAre("/"));
}

TEST(PathReadings, NeededEscapesAreDecodedWithoutDoubt) {
  EXPECT_THAT(readings("/%E8%A8%98%20x"), ElementsAre("/\xe8\xa8\x98 x"));
  EXPECT_THAT(readings("/100%"), ElementsAre("/100%"));
  EXPECT_THAT(readings("/%zz%4"), ElementsAre("/%zz%4"));
}

TEST(PathReadings, NeedlessEscapesAreAlsoKept) {
  EXPECT_THAT(readings("/%70hpmyadmin"), ElementsAre("/phpmyadmin", "/%70hpmyadmin"));
  EXPECT_THAT(readings("/%4a%4A"), ElementsAre("/JJ", "/%4A%4A"));
}

TEST(PathReadings, DotSegments) {
  EXPECT_THAT(readings("/a/./b"), ElementsAre("/a/b", "/a/./b"));
  EXPECT_THAT(readings("/a/../b"), ElementsAre("/b", "/a/../b"));
  EXPECT_THAT(readings("/../../b/.."), ElementsAre("/", "/../../b/.."));
  EXPECT_THAT(readings("/a/b/."), ElementsAre("/a/b/", "/a/b/."));
  EXPECT_THAT(readings("/a//../b"), UnorderedElementsAre("/b", "/a/../b", "/a/b"));
  EXPECT_THAT(readings("/.../.a/..b"), ElementsAre("/.../.a/..b"));
  EXPECT_THAT(readings("/a/%2e%2E/b"), UnorderedElementsAre("/b", "/a/../b", "/a/%2E%2E/b"));
}

TEST(PathReadings, EncodedSlashes) {
  EXPECT_THAT(readings("/a%2fb"), ElementsAre("/a/b", "/a%2Fb"));
  EXPECT_THAT(readings("/x/..%2fb"), UnorderedElementsAre("/b", "/x/../b", "/x/..%2Fb"));
}

TEST(PathReadings, Backslashes) {
  EXPECT_THAT(readings("/a\\b"), ElementsAre("/a\\b", "/a/b"));
  EXPECT_THAT(readings("/a%5cb"), ElementsAre("/a\\b", "/a/b"));
  EXPECT_THAT(readings("/x\\..\\b"), Contains("/b"));
}

TEST(PathReadings, Parameters) {
  EXPECT_THAT(readings("/a;x=1/b;y"), ElementsAre("/a/b", "/a;x=1/b;y"));
  EXPECT_THAT(readings("/x/..;/b"), UnorderedElementsAre("/b", "/x/../b", "/x/..;/b"));
  EXPECT_THAT(readings("/a%3bx"), ElementsAre("/a", "/a;x"));
}

TEST(PathReadings, EscapesLeftAfterDecoding) {
  EXPECT_THAT(readings("/%2570hp"), UnorderedElementsAre("/%70hp", "/php"));
  EXPECT_THAT(readings("/a%252fb"), Contains("/a/b"));
  EXPECT_THAT(readings("/%25252e%25252e/b"), Contains("/b"));
  EXPECT_THAT(readings("/x/%%32%65%%32%65/b"), Contains("/b"));
}

TEST(PathReadings, LaxDecoders) {
  EXPECT_THAT(readings("/x/%c0%ae%c0%ae/b"), Contains("/b"));
  EXPECT_THAT(readings("/a%c0%afb"), Contains("/a/b"));
  EXPECT_THAT(readings("/a%e0%80%afb"), Contains("/a/b"));
  EXPECT_THAT(readings("/a%f0%80%80%afb"), Contains("/a/b"));
  EXPECT_THAT(readings("/a%u002fb"), Contains("/a/b"));
  EXPECT_THAT(readings("/%u0070hp"), Contains("/php"));
}

TEST(PathReadings, Cuts) {
  EXPECT_THAT(readings("/login%00.css"), UnorderedElementsAre(std::string("/login\0.css", 11), "/login"));
  EXPECT_THAT(readings("/login%3fx"), UnorderedElementsAre("/login?x", "/login"));
  EXPECT_THAT(readings("/login%23x"), UnorderedElementsAre("/login#x", "/login"));
}

TEST(PathReadings, TooManyWaysAreSaid) {
  PathReadings read;
  read.read("/%61/..;x%2f..%5c%c0%af%252e%25252f/%00%3b//..\\b");
  EXPECT_TRUE(read.incomplete());
  EXPECT_LE(read.all().size(), PathReadings::max_readings);
  std::string path = "/a;b";
  path.append(60 * 1024, 'x');
  read.read(path);
  EXPECT_FALSE(read.incomplete());
  path = "/%2e;b\\%2f%252e/";
  path.append(80 * 1024, 'x');
  read.read(path);
  EXPECT_TRUE(read.incomplete());
  read.read("/clean");
  EXPECT_FALSE(read.incomplete());
  EXPECT_THAT(read.all(), ElementsAre("/clean"));
}

// Whatever comes: at least one reading, each begins with "/", has no "//", and the views hold.
TEST(PathReadings, AnyBytesKeepTheShape) {
  std::mt19937 random(11);
  const std::string_view pieces[] = {"/",   "..", ".", "%2f",    "%5c",  "\\", ";",   "%00",
                                     "%25", "%",  "a", "b.c",    "%61",  "//", "%c0", "%af",
                                     "%2e", "?",  "#", "%u002f", "\xff", ":",  "%3b", "http://"};
  PathReadings read;
  for (int i = 0; i < 50000; ++i) {
    std::string target = random() % 8 != 0 ? "/" : "";
    for (auto n = random() % 12; n != 0; --n) target += pieces[random() % std::size(pieces)];
    read.read(target);
    ASSERT_FALSE(read.all().empty());
    ASSERT_LE(read.all().size(), PathReadings::max_readings);
    for (const std::string_view reading : read.all()) {
      ASSERT_TRUE(reading.starts_with('/')) << target;
      ASSERT_EQ(reading.find("//"), std::string_view::npos) << target << " " << reading;
      ASSERT_EQ(std::count(read.all().begin(), read.all().end(), reading), 1) << target;
    }
  }
}

}  // namespace
}  // namespace sekisho::policy
