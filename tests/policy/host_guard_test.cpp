#include "proxy/policy/host_guard.hpp"

#include <gtest/gtest.h>

namespace sekisho::policy {
namespace {

HostGuard guard_of(const std::vector<std::string>& names, bool reject_addresses = true) {
  config::Hosts hosts;
  hosts.reject_ip_literals = reject_addresses;
  for (const std::string& name : names) hosts.allow.push_back({name, {}});
  config::Diagnostics diagnostics;
  HostGuard guard = HostGuard::compile(hosts, {}, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  return guard;
}

HostJudgement judge(const HostGuard& guard, const std::vector<std::string_view>& hosts,
                    std::string_view target = "/", unsigned version = 11) {
  std::vector<Field> fields;
  for (const std::string_view host : hosts) fields.push_back({"hOst", host, FieldId::host});
  Request request;
  request.target = target;
  request.version = version;
  request.fields = fields;
  return guard.judge(request, read_target(request.target));
}

HostVerdict verdict(const std::vector<std::string>& names, std::string_view host) {
  return judge(guard_of(names), {host}).verdict;
}

TEST(HostGuard, AddressesInEverySpellingAreRejected) {
  for (const char* host : {"127.0.0.1",
                           "203.0.113.9",
                           "203.0.113.9:80",
                           "203.0.113.9:",
                           "203.0.113.9.",
                           "203.0.113.9.:443",
                           "[::1]",
                           "[::1]:8080",
                           "[2001:db8::1]",
                           "[::ffff:1.2.3.4]",
                           "[::ffff:102:304]",
                           "[fe80::1%eth0]",
                           "[fe80::1%25eth0]",
                           "[v1.fe:80]",
                           "3405803785",
                           "0xcb007109",
                           "0XCB007109",
                           "0xCB.0x0.0x71.0x9",
                           "0313.0.0161.011",
                           "127.1",
                           "127.0.1",
                           "0x7f.1",
                           "017700000001",
                           "0",
                           "1.",
                           "00000000000000000000000000000177.0.0.1",
                           "1.2.3.4.5",
                           "999.999.999.999",
                           "0x",
                           "a.1",
                           "0x7f000001:443"})
    EXPECT_EQ(verdict({}, host), HostVerdict::rejected) << host;
  for (const char* host : {"127.0.0.1", "[::1]:80", "0x7f.1"})
    EXPECT_EQ(judge(guard_of({"www.example.jp"}, false), {host}).verdict, HostVerdict::ok) << host;
}

TEST(HostGuard, NamesThatOnlyLookLikeAddressesAreNames) {
  for (const char* host :
       {"0xg", "1a.example.jp", "127.0.0.1.nip.io", "123.jp", "x0x1", "1.2.3.4a", "deadbeef"})
    EXPECT_EQ(verdict({}, host), HostVerdict::ok) << host;
}

TEST(HostGuard, InvalidHostsAreBadRequests) {
  for (const char* host :
       {"a b", "a/b", "a\\b", "user@a", "a:80:80",     "a:x",       "a:65536", "a:123456",  "a..b",  ".a",
        ".",   "a..", "[::1", "::1",    "[::1]x",      "[1.2.3.4]", "[]",      "[::1]:x",   "[g::]", "a%2e",
        "a,b", "a;b", "a?b",  "a#b",    "\xc3\xa9.jp", "a\x01",     "*.a",     "[fe80::1%]"})
    EXPECT_EQ(verdict({}, host), HostVerdict::bad_request) << host;
  EXPECT_EQ(verdict({}, std::string(64, 'a')), HostVerdict::bad_request);
  EXPECT_EQ(verdict({}, std::string(63, 'a')), HostVerdict::ok);
}

TEST(HostGuard, CountsHostFields) {
  const HostGuard guard = guard_of({});
  EXPECT_EQ(judge(guard, {}).verdict, HostVerdict::bad_request);
  EXPECT_EQ(judge(guard, {"a", "a"}).verdict, HostVerdict::bad_request);
  EXPECT_EQ(judge(guard, {"a", "a"}, "/", 10).verdict, HostVerdict::bad_request);
  EXPECT_EQ(judge(guard, {}, "/", 10).verdict, HostVerdict::rejected);
  EXPECT_EQ(judge(guard, {""}).verdict, HostVerdict::rejected);
  EXPECT_EQ(judge(guard, {":80"}).verdict, HostVerdict::rejected);
  EXPECT_EQ(judge(guard, {"a"}, "*").verdict, HostVerdict::ok);
}

TEST(HostGuard, ComparesWithoutPortCaseAndOneTrailingDot) {
  for (const char* host : {"www.example.jp", "WWW.Example.JP", "www.example.jp:8443", "www.example.jp.",
                           "www.example.jp.:80", "www.example.jp:", "a.sub.test", "A.B.sub.test."})
    EXPECT_EQ(verdict({"Www.example.jp.", "*.sub.test"}, host), HostVerdict::ok) << host;
  for (const char* host :
       {"example.jp", "xwww.example.jp", "www.example.jp.evil.test", "sub.test", "xsub.test", "localhost"})
    EXPECT_EQ(verdict({"www.example.jp", "*.sub.test"}, host), HostVerdict::rejected) << host;
  EXPECT_EQ(verdict({}, "anything_goes-here.test"), HostVerdict::ok);
}

TEST(HostGuard, WithAbsoluteFormTheTargetCounts) {
  const HostGuard guard = guard_of({"www.example.jp"});
  const HostJudgement ok = judge(guard, {"other.test"}, "http://WWW.example.jp:80/x?y");
  EXPECT_EQ(ok.verdict, HostVerdict::ok);
  EXPECT_EQ(ok.authority, "WWW.example.jp:80");
  EXPECT_EQ(ok.host, "WWW.example.jp");
  EXPECT_EQ(judge(guard, {"www.example.jp"}, "http://other.test/").verdict, HostVerdict::rejected);
  EXPECT_EQ(judge(guard, {"www.example.jp"}, "https://203.0.113.1").verdict, HostVerdict::rejected);
  EXPECT_EQ(judge(guard, {}, "http://www.example.jp/", 10).verdict, HostVerdict::ok);
  EXPECT_EQ(judge(guard, {}, "http://www.example.jp/").verdict, HostVerdict::bad_request);
  for (const char* target : {"http:///x", "http://", "http://user@www.example.jp/", "ftp://www.example.jp/",
                             "http://:80/", "http://www.example.jp:99999/"})
    EXPECT_EQ(judge(guard, {"www.example.jp"}, target).verdict, HostVerdict::bad_request) << target;
  EXPECT_EQ(judge(guard, {"a b"}, "http://www.example.jp/").verdict, HostVerdict::bad_request);
}

TEST(HostGuard, SaysWhatIsWrongInTheFile) {
  for (const char* name : {"203.0.113.9", "a.*.test", "*", "a b", "a.test:80", "", "*."}) {
    config::Hosts hosts;
    hosts.allow = {{name, {0, 9, 1}}};
    config::Diagnostics diagnostics;
    HostGuard::compile(hosts, {}, diagnostics);
    ASSERT_EQ(diagnostics.all().size(), 1U) << name;
    EXPECT_EQ(diagnostics.all()[0].mark.line, 9U);
  }
}

TEST(HostGuard, Normalises) {
  std::string out;
  normalise_host("WWW.Example.JP.:80", out);
  EXPECT_EQ(out, "www.example.jp");
  normalise_host("[2001:DB8::1]:80", out);
  EXPECT_EQ(out, "[2001:db8::1]");
}

TEST(HeaderValues, ExactSearchedAndAbsent) {
  config::Diagnostics diagnostics;
  const HeaderValues values =
      HeaderValues::compile({{"", {}}, {"~(?i)sqlmap|nikto", {}}, {"AA", {}}}, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  EXPECT_TRUE(values.matches("") && values.matches("x SQLMap/1.0") && values.matches("AA"));
  EXPECT_FALSE(values.matches("aa") || values.matches("AAA") || values.matches("Mozilla"));
  EXPECT_FALSE(HeaderValues::compile({{"AA", {}}}, diagnostics).matches(""));
  HeaderValues::compile({{"~(", {0, 2, 2}}}, diagnostics);
  ASSERT_TRUE(diagnostics.has_errors());
  EXPECT_EQ(diagnostics.all()[0].mark.line, 2U);
}

// It remembers the last host: whatever came before, the judgement is that of a guard that saw nothing.
TEST(HostGuard, SaysTheSameWhateverItWasAskedBefore) {
  const std::string long_name = std::string(60, 'a') + ".example.jp";
  const std::vector<std::string> hosts = {"www.example.jp",
                                          "www.example.jp:80",
                                          "WWW.example.jp",
                                          "www.example.jp.",
                                          "203.0.113.9",
                                          "[::1]:80",
                                          "other.example",
                                          "no valid host",
                                          "",
                                          long_name,
                                          ":80",
                                          "1"};
  const HostGuard guard = guard_of({"www.example.jp", long_name});
  for (const std::string& before : hosts) {
    for (const std::string& host : hosts) {
      for (const std::string_view target : {"/", "http://www.example.jp/", "http://203.0.113.9/"}) {
        judge(guard, {before});
        const HostJudgement judged = judge(guard, {host}, target);
        const HostJudgement fresh = judge(guard_of({"www.example.jp", long_name}), {host}, target);
        EXPECT_EQ(judged.verdict, fresh.verdict) << before << ", then " << host << " and " << target;
        EXPECT_EQ(judged.authority, fresh.authority);
        EXPECT_EQ(judged.host, fresh.host);
        EXPECT_EQ(judged.reason, fresh.reason);
      }
    }
  }
}

}  // namespace
}  // namespace sekisho::policy
