#include "proxy/policy/match.hpp"

#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

// Whether a match written as YAML holds for a request.
bool holds(const std::string& match, const TestRequest& request, bool surely = false) {
  const auto config = load_config("limits: [{name: l, block: true, match: " + match + "}]");
  if (!config) return false;
  config::Diagnostics diagnostics;
  const Match compiled = Match::compile(config->limits[0].match, diagnostics);
  EXPECT_EQ(errors_of(diagnostics), "");
  const std::vector<Field> fields = request.fields();
  const config::IpAddress peer = *config::IpAddress::parse(request.peer);
  const Request view{request.method, request.target, 11, fields, peer};
  PathReadings paths;
  paths.read(request.target);
  const MatchSource source{&view, &paths, peer, request.host};
  const bool result = surely ? compiled.holds_surely(source) : compiled.holds(source);
  EXPECT_EQ(compiled.explain(source, surely).starts_with("matches"), result);
  return result;
}

TestRequest request(std::string method, std::string target,
                    std::vector<std::pair<std::string, std::string>> headers = {}) {
  TestRequest result;
  result.method = std::move(method);
  result.target = std::move(target);
  result.headers = std::move(headers);
  return result;
}

TEST(Match, GetIncludesHead) {
  EXPECT_TRUE(holds("{methods: [GET]}", request("HEAD", "/")));
  EXPECT_FALSE(holds("{methods: [HEAD]}", request("GET", "/")));
  EXPECT_TRUE(holds("{methods: [POST, PUT]}", request("PUT", "/")));
  EXPECT_FALSE(holds("{methods: [POST]}", request("post", "/")));
}

TEST(Match, AllClausesMustHold) {
  const std::string match =
      "{paths: [/a], methods: [POST], hosts: ['*.example.jp'], headers: {X-A: ['1', '2']}, networks: "
      "[203.0.113.0/24]}";
  const TestRequest good = request("POST", "/a", {{"x-a", "2"}});
  EXPECT_TRUE(holds(match, good));
  TestRequest bad = good;
  bad.target = "/b";
  EXPECT_FALSE(holds(match, bad));
  bad = good;
  bad.method = "GET";
  EXPECT_FALSE(holds(match, bad));
  bad = good;
  bad.host = "example.jp";
  EXPECT_FALSE(holds(match, bad));
  bad = good;
  bad.headers.clear();
  EXPECT_FALSE(holds(match, bad));
  bad = good;
  bad.peer = "203.0.114.1";
  EXPECT_FALSE(holds(match, bad));
}

TEST(Match, HeadersOnSeveralLines) {
  const TestRequest both = request("GET", "/", {{"X-A", "1"}, {"X-A", "2"}});
  EXPECT_TRUE(holds("{headers: {X-A: '2'}}", both));
  EXPECT_FALSE(holds("{headers: {X-A: '2'}}", both, true));
  EXPECT_TRUE(holds("{headers: {X-A: ['1', '2']}}", both, true));
  EXPECT_FALSE(holds("{headers: {X-A: '3'}}", both));
}

TEST(Match, AnUnderscoreInAHeadersNameIsAHyphen) {
  const TestRequest spelt = request("GET", "/", {{"x_a_b", "1"}});
  EXPECT_TRUE(holds("{headers: {X-A-B: '1'}}", spelt));
  EXPECT_FALSE(holds("{headers: {X-A-B: '2'}}", spelt));
  EXPECT_FALSE(holds("{headers: {X-A-C: '1'}}", spelt));
  // The app may read either line, and an upstream may drop the one with "_".
  const TestRequest both = request("GET", "/", {{"X_A", "1"}, {"X-A", "2"}});
  EXPECT_TRUE(holds("{headers: {X-A: '1'}}", both));
  EXPECT_TRUE(holds("{headers: {X-A: '2'}}", both));
  EXPECT_FALSE(holds("{headers: {X-A: '2'}}", both, true));
  EXPECT_TRUE(holds("{headers: {X-A-B: ''}}", spelt));
  EXPECT_FALSE(holds("{headers: {X-A-B: '1'}}", spelt, true));
}

TEST(Match, TheEmptyValueIsAbsentOrEmpty) {
  const std::string match = R"({headers: {User-Agent: ["", "~(?i)sqlmap|nikto"]}})";
  EXPECT_TRUE(holds(match, request("GET", "/")));
  EXPECT_TRUE(holds(match, request("GET", "/", {{"User-Agent", ""}})));
  EXPECT_TRUE(holds(match, request("GET", "/", {{"User-Agent", "SQLMap/1.0"}})));
  EXPECT_FALSE(holds(match, request("GET", "/", {{"User-Agent", "curl"}})));
}

TEST(Match, AnyReadingRefusesAndEveryReadingSpares) {
  const TestRequest twofold = request("GET", "/x/..%2fadmin");
  EXPECT_TRUE(holds("{paths: [/admin]}", twofold));
  EXPECT_FALSE(holds("{paths: [/admin]}", twofold, true));
  EXPECT_TRUE(holds("{paths: [/admin]}", request("GET", "/admin"), true));
  EXPECT_TRUE(holds("{except: {paths: [/admin]}}", twofold));
  EXPECT_FALSE(holds("{except: {paths: [/admin]}}", request("GET", "/admin")));
  // The exception's own exception brings a request back under the limit if any reading is one.
  EXPECT_TRUE(holds("{except: {paths: ['/**'], except: {paths: [/admin]}}}", twofold));
  EXPECT_FALSE(holds("{except: {paths: ['/**'], except: {paths: [/admin]}}}", request("GET", "/x")));
}

TEST(Match, NoClauseIsEveryRequest) {
  EXPECT_TRUE(holds("{}", request("BREW", "/..%00\\")));
}

TEST(Match, TellsWhichReadingMatched) {
  const auto config = load_config("limits: [{name: l, block: true, match: {paths: [/admin]}}]");
  config::Diagnostics diagnostics;
  const Match match = Match::compile(config->limits[0].match, diagnostics);
  const TestRequest twofold = request("GET", "/x/..%2fadmin");
  const std::vector<Field> fields = twofold.fields();
  const Request view{twofold.method, twofold.target, 11, fields, {}};
  PathReadings paths;
  paths.read(twofold.target);
  std::string_view path;
  EXPECT_TRUE(match.holds({&view, &paths, {}, twofold.host}, &path));
  EXPECT_EQ(path, "/admin");
}

}  // namespace
}  // namespace sekisho::policy
