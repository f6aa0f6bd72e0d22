// What `explain` prints.
#include "proxy/policy/trace.hpp"

#include "tests/policy/policy_fixture.hpp"

namespace sekisho::policy {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* yaml = R"(
hosts: [www.example.jp]
client_ip: {trusted_proxies: [10.0.0.0/8]}
limits:
  - {name: probes, match: {paths: [/phpmyadmin], except: {networks: [198.51.100.0/24]}}, block: true, ban: 10min}
  - {name: sign-in, match: {paths: [/login], methods: [POST]}, rate: 5/min}
  - {name: all, rate: 10/s, burst: 40}
)";

TEST(Explain, TellsEachStep) {
  Gate gate(yaml);
  TestRequest request;
  request.target = "/login";
  request.peer = "10.0.0.1";
  request.headers = {{"X-Forwarded-For", "1.1.1.1, 203.0.113.9, 10.0.0.7"}};
  const std::string text = gate.explain(request);
  EXPECT_THAT(text, HasSubstr("peer 10.0.0.1: a trusted proxy"));
  EXPECT_THAT(text, HasSubstr("10.0.0.7: a trusted proxy"));
  EXPECT_THAT(text, HasSubstr("203.0.113.9: not trusted: the client"));
  EXPECT_THAT(text, Not(HasSubstr("1.1.1.1")));
  EXPECT_THAT(text, HasSubstr("www.example.jp: admitted"));
  EXPECT_THAT(text, HasSubstr("not matched: paths"));
  EXPECT_THAT(text, HasSubstr("not matched: methods (GET is none of POST)"));
  EXPECT_THAT(text, HasSubstr("39 of 40 left after this request"));
  EXPECT_THAT(text, HasSubstr("key 203.0.113.9"));
  EXPECT_THAT(text, HasSubstr("passed to the upstream"));
}

TEST(Explain, TellsTheRefusalAndTheReadings) {
  Gate gate(yaml);
  TestRequest request;
  request.target = "/%2570hpmyadmin";
  const std::string text = gate.explain(request);
  EXPECT_THAT(text, HasSubstr("when read as /phpmyadmin"));
  EXPECT_THAT(text, HasSubstr("refuses: answered 403"));
  EXPECT_THAT(text, HasSubstr("then bans this client for 10min"));
  EXPECT_THAT(text, HasSubstr("blocked, answered 403, by limit probes"));
  request.target = "/phpmyadmin";
  request.peer = "198.51.100.4";
  EXPECT_THAT(gate.explain(request), HasSubstr("not matched: except (matches)"));
  request.host = "10.0.0.1";
  EXPECT_THAT(gate.explain(request), HasSubstr("10.0.0.1: rejected ("));
}

TEST(Explain, ChargesCountsAndBansNothing) {
  Gate gate(yaml);
  TestRequest request;
  request.target = "/phpmyadmin";
  for (int i = 0; i < 100; ++i) gate.explain(request);
  EXPECT_EQ(gate.counts("probes"), "");
  EXPECT_EQ(gate.counts("all"), "");
  EXPECT_FALSE(gate.states().current().bans->any());
  EXPECT_EQ(gate.passed("/", 100), 40);
}

TEST(Explain, EscapesWhatAClientWrote) {
  Gate gate("limits: [{name: l, key: [host, path], rate: 1/s}]");
  TestRequest request;
  request.method = "G\x1b[31mT";
  request.target = "/\x1b]0;x\x07%1b%5b\x80?\n";
  const std::string text = gate.explain(request);
  for (const char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << static_cast<int>(c);
  EXPECT_THAT(text, HasSubstr("\\x1b"));
}

TEST(Explain, TheProbeAndTheBan) {
  Gate gate(yaml);
  TestRequest request;
  request.target = "/healthz";
  request.peer = "127.0.0.1";
  EXPECT_THAT(gate.explain(request), HasSubstr("the balancer's probe"));
  request.peer = "203.0.113.9";
  request.target = "/phpmyadmin";
  gate.send(request);
  gate.wait(minutes(3));
  request.target = "/";
  EXPECT_THAT(gate.explain(request), HasSubstr("its ban holds for 7min"));
}

}  // namespace
}  // namespace sekisho::policy
