#include "proxy/policy/key_recipe.hpp"

#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

config::Texts texts(const std::vector<std::string>& parts) {
  config::Texts result;
  for (const std::string& part : parts) result.push_back({part, {}});
  return result;
}

struct Made {
  ratelimit::Key key;
  std::string text;
};

// The key and the text of one request by a recipe.
Made make(const std::vector<std::string>& parts, const TestRequest& request, std::string_view path = "/login",
          const ClientPrefixes& prefixes = {}) {
  const auto recipe = KeyRecipe::parse(texts(parts), prefixes, nullptr);
  EXPECT_TRUE(recipe.has_value());
  const std::vector<Field> fields = request.fields();
  const config::IpAddress peer = *config::IpAddress::parse(request.peer);
  const Request view{request.method, request.target, 11, fields, peer};
  const KeySource source{&view, peer, request.host, path};
  const ratelimit::KeyHasher hasher(ratelimit::Secret{3, 4});
  Made made{recipe->key(source, hasher), {}};
  recipe->append_text(source, hasher, made.text);
  return made;
}

TEST(KeyRecipe, EachPartCounts) {
  const struct {
    std::vector<std::string> parts;
    std::function<void(TestRequest&)> change;
    std::string text;
  } cases[] = {
      {{"client_ip"}, [](TestRequest& r) { r.peer = "203.0.113.10"; }, "203.0.113.9"},
      {{"client_network"}, [](TestRequest& r) { r.peer = "203.0.114.9"; }, "203.0.113.0/24"},
      {{"host"}, [](TestRequest& r) { r.host = "b.example.jp"; }, "www.example.jp"},
      {{"method"}, [](TestRequest& r) { r.method = "POST"; }, "GET"},
      {{"client_ip", "host"}, [](TestRequest& r) { r.host = "b.example.jp"; }, "203.0.113.9,www.example.jp"},
  };
  for (const auto& test : cases) {
    TestRequest request;
    const Made before = make(test.parts, request);
    EXPECT_EQ(before.text, test.text);
    EXPECT_EQ(make(test.parts, request).key, before.key);
    test.change(request);
    EXPECT_FALSE(make(test.parts, request).key == before.key) << test.text;
  }
}

TEST(KeyRecipe, WhatIsNoPartDoesNotCount) {
  TestRequest a, b;
  b.peer = "203.0.113.10";
  b.host = "other";
  b.method = "PUT";
  EXPECT_EQ(make({"global"}, a).key, make({"global"}, b).key);
  EXPECT_EQ(make({"global"}, a).text, "global");
  EXPECT_EQ(make({"path"}, a).key, make({"path"}, b).key);
  EXPECT_EQ(make({"client_network"}, a).key, make({"client_network"}, b).key);
}

TEST(KeyRecipe, PathsCountAsPatternsReadThem) {
  const TestRequest request;
  for (const char* same : {"/login/", "/login.json", "/login.xml/"}) {
    EXPECT_EQ(make({"path"}, request, same).key, make({"path"}, request).key) << same;
  }
  for (const char* other : {"/Login", "/login2", "/login/x", "/"}) {
    EXPECT_FALSE(make({"path"}, request, other).key == make({"path"}, request).key) << other;
  }
  EXPECT_EQ(make({"path"}, request, "/" + std::string(5000, 'a')).text.size(), 200u);
}

TEST(KeyRecipe, NoSpellingOfAHeadersNameEscapesItsKey) {
  TestRequest request;
  request.headers = {{"X-Api-Key", "A"}};
  const Made plain = make({"header:X-Api-Key"}, request);
  for (const char* name : {"X_Api_Key", "x_api-key", "X-API_KEY"}) {
    request.headers = {{name, "A"}};
    EXPECT_EQ(make({"header:X-Api-Key"}, request).key, plain.key) << name;
    EXPECT_EQ(make({"header:X-Api-Key"}, request).text, plain.text) << name;
  }
  request.headers = {{"X-Api-Key", "A"}, {"X_Api_Key", "A"}};
  EXPECT_EQ(make({"header:X-Api-Key"}, request).key, plain.key);
  // Whatever stands beside it, in either order: no bucket of its own.
  request.headers = {};
  const ratelimit::Key client = make({"header:X-Api-Key"}, request).key;
  for (const char* other : {"B", "C", ""}) {
    request.headers = {{"X-Api-Key", "A"}, {"X_Api_Key", other}};
    EXPECT_EQ(make({"header:X-Api-Key"}, request).key, client) << other;
    request.headers = {{"X_Api_Key", other}, {"X-Api-Key", "A"}};
    EXPECT_EQ(make({"header:X-Api-Key"}, request).key, client) << other;
    request.headers = {{"X-Api-Key", other}, {"X-Api-Key", "A"}};
    EXPECT_EQ(make({"header:X-Api-Key"}, request).key, client) << other;
  }
}

