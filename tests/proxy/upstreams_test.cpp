// Which server a request goes to, and what of the upstreams goes on over a reload.
#include "proxy/upstreams.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "config/load.hpp"

namespace sekisho::proxy {
namespace {

std::shared_ptr<const config::Config> load(const std::string& yaml) {
  config::Loaded loaded = config::load_text(yaml, "test.yaml", std::filesystem::temp_directory_path());
  EXPECT_NE(loaded.config, nullptr) << yaml;
  return loaded.config;
}

std::shared_ptr<const Upstreams> make(const std::string& yaml, const Upstreams* before = nullptr) {
  return make_upstreams(*load(yaml), {}, 2, before);
}

std::string chosen(const Upstream& upstream, std::uint64_t tried = 0, unsigned turn = 0) {
  std::size_t index = 0;
  const UpstreamServer* server = upstream.choose(tried, turn, index);
  return server == nullptr ? "" : server->text;
}

TEST(Upstream, ChoosesTheServerWithTheFewestRequests) {
  const auto all = make("upstream: [a:1, b:1, c:1]");
  const Upstream& upstream = all->main();
  upstream.servers[0]->in_flight = 3;
  upstream.servers[1]->in_flight = 1;
  upstream.servers[2]->in_flight = 2;
  for (unsigned turn = 0; turn < 6; ++turn) EXPECT_EQ(chosen(upstream, 0, turn), "b:1");
  EXPECT_EQ(chosen(upstream, 0b010), "c:1");
  EXPECT_EQ(chosen(upstream, 0b110), "a:1");
  EXPECT_EQ(chosen(upstream, 0b111), "");
}

TEST(Upstream, TakesTurnsWhereAllHaveAsFew) {
  const auto all = make("upstream: [a:1, b:1]");
  EXPECT_EQ(chosen(all->main(), 0, 0), "a:1");
  EXPECT_EQ(chosen(all->main(), 0, 1), "b:1");
  EXPECT_EQ(chosen(all->main(), 0, 2), "a:1");
}

TEST(Upstream, PassesOverAServerThatIsDownUnlessAllAre) {
  const auto all = make("upstream: [a:1, b:1]");
  const Upstream& upstream = all->main();
  upstream.servers[0]->note_unreachable("refused");
  upstream.servers[1]->in_flight = 100;
  EXPECT_EQ(chosen(upstream), "b:1");
  EXPECT_EQ(chosen(upstream, 0b10), "a:1") << "the last resort";
  upstream.servers[1]->note_well(false, "ill");
  EXPECT_EQ(chosen(upstream), "a:1") << "with none up, the one with the fewest";
  upstream.servers[1]->note_well(true, "");
  upstream.servers[0]->note_reachable();
  EXPECT_EQ(chosen(upstream), "a:1");
}

TEST(Upstream, ServesOnceAServerWasReached) {
  const auto all = make("upstream: [a:1, b:1]");
  EXPECT_FALSE(all->main().can_serve());
  all->main().servers[1]->note_reachable();
  EXPECT_TRUE(all->main().can_serve());
  all->main().servers[1]->note_unreachable("refused");
  EXPECT_FALSE(all->main().can_serve());
}

TEST(Upstreams, ARouteWithoutServersSharesTheTopLevels) {
  const auto all = make(
      "upstream: a:1\nroutes: [{match: {paths: /x}, upstream: {response_timeout: 5s}}, {match: {paths: /y}, "
      "upstream: b:1}]");
  ASSERT_EQ(all->routes.size(), 3U);
  EXPECT_EQ(all->routes[0], all->routes[2]);
  EXPECT_NE(all->routes[1], all->routes[2]);
  EXPECT_EQ(all->distinct().size(), 2U);
}

TEST(Upstreams, TheMainOneIsTheLastRoutesWhereThereIsNoOther) {
  const auto all = make("routes: [{match: {paths: /x}, upstream: b:1}, {upstream: a:1}]");
  EXPECT_EQ(all->main().servers[0]->text, "a:1");
}

TEST(Upstreams, AReloadKeepsServersAndPermits) {
  const auto before = make("upstream: {servers: [a:1, b:1], max_in_flight: 4}");
  ASSERT_TRUE(before->main().in_flight->try_acquire());
  before->main().servers[0]->note_reachable();
  const auto after =
      make("upstream: {servers: [c:1, a:1], max_in_flight: 2, max_connections: 9}", before.get());
  EXPECT_EQ(after->main().servers[1], before->main().servers[0]);
  EXPECT_EQ(after->main().in_flight, before->main().in_flight);
  EXPECT_TRUE(after->main().in_flight->try_acquire());
  EXPECT_FALSE(after->main().in_flight->try_acquire()) << "the bound moved, the permit held counts";
  EXPECT_TRUE(after->main().servers[0]->can_serve()) << "a new server has the benefit of the doubt";
}

TEST(Upstreams, ABoundThatComesOrGoesLeavesThePermitsHeldAlone) {
  const auto before = make("upstream: {servers: a:1, max_in_flight: 1}");
  ASSERT_TRUE(before->main().in_flight->try_acquire());
  const auto after = make("upstream: a:1", before.get());
  EXPECT_NE(after->main().in_flight, before->main().in_flight);
  EXPECT_FALSE(after->main().in_flight->bounded());
  EXPECT_EQ(after->main().servers[0], before->main().servers[0]);
}

TEST(Upstreams, ARoutesServersGoOnWhereverItStands) {
  const auto before = make(
      "upstream: a:1\nroutes: [{match: {paths: /x}, upstream: b:1}, {match: {paths: /y}, upstream: c:1}]");
  const auto after =
      make("upstream: a:1\nroutes: [{match: {paths: /y}, upstream: [c:1, d:1]}]", before.get());
  EXPECT_EQ(after->routes[0]->servers[0], before->routes[1]->servers[0]);
  EXPECT_EQ(after->routes[1]->servers[0], before->routes[2]->servers[0]);
}

TEST(Upstreams, TheSameServerInTwoUpstreamsIsTwo) {
  const auto all = make("upstream: a:1\nroutes: [{match: {paths: /x}, upstream: a:1}]");
  EXPECT_NE(all->routes[0]->servers[0], all->routes[1]->servers[0]);
}

}  // namespace
}  // namespace sekisho::proxy
