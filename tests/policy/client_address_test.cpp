#include "proxy/policy/client_address.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace sekisho::policy {
namespace {

using Lines = std::vector<std::string>;

ClientAddress compile(const std::string& header, const Lines& trusted) {
  config::ClientIp config;
  config.header.value = header;
  config.trusted_proxies.clear();
  for (const std::string& each : trusted) config.trusted_proxies.push_back({each, {}});
  config::Diagnostics diagnostics;
  ClientAddress compiled = ClientAddress::compile(config, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  return compiled;
}

struct Sent {
  std::string name;
  std::string value;
};

DerivedClient derive(const ClientAddress& compiled, const std::string& peer, const std::vector<Sent>& headers,
                     HopObserver* observer = nullptr) {
  std::vector<Field> fields = {{"Host", "a", FieldId::host}};
  for (const Sent& header : headers) fields.push_back({header.name, header.value, FieldId::other});
  Request request;
  request.fields = fields;
  request.peer = *config::IpAddress::parse(peer);
  return compiled.derive(request, observer);
}

std::string client(const std::string& header, const std::vector<Sent>& headers,
                   const std::string& peer = "127.0.0.1") {
  return derive(compile(header, {"loopback", "private"}), peer, headers).address.to_string();
}

std::string forwarded(const std::string& value) {
  return client("Forwarded", {{"Forwarded", value}});
}

std::string viewer(const std::string& value) {
  return client("CloudFront-Viewer-Address",
                {{"X-Forwarded-For", "203.0.113.99"}, {"cloudfront-viewer-address", value}});
}

TEST(ClientAddress, EveryCaseOfTheDataFile) {
  std::ifstream file(SEKISHO_SOURCE_DIR "/tests/data/policy/client_ip_cases.jsonl");
  std::string line;
  int count = 0;
  while (std::getline(file, line)) {
    const auto test = nlohmann::json::parse(line);
    std::vector<Sent> headers;
    for (const auto& value : test["x_forwarded_for"]) headers.push_back({"X-Forwarded-For", value});
    const DerivedClient derived =
        derive(compile("X-Forwarded-For", test["trusted"].get<Lines>()), test["peer"], headers);
    EXPECT_EQ(derived.address.to_string(), test["client"].get<std::string>()) << line;
    ++count;
  }
  EXPECT_GE(count, 22);
}

TEST(ClientAddress, TheHeaderCountsFromATrustedPeerAlone) {
  const ClientAddress compiled = compile("x-forwarded-for", {"loopback"});
  const DerivedClient stranger = derive(compiled, "203.0.113.5", {{"X-Forwarded-For", "198.51.100.1"}});
  EXPECT_EQ(stranger.address.to_string(), "203.0.113.5");
  EXPECT_FALSE(stranger.peer_trusted);
  EXPECT_TRUE(derive(compiled, "127.0.0.1", {}).peer_trusted);
}

TEST(ClientAddress, CloudFrontThenALoadBalancer) {
  const ClientAddress compiled = compile("X-Forwarded-For", {"private", "cloudfront"});
  const DerivedClient derived =
      derive(compiled, "10.0.1.2", {{"X-Forwarded-For", "6.6.6.6, 198.51.100.7, 130.176.3.4"}});
  EXPECT_EQ(derived.address.to_string(), "198.51.100.7");
}

TEST(ClientAddress, AnUnparsableEntryEndsTheWalkAtWhoSentIt) {
  EXPECT_EQ(client("X-Forwarded-For", {{"X-Forwarded-For", "198.51.100.7, unknown, 10.0.0.5"}}), "10.0.0.5");
  EXPECT_EQ(client("X-Forwarded-For", {{"X-Forwarded-For", "198.51.100.7, 1.2.3.4:"}}), "127.0.0.1");
  EXPECT_EQ(client("X-Forwarded-For", {{"X-Forwarded-For", "198.51.100.7, [1.2.3.4]"}}), "127.0.0.1");
  EXPECT_EQ(client("X-Forwarded-For", {{"X-Forwarded-For", "[2001:db8::7"}}), "127.0.0.1");
  EXPECT_EQ(client("X-Forwarded-For", {{"X-Forwarded-For", "[2001:db8::7]x"}}), "127.0.0.1");
}

TEST(ClientAddress, EmptyLinesAndElementsAreSkippedAcrossLines) {
  EXPECT_EQ(client("X-Forwarded-For", {{"X-Forwarded-For", "198.51.100.7"},
                                       {"X-Forwarded-For", " , ,"},
                                       {"x-forwarded-for", ""},
                                       {"X-FORWARDED-FOR", "10.0.0.5,"}}),
            "198.51.100.7");
}

TEST(ClientAddress, LongWalksAreBounded) {
  std::string value = "198.51.100.7";
  for (unsigned i = 0; i < ClientAddress::max_hops + 10; ++i) value += ",10.0.0.5";
  EXPECT_EQ(client("X-Forwarded-For", {{"X-Forwarded-For", value}}), "10.0.0.5");
}

TEST(ClientAddress, ReadsForwarded) {
  EXPECT_EQ(forwarded("for=198.51.100.7"), "198.51.100.7");
  EXPECT_EQ(forwarded("For=\"198.51.100.7:4711\";proto=https;by=10.0.0.1"), "198.51.100.7");
  EXPECT_EQ(forwarded("proto=https; for=198.51.100.7"), "198.51.100.7");
  EXPECT_EQ(forwarded("for=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
  EXPECT_EQ(forwarded("for=\"[2001:db8:cafe::17]\""), "2001:db8:cafe::17");
  EXPECT_EQ(forwarded("for=\"198.51.100.7:_gazonk\""), "198.51.100.7");
  EXPECT_EQ(forwarded("for=6.6.6.6, for=198.51.100.7, for=10.0.0.9"), "198.51.100.7");
  EXPECT_EQ(forwarded("for=198.51.100.7;ext=\"a,b\\\",c;for=6.6.6.6\", for=10.0.0.9"), "198.51.100.7");
}

TEST(ClientAddress, HiddenAndBrokenForwardedEndTheWalk) {
  EXPECT_EQ(forwarded("for=198.51.100.7, for=_hidden, for=10.0.0.9"), "10.0.0.9");
  EXPECT_EQ(forwarded("for=198.51.100.7, for=unknown"), "127.0.0.1");
  EXPECT_EQ(forwarded("for=198.51.100.7, proto=https"), "127.0.0.1");
  EXPECT_EQ(forwarded("for=198.51.100.7;for=198.51.100.8"), "127.0.0.1");
  EXPECT_EQ(forwarded("for="), "127.0.0.1");
  EXPECT_EQ(forwarded("198.51.100.7"), "127.0.0.1");
}

TEST(ClientAddress, AnUnpairedQuoteOnTheLeftSwallowsNothing) {
  EXPECT_EQ(forwarded("for=\"6.6.6.6, for=198.51.100.7"), "198.51.100.7");
  EXPECT_EQ(forwarded("for=\"6.6.6.6\\, for=\"198.51.100.7:1\", for=10.0.0.9"), "198.51.100.7");
}

TEST(ClientAddress, OtherHeadersDoNotCount) {
  EXPECT_EQ(client("Forwarded", {{"X-Forwarded-For", "198.51.100.7"}}), "127.0.0.1");
  EXPECT_EQ(client("X-Forwarded-For", {{"Forwarded", "for=198.51.100.7"}}), "127.0.0.1");
  EXPECT_EQ(client("X-Forwarded-For", {{"X_Forwarded_For", "198.51.100.7"}}), "127.0.0.1");
}

TEST(ClientAddress, ReadsAHeaderOfOneAddress) {
  EXPECT_EQ(viewer("198.51.100.10:46532"), "198.51.100.10");
  EXPECT_EQ(viewer("2001:db8::5:46532"), "2001:db8::5");
  EXPECT_EQ(viewer("2001:db8:0:0:0:0:0:5:443"), "2001:db8::5");
  EXPECT_EQ(viewer("[2001:db8::5]:443"), "2001:db8::5");
  EXPECT_EQ(viewer("garbage"), "127.0.0.1");
  EXPECT_EQ(client("X-Real-IP", {{"X-Real-IP", "2001:db8::5"}}), "2001:db8::5");
  EXPECT_EQ(client("X-Real-IP", {{"X-Real-IP", "198.51.100.7:1"}}), "198.51.100.7");
}

TEST(ClientAddress, AbsentOneAddressFallsBackToXForwardedFor) {
  EXPECT_EQ(client("CloudFront-Viewer-Address", {{"X-Forwarded-For", "6.6.6.6, 198.51.100.7"}}),
            "198.51.100.7");
}

TEST(ClientAddress, TwoOfOneAddressAreNone) {
  EXPECT_EQ(client("X-Real-IP", {{"X-Real-IP", "198.51.100.7"}, {"X-Real-IP", "198.51.100.8"}}), "127.0.0.1");
}

TEST(ClientAddress, TellsEachHop) {
  class Recorder final : public HopObserver {
   public:
    void hop(std::string_view header, std::string_view entry, std::optional<config::IpAddress> address,
             HopVerdict verdict) override {
      text += std::string(header) + "|" + std::string(entry) + "|" + (address ? address->to_string() : "-") +
              "|" + std::to_string(static_cast<int>(verdict)) + "\n";
    }
    std::string text;
  };
  const ClientAddress compiled = compile("X-Forwarded-For", {"loopback", "private"});
  Recorder client_found;
  derive(compiled, "127.0.0.1", {{"X-Forwarded-For", "6.6.6.6, 198.51.100.7:1, 10.0.0.5"}}, &client_found);
  EXPECT_EQ(client_found.text,
            "|127.0.0.1|127.0.0.1|0\n"
            "X-Forwarded-For|10.0.0.5|10.0.0.5|0\n"
            "X-Forwarded-For|198.51.100.7:1|198.51.100.7|1\n");
  Recorder broken;
  derive(compiled, "127.0.0.1", {{"X-Forwarded-For", "6.6.6.6, x"}}, &broken);
  EXPECT_EQ(broken.text, "|127.0.0.1|127.0.0.1|0\nX-Forwarded-For|x|-|2\n");
}

TEST(ClientAddress, RefusesANameThatIsNone) {
  config::ClientIp config;
  config.header = {"X Forwarded", {0, 4, 2}};
  config::Diagnostics diagnostics;
  ClientAddress::compile(config, diagnostics);
  ASSERT_EQ(diagnostics.all().size(), 1U);
  EXPECT_EQ(diagnostics.all()[0].mark.line, 4U);
}

}  // namespace
}  // namespace sekisho::policy
