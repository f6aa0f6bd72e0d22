// Which trailers go on; what goes over the wire stands in tests/data/wire/trailers.case.
#include "proxy/trailer_rules.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sekisho::proxy {
namespace {

using Towards = TrailerRules::Towards;

TEST(TrailerRules, LetThroughWhatIsMadeForTrailers) {
  for (const Towards towards : {Towards::upstream, Towards::client}) {
    const TrailerRules rules(towards, {});
    for (const char* name : {"Server-Timing", "grpc-status", "Grpc-Message", "X-Checksum", "Content-Digest",
                             "Repr-Digest", "ETag", "Digest", "x_custom"}) {
      EXPECT_TRUE(rules.passes(name)) << name;
    }
  }
}

TEST(TrailerRules, KeepWhatBelongsInAHead) {
  for (const Towards towards : {Towards::upstream, Towards::client}) {
    const TrailerRules rules(towards, {});
    for (const char* name : {"Content-Length",
                             "content_length",
                             "Transfer-Encoding",
                             "TRANSFER_ENCODING",
                             "Host",
                             "Trailer",
                             "TE",
                             "Connection",
                             "Keep-Alive",
                             "Proxy-Connection",
                             "Upgrade",
                             "Cookie",
                             "Set-Cookie",
                             "set_cookie",
                             "Authorization",
                             "Proxy-Authorization",
                             "WWW-Authenticate",
                             "Content-Type",
                             "Content-Encoding",
                             "Content-Range",
                             "Content-Disposition",
                             "Cache-Control",
                             "Expect",
                             "Max-Forwards",
                             "Range",
                             "If-Match",
                             "If-Modified-Since",
                             "if_none_match",
                             "X-Forwarded-For",
                             "X-Forwarded-Anything",
                             "x_real_ip",
                             "X-Request-Id",
                             "Sekisho-Shadow",
                             "RateLimit",
                             "RateLimit-Policy",
                             "Access-Control-Allow-Origin",
                             "X-Accel-Redirect",
                             "X-Sendfile",
                             "Accept",
                             "Accept-Language",
                             "User-Agent",
                             "X-Amzn-Trace-Id",
                             "CloudFront-Viewer-Country"}) {
      EXPECT_FALSE(rules.passes(name)) << name;
    }
  }
}

TEST(TrailerRules, KeepTowardsTheUpstreamWhatIsTakenOffItsHeads) {
  const TrailerRules rules(Towards::upstream, {});
  for (const char* name : {"Client-IP", "client_ip", "True-Client-IP", "X-Original-URL", "Proxy", "Forwarded",
                           "HTTP2-Settings"}) {
    EXPECT_FALSE(rules.passes(name)) << name;
  }
}

TEST(TrailerRules, KeepWhatConnectionNamed) {
  const std::vector<Field> head = {{"Connection", "close, X-Hop", FieldId::connection},
                                   {"Connection", "third", FieldId::connection}};
  const TrailerRules rules(Towards::client, head);
  EXPECT_FALSE(rules.passes("x-hop"));
  EXPECT_FALSE(rules.passes("X_Hop"));
  EXPECT_FALSE(rules.passes("Third"));
  EXPECT_TRUE(rules.passes("X-Hops"));
}

TEST(TrailerRules, WriteCleanLines) {
  const TrailerRules rules(Towards::client, {});
  HeadBuffer out(256);
  const std::string_view section = "A:1\r\nHost: x\r\nB: \t 2 \t\r\nC:\r\nSet-Cookie: d\r\n";
  EXPECT_EQ(rules.write(section, out), 3u);
  EXPECT_EQ(out.view(), "A: 1\r\nB: 2\r\nC: \r\n");
  EXPECT_TRUE(rules.any_passes(section));
  EXPECT_FALSE(rules.any_passes("Host: x\r\nSet-Cookie: d\r\n"));
  EXPECT_FALSE(rules.any_passes(""));
}

TEST(TrailerRules, LongNamesAreNoListedOnes) {
  const TrailerRules rules(Towards::upstream, {});
  EXPECT_TRUE(rules.passes(std::string(5000, 'x')));
  EXPECT_FALSE(rules.passes("content-" + std::string(5000, 'x')));
}

}  // namespace
}  // namespace sekisho::proxy
