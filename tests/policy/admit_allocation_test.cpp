// admit allocates nothing once warm.
#include "tests/policy/policy_fixture.hpp"
#include "tests/support/allocation_counter.hpp"

namespace sekisho::policy {
namespace {

using test::allocations;

TEST(AdmitAllocation, NoneOverTenThousandRequests) {
  Gate gate(R"(
hosts: [www.example.jp, "*.example.jp"]
client_ip: {trusted_proxies: [loopback, private]}
exempt: [{paths: ["/assets/**"]}]
limits:
  - {name: probes, match: {paths: [builtin:probes, "/**/*.php"]}, block: true}
  - {name: sign-in, match: {paths: [/users/sign_in], methods: [POST]}, key: [client_ip, path], rate: 5/min}
  - {name: token, key: "header:X-Api-Key", rate: 100/s}
  - {name: session, key: ["cookie:_session", host, method], rate: 50/s, shadow: true}
  - {name: network, match: {hosts: ["*.example.jp"], networks: [203.0.113.0/24]}, key: client_network, rate: 20/s}
  - {name: all, match: {except: {paths: [/up]}}, rate: 10/s, burst: 40, ratelimit_headers: always}
)");
  std::vector<TestRequest> requests;
  for (const char* target :
       {"/", "/users/sign_in", "/wp-login.php", "/a/../b//c;d=e?f=g", "/x/..%2fusers/sign_in",
        "/assets/app.js", "http://www.example.jp?q", "/%c0%af\\..\\a"}) {
    TestRequest request;
    request.method = std::string(target).find("sign_in") != std::string::npos ? "POST" : "GET";
    request.target = target;
    request.peer = "10.0.0.1";
    request.headers = {{"X-Forwarded-For", "1.2.3.4, 203.0.113.9"},
                       {"X-Api-Key", "0123456789abcdef0123456789abcdef"},
                       {"Cookie", "a=b; _session=0123456789abcdef0123456789abcdef"},
                       {"User-Agent", "test"}};
    requests.push_back(request);
    request.host = "10.0.0.1";
    requests.push_back(request);
  }
  std::vector<std::vector<Field>> fields;
  for (const TestRequest& request : requests) fields.push_back(request.fields());
  const config::IpAddress peer = *config::IpAddress::parse("10.0.0.1");

  Admission admission;
  const auto round = [&](int i) {
    const std::size_t at = static_cast<std::size_t>(i) % requests.size();
    // Some come again as equal ones, the others as if nobody knew.
    const Request view{requests[at].method,     requests[at].target, 11, fields[at], peer,
                       at % 3 == 0 ? at + 1 : 0};
    gate.wait(milliseconds(7));
    gate.engine().admit(view, gate.now, {}, admission);
    gate.engine().finish(admission, 200, gate.now);
  };
  for (int i = 0; i < 1000; ++i) round(i);
  const std::uint64_t before = allocations.load();
  for (int i = 0; i < 10'000; ++i) round(i);
  EXPECT_EQ(allocations.load() - before, 0u);
  EXPECT_NE(gate.counts("sign-in"), "");
  EXPECT_NE(gate.counts("probes"), "");
}

}  // namespace
}  // namespace sekisho::policy
