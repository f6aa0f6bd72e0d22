// The tricks that get round path limits elsewhere, tried on every kind of pattern: the limit still matches,
// and no exemption does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>

#include "proxy/policy/path_set.hpp"

namespace sekisho::policy {
namespace {

struct Trick {
  const char* name;
  std::function<std::string(const std::string&)> play;
  bool for_exempt = true;  // whether an origin may really serve something else: an exemption must not hold
};

std::string with_each(const std::string& path, char what, const std::string& by) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i)
    out += i != 0 && path[i] == what ? by : std::string(1, path[i]);
  return out;
}

std::string escape(const std::string& path, std::size_t at, bool capital) {
  char text[4];
  std::snprintf(text, sizeof text, capital ? "%%%02X" : "%%%02x", static_cast<unsigned char>(path[at]));
  return path.substr(0, at) + text + path.substr(at + 1);
}

std::string escape_all(const std::string& path) {
  std::string out = "/";
  char text[4];
  for (const char c : path.substr(1)) {
    std::snprintf(text, sizeof text, "%%%02x", static_cast<unsigned char>(c));
    out += c == '/' ? "/" : text;
  }
  return out;
}

const std::vector<Trick>& tricks() {
  using S = const std::string&;
  static const std::vector<Trick> all = {
      {"as it is", [](S p) { return p; }, false},
      {"first letter escaped", [](S p) { return escape(p, 1, false); }},
      {"last letter escaped", [](S p) { return escape(p, p.size() - 1, true); }},
      {"all escaped", [](S p) { return escape_all(p); }},
      {"escaped twice", [](S p) { return with_each(escape(p, 1, false), '%', "%25"); }},
      {"escaped thrice", [](S p) { return with_each(escape(p, 1, false), '%', "%2525"); }},
      {"leading slashes", [](S p) { return "//" + p; }, false},
      {"double slashes", [](S p) { return with_each(p, '/', "//"); }, false},
      {"trailing slash", [](S p) { return p + "/"; }, false},
      {"trailing slashes", [](S p) { return p + "///"; }, false},
      {"dot segment in front", [](S p) { return "/." + p; }},
      {"dot segment inside", [](S p) { return with_each(p, '/', "/./"); }},
      {"dot segment behind", [](S p) { return p + "/."; }},
      {"up from elsewhere", [](S p) { return "/assets/.." + p; }},
      {"up from deep elsewhere", [](S p) { return "/assets/a/../.." + p; }},
      {"above the root", [](S p) { return "/../../.." + p; }},
      {"down and up behind", [](S p) { return p + "/x/.."; }},
      {"escaped dots", [](S p) { return "/assets/%2e%2e" + p; }},
      {"half-escaped dots", [](S p) { return "/assets/.%2E" + p; }},
      {"dots escaped twice", [](S p) { return "/assets/%252e%252e" + p; }},
      {"nested escapes of dots", [](S p) { return "/assets/%%32%65%%32%65" + p; }},
      {"escaped slash in front", [](S p) { return "/%2f" + p.substr(1); }},
      {"escaped slashes inside", [](S p) { return with_each(p, '/', "%2f"); }, false},
      {"escaped slash up", [](S p) { return "/assets/..%2F" + p.substr(1); }},
      {"all of it behind an escaped slash", [](S p) { return "/assets%2f..%2f" + p.substr(1); }},
      {"escaped slash behind", [](S p) { return p + "%2f"; }},
      {"slash escaped twice", [](S p) { return "/assets/..%252f" + p.substr(1); }},
      {"parameter behind", [](S p) { return p + ";jsessionid=1"; }},
      {"bare parameter", [](S p) { return p + ";"; }},
      {"parameter inside", [](S p) { return with_each(p, '/', ";v=1/"); }, false},
      {"parameter in front", [](S p) { return "/;x" + p; }},
      {"escaped parameter", [](S p) { return p + "%3bx"; }},
      {"parameter on dots", [](S p) { return "/assets/..;" + p; }},
      {"parameter with value on dots", [](S p) { return "/assets/..;a=b" + p; }},
      {"backslash in front", [](S p) { return "/\\" + p.substr(1); }},
      {"backslashes inside", [](S p) { return with_each(p, '/', "\\"); }, false},
      {"backslash up", [](S p) { return "/assets\\..\\" + p.substr(1); }},
      {"escaped backslash up", [](S p) { return "/assets/..%5c" + p.substr(1); }},
      {"overlong slash up", [](S p) { return "/assets/..%c0%af" + p.substr(1); }},
      {"overlong dots", [](S p) { return "/assets/%c0%ae%c0%ae" + p; }},
      {"unicode escape", [](S p) { return "/assets/..%u002f" + p.substr(1); }},
      {"NUL behind", [](S p) { return p + "%00"; }},
      {"NUL and suffix", [](S p) { return p + "%00.css"; }},
      {"escaped question mark", [](S p) { return p + "%3fx=1"; }},
      {"escaped hash", [](S p) { return p + "%23x"; }},
      {"query", [](S p) { return p + "?x=/assets/"; }, false},
      {"query with a path", [](S p) { return p + "?/../assets/a.css"; }, false},
      {"fragment", [](S p) { return p + "#/assets"; }, false},
      {"absolute-form", [](S p) { return "http://a.test" + p; }, false},
      {"absolute-form with slashes", [](S p) { return "HTTP://a.test:80/" + p; }, false},
      {"several at once", [](S p) { return "//assets/.%2e/" + escape(p, 1, false) + ";x?y"; }},
  };
  return all;
}