TEST(KeyRecipe, AnAbsentOrEmptyHeaderCountsAsTheClient) {
  TestRequest request;
  const Made client = make({"client_ip"}, request);
  EXPECT_EQ(make({"header:X-Key"}, request).text, client.text);
  TestRequest empty = request;
  empty.headers = {{"X-Key", ""}};
  EXPECT_EQ(make({"header:X-Key"}, empty).key, make({"header:X-Key"}, request).key);
  TestRequest other = request;
  other.peer = "203.0.113.10";
  EXPECT_FALSE(make({"header:X-Key"}, other).key == make({"header:X-Key"}, request).key);
  // One that has the header is no longer told by its address.
  request.headers = other.headers = {{"x-key", "secret"}};
  EXPECT_EQ(make({"header:X-Key"}, other).key, make({"header:X-Key"}, request).key);
}

TEST(KeyRecipe, SecretsAreShownHashed) {
  TestRequest request;
  request.headers = {{"Authorization", "Bearer hunter2"}, {"Cookie", "a=1; _session=hunter2; b=2"}};
  for (const char* part : {"header:Authorization", "cookie:_session"}) {
    const Made made = make({part}, request);
    EXPECT_EQ(made.text.find("hunter2"), std::string::npos);
    EXPECT_THAT(made.text, testing::MatchesRegex("(authorization|_session)=[0-9a-f]{16}"));
  }
}

TEST(KeyRecipe, Cookies) {
  const auto with = [](std::vector<std::string> lines) {
    TestRequest request;
    for (std::string& line : lines) request.headers.emplace_back("Cookie", std::move(line));
    return make({"cookie:id"}, request).key;
  };
  const auto key = with({"id=7"});
  EXPECT_EQ(with({"a=1;id=7"}), key);
  EXPECT_EQ(with({"a=1; id=\"7\" ; b"}), key);
  EXPECT_EQ(with({"a=1", "id=7"}), key);
  EXPECT_EQ(with({"id=7; id=8"}), key);  // the first, as Rack has it
  EXPECT_FALSE(with({"id=8"}) == key);
  const auto none = with({});
  for (const char* absent : {"ID=7", "xid=7", "id", "id=", "idx=7", ";;=;", "="})
    EXPECT_EQ(with({absent}), none) << absent;
}

// A value cannot be made to look like another part's.
TEST(KeyRecipe, PartsDoNotRunIntoEachOther) {
  TestRequest a, b;
  a.headers = {{"A", "xy"}, {"B", "z"}};
  b.headers = {{"A", "x"}, {"B", "yz"}};
  EXPECT_FALSE(make({"header:A", "header:B"}, a).key == make({"header:A", "header:B"}, b).key);
  TestRequest method;
  method.host = "GET";
  EXPECT_FALSE(make({"host"}, method).key == make({"method"}, method).key);
}

TEST(KeyRecipe, PrefixesMakeClientsAndRecipes) {
  TestRequest a, b;
  a.peer = "2001:db8::1";
  b.peer = "2001:db8::ffff:1";
  const ClientPrefixes whole{32, 128, 24, 48};
  EXPECT_EQ(make({"client_ip"}, a).key, make({"client_ip"}, b).key);
  EXPECT_FALSE(make({"client_ip"}, a, "/", whole).key == make({"client_ip"}, b, "/", whole).key);
  EXPECT_EQ(make({"client_ip"}, a, "/", whole).text, "2001:db8::1");
  EXPECT_EQ(make({"client_ip"}, a).text, "2001:db8::/64");
  EXPECT_NE(KeyRecipe::parse(texts({"client_ip"}), whole, nullptr)->canonical(),
            KeyRecipe::parse(texts({"client_ip"}), {}, nullptr)->canonical());
  EXPECT_EQ(KeyRecipe::parse(texts({"header:X-Key"}), {}, nullptr)->canonical(),
            KeyRecipe::parse(texts({"header:x-kEY"}), {}, nullptr)->canonical());
}

TEST(KeyRecipe, Problems) {
  const struct {
    std::vector<std::string> parts;
    std::string says;
  } cases[] = {
      {{}, "names nothing"},
      {{"client"}, "unknown key 'client'"},
      {{"header:"}, "no name of a header"},
      {{"cookie:a b"}, "no name of a cookie"},
      {{"param:id"}, "not supported yet"},
      {{"global", "path"}, "stands alone"},
      {{"path", "path"}, "named twice"},
      {{"header:a", "header:b", "header:c", "header:d", "header:e", "header:f", "header:g", "header:h",
        "header:i"},
       "more than 8"},
  };
  for (const auto& test : cases) {
    config::Diagnostics diagnostics;
    EXPECT_FALSE(KeyRecipe::parse(texts(test.parts), {}, &diagnostics).has_value());
    EXPECT_THAT(errors_of(diagnostics), testing::HasSubstr(test.says));
  }
}

}  // namespace
}  // namespace sekisho::policy
