// Runs the cases of tests/data/wire through the real data plane, between a client's socket and a scripted
// upstream's: as they stand, and once more with every byte in a send of its own.
#include <gtest/gtest.h>

#include <cctype>
#include <optional>
#include <ostream>

#include "tests/proxy/wire_case.hpp"
#include "tests/proxy/wire_pattern.hpp"
#include "tests/proxy/wire_peer.hpp"
#include "tests/support/in_process.hpp"

namespace sekisho::test {

void PrintTo(const WireCase& entry, std::ostream* out) {
  *out << entry.file << ": " << entry.name;
}

namespace {

using Kind = WireStep::Kind;

constexpr std::size_t most_in_pieces = 4096;  // a send a byte takes its time

std::string yaml_of(const WireCase& entry) {
  const std::string own = "\n" + entry.config;
  std::string yaml = "listen: 127.0.0.1:0\nlog: {access: /dev/null}\n";
  if (own.find("\nupstream:") == std::string::npos) yaml += "upstream: 127.0.0.1:1\n";
  return yaml + entry.config;
}

// As much of it as a reader can use.
std::string excerpt(std::string_view bytes) {
  constexpr std::size_t most = 2000;
  return escape(bytes.substr(0, most)) + (bytes.size() > most ? " and so on" : "");
}

class Rehearsal {
 public:
  Rehearsal(const WireCase& entry, bool in_pieces)
      : entry_(entry), in_pieces_(in_pieces), proxy_(yaml_of(entry), ends_.upstream_port()) {
    ends_.connect(proxy_.port());
  }

  // What went wrong, or nothing.
  std::optional<std::string> run() {
    for (const WireStep& step : entry_.steps) {
      if (const auto wrong = take(step)) return entry_.file + ":" + std::to_string(step.line) + ": " + *wrong;
    }
    return prove_the_end();
  }

 private:
  using Wrong = std::optional<std::string>;

  Wrong take(const WireStep& step) {
    switch (step.kind) {
      case Kind::client_sends:
        ends_.send(*ends_.client, step.text, in_pieces_);
        return std::nullopt;
      case Kind::client_gets:
        return expect(*ends_.client, step.text, "the client");
      case Kind::client_connects:
        ends_.connect(proxy_.port());
        client_usable_ = true;
        return std::nullopt;
      case Kind::client_ends:
        client_usable_ = false;
        ends_.client->shut();
        return std::nullopt;
      case Kind::client_leaves:
        client_usable_ = false;
        ends_.client->close_hard();
        return std::nullopt;
      case Kind::client_sees_end:
      case Kind::client_sees_reset:
        client_usable_ = false;
        return expect_end(*ends_.client, step.kind == Kind::client_sees_reset, "the client");
      case Kind::server_accepts:
        next_server_ = true;
        return std::nullopt;
      case Kind::server_gets:
        return server_gets(step.text);
      case Kind::server_sends:
        if (server() == nullptr) return "there is no connection to the upstream";
        ends_.send(*server(), step.text, in_pieces_);
        return std::nullopt;
      case Kind::server_ends:
        server()->close();
        return std::nullopt;
      case Kind::server_resets:
        server()->close_hard();
        return std::nullopt;
      case Kind::server_sees_end:
        return expect_end(*server(), std::nullopt, "the upstream");
    }
    return "no such step";
  }

  WirePeer* server() { return server_ < ends_.upstreams.size() ? ends_.upstreams[server_].get() : nullptr; }

  // The upstream must get it on the connection that it knows, or on the next one where the case says so.
  Wrong server_gets(const std::string& pattern) {
    if (next_server_) server_ = ends_.upstreams.empty() || server() == nullptr ? server_ : server_ + 1;
    next_server_ = false;
    const auto there = [&] { return server() != nullptr; };
    ends_.wait([&] { return there() || ends_.client->ended; });
    if (!there()) return "nothing came to the upstream; wanted\n  " + excerpt(pattern) + client_has();
    return expect(*server(), pattern, "the upstream");
  }