PathSet set_of(const std::vector<std::string>& patterns) {
  config::Texts texts;
  for (const std::string& pattern : patterns) texts.push_back({pattern, {}});
  config::Diagnostics diagnostics;
  return PathSet::compile(texts, diagnostics);
}

TEST(Bypass, NoTrickGetsRoundALimit) {
  const std::pair<const char*, std::vector<const char*>> limits[] = {
      {"/users/sign_in", {"/users/sign_in", "/users/sign_in.json"}},
      {"/admin/**", {"/admin", "/admin/x", "/admin/x/y.json"}},
      {"/api/*/tokens", {"/api/v1/tokens", "/api/v2/tokens.json"}},
      {"/**/export", {"/a/b/export", "/export"}},
      {"~^/wp-[a-z]+", {"/wp-login"}},
      {"~^/orders/[0-9]+$", {"/orders/7", "/orders/7.json"}},
      {"~^/feed\\.xml$", {"/feed.xml"}},
      {"builtin:probes",
       {"/phpmyadmin", "/PhpMyAdmin/index.php", "/.env", "/.git/config", "/wp-login.php",
        "/WP-ADMIN/setup-config.php", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/cgi-bin/luci",
        "/actuator/env"}},
  };
  PathReadings read;
  for (const auto& [pattern, paths] : limits) {
    const PathSet set = set_of({pattern});
    for (const char* path : paths) {
      for (const Trick& trick : tricks()) {
        const std::string target = trick.play(path);
        read.read(target);
        EXPECT_TRUE(set.matches_any(read)) << pattern << ": " << trick.name << ": " << target;
      }
    }
  }
}

// An expression that spares is asked of the path as it stands: one that ends in a suffix says so.
TEST(Bypass, AnExpressionSparesWhatItSays) {
  const PathSet exempt = set_of({"~^/assets/.*\\.css$"});
  PathReadings read;
  read.read("/assets/a.css");
  EXPECT_TRUE(exempt.matches_all(read));
  for (const char* target : {"/assets/a", "/assets/a.css.json", "/assets/a.css/"}) {
    read.read(target);
    EXPECT_FALSE(exempt.matches_all(read)) << target;
  }
}

// The other way: a path that only some origin takes for the exempt one stays limited.
TEST(Bypass, NoTrickReachesAnExemption) {
  const PathSet exempt = set_of({"/up", "=/ping", "/health/**"});
  PathReadings read;
  for (const char* path : {"/up", "/ping", "/health/db"}) {
    for (const Trick& trick : tricks()) {
      if (!trick.for_exempt) continue;
      const std::string target = trick.play(path);
      if (target == path) continue;
      read.read(target);
      // What stands below /health/ may be written in any way that every origin takes for something below it.
      const bool inside = std::all_of(read.all().begin(), read.all().end(),
                                      [](std::string_view each) { return each.starts_with("/health/"); });
      EXPECT_EQ(exempt.matches_all(read).matched, inside && !read.incomplete())
          << trick.name << ": " << target;
    }
  }
}

// The converse attack: the limited page's path dressed up as a path below an exempt tree.
TEST(Bypass, NoLimitedPagePassesForAnAsset) {
  const PathSet exempt = set_of({"/assets/**"});
  PathReadings read;
  for (const char* target :
       {"/assets/../users/sign_in", "/assets/..%2fusers/sign_in", "/assets/%2e%2e/users/sign_in",
        "/assets\\..\\users/sign_in", "/assets/..;/users/sign_in", "/assets/%252e%252e/users/sign_in",
        "/users/sign_in/../../assets/a.css", "/users/sign_in%2f..%2f..%2fassets/a.css",
        "/assets%2f..%2fusers%2fsign_in", "/%61ssets/a.css", "/assets;/../users/sign_in",
        "/assets/%c0%ae%c0%ae/users/sign_in", "/users/sign_in;/../../assets/x", "/assets/..%5cusers/sign_in",
        "/users%00/../assets/x", "/x//../assets/a.css"}) {
    read.read(target);
    EXPECT_FALSE(exempt.matches_all(read)) << target;
  }
}

}  // namespace
}  // namespace sekisho::policy
