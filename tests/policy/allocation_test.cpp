// Warm, the parts that stand on every request's way allocate nothing.
#include <gtest/gtest.h>

#include "proxy/policy/client_address.hpp"
#include "proxy/policy/host_guard.hpp"
#include "proxy/policy/path_set.hpp"
#include "tests/support/allocation_counter.hpp"

namespace sekisho::policy {
namespace {

using test::allocations;

// Allocations of the second of two calls.
template <class Call>
std::size_t when_warm(Call call) {
  call();
  const std::size_t before = allocations.load();
  call();
  return allocations.load() - before;
}

TEST(Allocation, TheCounterCounts) {
  // Called by name: the optimiser may leave out a new-expression, but not this.
  EXPECT_EQ(when_warm([] { ::operator delete(::operator new(1)); }), 1U);
}

TEST(Allocation, ClientAddress) {
  config::Diagnostics diagnostics;
  for (const char* header : {"X-Forwarded-For", "Forwarded", "CloudFront-Viewer-Address"}) {
    config::ClientIp config;
    config.header.value = header;
    config.trusted_proxies.push_back({"cloudfront", {}});
    const ClientAddress compiled = ClientAddress::compile(config, diagnostics);
    const Field fields[] = {
        {"X-Forwarded-For", "6.6.6.6, 2001:db8::1, [2001:db8::2]:44, 130.176.1.1, 10.0.0.1:4",
         FieldId::other},
        {"Forwarded", "for=\"[2001:db8::1]:4\";proto=https, for=10.0.0.1", FieldId::other},
        {"CloudFront-Viewer-Address", "2001:db8::1:443", FieldId::other}};
    Request request;
    request.fields = fields;
    request.peer = *config::IpAddress::parse("127.0.0.1");
    EXPECT_EQ(when_warm([&] { compiled.derive(request); }), 0U) << header;
  }
}

TEST(Allocation, HostGuard) {
  config::Hosts hosts;
  hosts.allow = {{"www.example.jp", {}}, {"*.a-rather-long-domain-name.example.jp", {}}};
  config::Diagnostics diagnostics;
  const HostGuard guard = HostGuard::compile(hosts, {}, diagnostics);
  for (const char* host :
       {"WWW.example.jp:80", "one.two.three.a-rather-long-domain-name.example.jp.", "[2001:db8::1]", "a b"}) {
    const Field fields[] = {{"Host", host, FieldId::host}};
    Request request;
    request.target = "/";
    request.fields = fields;
    EXPECT_EQ(when_warm([&] { guard.judge(request, read_target(request.target)); }), 0U) << host;
  }
}

TEST(Allocation, PathReadingsAndPathSet) {
  config::Diagnostics diagnostics;
  const PathSet set = PathSet::compile(
      {{"/users/sign_in", {}}, {"/admin/**", {}}, {"/*.php", {}}, {"/*", {}}, {"builtin:probes", {}}},
      diagnostics);
  PathReadings read;
  for (const char* target : {"/a/rather/long/but/ordinary/path/that/no/pattern/matches?with=query",
                             "/a/rather/long/assets/..%2f..;/%2570hpmyadmin\\and/%c0%ae/more/of/it",
                             "/wp-content/plugins/x/../y.php", "/users/sign_in.json"}) {
    EXPECT_EQ(when_warm([&] {
                read.read(target);
                set.matches_any(read);
                set.matches_all(read);
              }),
              0U)
        << target;
  }
}

}  // namespace
}  // namespace sekisho::policy
