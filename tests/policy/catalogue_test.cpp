#include "proxy/policy/catalogue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "proxy/policy/path_set.hpp"

namespace sekisho::policy {
namespace {

// What the probe list has and an app may serve under the same name: the catalogue leaves these alone.
const std::set<std::string> left_alone = {
    "/sitemap.xml",
    "/robots.txt",
    "/favicon.ico",
    "/ads.txt",
    "/.well-known/security.txt",
    "/graphql",
    "/metrics",
    "/health",
    "/stats",
    "/user/login",
    "/console",
    "/console/",
    "/manager/",
    "/script",
    "/database/",
    "/administrator/",
    "/sdk",
    "/remote/login",
    "/drupal",
    "/config.json",
    "/openapi.json",
    "/api/v1/cluster/info",
    "/api/v1/namespaces",
    "/t4",
    "/crossdomain.xml",
    "/clientaccesspolicy.xml",
    "/?a=fetch&content=<php>die(@md5(HelloThinkCMF))</php>",
    "/?XDEBUG_SESSION_START=phpstorm",
    "/?x=${jndi:ldap://x/a}",
};

std::vector<std::string> lines_of(const std::string& name) {
  std::ifstream file(SEKISHO_SOURCE_DIR "/tests/data/policy/" + name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line.front() != '#') lines.push_back(line);
  return lines;
}

PathSet probes() {
  config::Diagnostics diagnostics;
  return PathSet::compile({{"builtin:probes", {}}}, diagnostics);
}

TEST(Catalogue, MatchesTheProbesInEveryReading) {
  const PathSet set = probes();
  PathReadings read;
  std::size_t matched = 0;
  for (const std::string& line : lines_of("probe_paths.txt")) {
    if (left_alone.contains(line)) continue;
    read.read(line);
    EXPECT_TRUE(set.matches_any(read)) << line;
    EXPECT_TRUE(set.matches_all(read)) << line;
    ++matched;
  }
  EXPECT_GE(matched, 300U);
}

TEST(Catalogue, MatchesNothingThatRailsServes) {
  const PathSet set = probes();
  PathReadings read;
  for (const std::string& line : lines_of("rails_paths.txt")) {
    read.read(line);
    const PathMatch match = set.matches_any(read);
    EXPECT_FALSE(match) << line << " by " << match.entry;
  }
  for (const std::string& line : left_alone) {
    read.read(line);
    EXPECT_FALSE(set.matches_any(read)) << line;
  }
}

TEST(Catalogue, UsersFileNamesShieldNothingElse) {
  const PathSet set = probes();
  PathReadings read;
  read.read("/rails/active_storage/../../phpmyadmin/");
  EXPECT_TRUE(set.matches_any(read));
}

TEST(Catalogue, HasTheDocumentedGroups) {
  const Catalogue& catalogue = Catalogue::builtin();
  EXPECT_THAT(catalogue.groups(), testing::UnorderedElementsAre("php", "wordpress", "secrets", "iot", "java",
                                                                "cgi", "backups", "shells"));
  EXPECT_GE(catalogue.entries().size(), 300U);
  std::set<std::string_view> seen;
  std::size_t sum = 0;
  for (const std::string_view group : catalogue.groups()) {
    const auto entries = catalogue.entries_of(group);
    EXPECT_GE(entries.size(), 20U) << group;
    sum += entries.size();
    for (const std::string_view entry : entries) {
      EXPECT_TRUE(seen.insert(entry).second) << entry << " stands twice";
      for (const char c : entry) EXPECT_FALSE(c >= 'A' && c <= 'Z') << entry << " is not in lower case";
    }
  }
  EXPECT_EQ(sum, catalogue.entries().size());
}

TEST(Catalogue, AGroupAloneMatchesItsOwn) {
  config::Diagnostics diagnostics;
  const PathSet set = PathSet::compile({{"builtin:probes/secrets", {}}}, diagnostics);
  EXPECT_TRUE(set.matches("/.env"));
  EXPECT_TRUE(set.matches("/.ENV.local"));
  EXPECT_FALSE(set.matches("/wp-login.php"));
}

// Every entry must be able to speak: a path made of it matches the catalogue.
TEST(Catalogue, EveryEntryMatchesAPathMadeOfIt) {
  const PathSet set = probes();
  for (const CatalogueEntry& entry : Catalogue::builtin().entries()) {
    std::string path(entry.pattern.starts_with('=') ? entry.pattern.substr(1) : entry.pattern);
    for (std::size_t at; (at = path.find("/**")) != std::string::npos;) path.erase(at, 3);
    for (std::size_t at; (at = path.find('*')) != std::string::npos;) path.replace(at, 1, "x");
    EXPECT_TRUE(set.matches(path)) << entry.pattern << " as " << path;
  }
}

}  // namespace
}  // namespace sekisho::policy