  Wrong expect(WirePeer& peer, const std::string& pattern, const std::string& who) {
    Match found;
    ends_.wait([&] {
      found = match(pattern, peer.unused());
      return found.result != Match::Result::more || peer.ended;
    });
    if (found.result == Match::Result::yes) {
      peer.used += found.size;
      return std::nullopt;
    }
    return who + " has\n  " + excerpt(peer.unused()) + (peer.ended ? " (and its end)" : "") + "\nwanted\n  " +
           excerpt(pattern) + "\nalike in " + std::to_string(found.size) + " bytes" +
           (&peer == ends_.client.get() ? "" : client_has());
  }

  // `reset`: whether it must be one, or may not; the upstream's side may be either, as its last bytes were
  // read or not.
  Wrong expect_end(WirePeer& peer, std::optional<bool> reset, const std::string& who) {
    ends_.wait([&] { return peer.ended || !peer.unused().empty(); });
    if (!peer.unused().empty()) return who + " has more than wanted:\n  " + excerpt(peer.unused());
    if (!peer.ended) return who + " saw no end";
    if (reset && peer.reset != *reset)
      return who + (*reset ? " saw a FIN, no reset" : " saw a reset, no FIN");
    return std::nullopt;
  }

  std::string client_has() { return "\nthe client has\n  " + excerpt(ends_.client->unused()); }

  // Both sides got what the case says and nothing more. A request on the same connection, where it is kept,
  // and one on a fresh connection show it without a wait: what the proxy's one worker still had to send from
  // before would arrive ahead of them.
  Wrong prove_the_end() {
    if (client_usable_) {
      if (const auto wrong = ask_once_more("/same")) return "on the same connection: " + *wrong;
    }
    if (!ends_.client->unused().empty()) return "the client has more:\n  " + excerpt(ends_.client->unused());
    ends_.connect(proxy_.port());
    if (const auto wrong = ask_once_more("/fresh")) return "on a fresh connection: " + *wrong;
    for (const auto& upstream : ends_.upstreams) {
      if (!upstream->unused().empty()) return "the upstream has more:\n  " + excerpt(upstream->unused());
    }
    return std::nullopt;
  }

  Wrong ask_once_more(const std::string& path) {
    ends_.send(*ends_.client, "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n", false);
    WirePeer* asked = nullptr;
    ends_.wait([&] {
      for (const auto& upstream : ends_.upstreams) {
        if (!upstream->unused().empty()) asked = upstream.get();
      }
      return asked != nullptr || ends_.client->ended;
    });
    if (asked == nullptr) return "no further request came to the upstream" + client_has();
    if (const auto wrong =
            expect(*asked, compile_pattern("GET " + path + " HTTP/1.1\\r\\nHost: a\\r\\n{forwarding}\\r\\n"),
                   "the upstream"))
      return wrong;
    ends_.send(*asked, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\nlast\n", false);
    return expect(*ends_.client, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\nlast\n",
                  "the client");
  }

  const WireCase& entry_;
  const bool in_pieces_;
  WireEnds ends_;
  InProcessServer proxy_;
  std::size_t server_ = 0;  // which of the upstream's connections the steps speak of
  bool next_server_ = false;
  bool client_usable_ = true;
};

std::vector<WireCase> all_cases() {
  return read_wire_cases(SEKISHO_SOURCE_DIR "/tests/data/wire");
}

class WireTest : public testing::TestWithParam<WireCase> {};

TEST_P(WireTest, GoesAsTheCaseSays) {
  const auto wrong = Rehearsal(GetParam(), false).run();
  EXPECT_FALSE(wrong) << *wrong;
}

TEST_P(WireTest, GoesTheSameInSingleBytes) {
  std::size_t size = 0;
  for (const WireStep& step : GetParam().steps) size += step.text.size();
  if (!GetParam().in_pieces || size > most_in_pieces) return;
  const auto wrong = Rehearsal(GetParam(), true).run();
  EXPECT_FALSE(wrong) << *wrong;
}

// gtest wants letters and digits, and every name but once.
std::string name_of(const testing::TestParamInfo<WireCase>& info) {
  std::string name = info.param.file.substr(0, info.param.file.find('.')) + "_" + info.param.name;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Cases, WireTest, testing::ValuesIn(all_cases()), name_of);

TEST(WireCases, AreAllThere) {
  EXPECT_GE(all_cases().size(), 400U);
}

}  // namespace
}  // namespace sekisho::test
