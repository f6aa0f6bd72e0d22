// Which fields are recognised, and which never pass, in every spelling.
#include "proxy/field_rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "proxy/connection_options.hpp"
#include "proxy/field_id.hpp"

namespace sekisho::proxy {
namespace {

Field field(std::string_view name) {
  return {name, "x", field_id(name)};
}

constexpr std::string_view ended[] = {"Connection",
                                      "Content-Length",
                                      "Expect",
                                      "Forwarded",
                                      "Host",
                                      "Keep-Alive",
                                      "Proxy-Connection",
                                      "TE",
                                      "Trailer",
                                      "Transfer-Encoding",
                                      "Upgrade",
                                      "Via",
                                      "X-Forwarded-For",
                                      "X-Forwarded-Host",
                                      "X-Forwarded-Port",
                                      "X-Forwarded-Proto",
                                      "X-Real-IP",
                                      "X-Request-Id",
                                      "X-Request-Start",
                                      "Client-IP",
                                      "X-Client-IP",
                                      "True-Client-IP",
                                      "X-Forwarded-Ssl",
                                      "X-Forwarded-Scheme",
                                      "X-Forwarded-Server",
                                      "X-Forwarded-Prefix",
                                      "X-Original-URL",
                                      "X-Rewrite-URL",
                                      "X-Url-Scheme",
                                      "X-Sendfile-Type",
                                      "X-Accel-Mapping",
                                      "Proxy",
                                      "Sekisho-Shadow",
                                      "Sekisho-A-Name-That-Is-Longer-Than-Thirty-One-Bytes",
                                      "HTTP2-Settings",
                                      "Proxy-Authenticate",
                                      "Proxy-Authorization"};

constexpr std::string_view passed[] = {"Accept",
                                       "Accept-Encoding",
                                       "Accept-Language",
                                       "Authorization",
                                       "Content-Type",
                                       "Cookie",
                                       "Date",
                                       "Referer",
                                       "Server",
                                       "User-Agent",
                                       "X-Amzn-Trace-Id",
                                       "X-CSRF-Token",
                                       "Sec-WebSocket-Key",
                                       "Sec-Fetch-Mode",
                                       "X_Api_Key",
                                       "Proxies",
                                       "Hosts",
                                       "Sekisho",
                                       "X-Forwarded",
                                       "CloudFront-Viewer-Country",
                                       "If-None-Match",
                                       "1-Digit",
                                       "_",
                                       "-"};

std::string changed(std::string_view name, char from, char to) {
  std::string text(name);
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

std::string in_case(std::string_view name, int (*convert)(int)) {
  std::string text(name);
  for (char& c : text) c = static_cast<char>(convert(static_cast<unsigned char>(c)));
  return text;
}

TEST(FieldRules, EverySpellingEndsBeforeTheUpstream) {
  for (const std::string_view name : ended) {
    EXPECT_TRUE(ends_before_upstream(field(name))) << name;
    for (const std::string& spelling :
         {changed(name, '-', '_'), in_case(name, std::toupper), in_case(name, std::tolower),
          in_case(changed(name, '-', '_'), std::toupper)}) {
      EXPECT_TRUE(ends_before_upstream(field(spelling))) << spelling;
    }
    // One underscore of several is enough to be another name, and the same CGI variable.
    if (const auto hyphen = name.rfind('-'); hyphen != std::string_view::npos) {
      std::string mixed(name);
      mixed[hyphen] = '_';
      EXPECT_TRUE(ends_before_upstream(field(mixed))) << mixed;
    }
  }
}

TEST(FieldRules, OtherFieldsPass) {
  for (const std::string_view name : passed) EXPECT_FALSE(ends_before_upstream(field(name))) << name;
  EXPECT_FALSE(ends_before_upstream(field(std::string(5000, 'p'))));
  EXPECT_FALSE(ends_before_upstream(field(std::string(31, 'x'))));
  EXPECT_FALSE(ends_before_upstream(field(std::string(32, '_'))));
}

TEST(FieldRules, HopByHopFieldsOfAResponseEnd) {
  for (const std::string_view name :
       {"Connection", "keep-alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "Transfer-Encoding",
        "Content-Length", "Proxy-Authenticate"}) {
    EXPECT_TRUE(ends_before_client(field(name))) << name;
  }
  for (const std::string_view name :
       {"Set-Cookie", "Server", "Date", "Location", "X-Request-Id", "Via", "Vary"}) {
    EXPECT_FALSE(ends_before_client(field(name))) << name;
  }
}

TEST(FieldId, IgnoresLetterCaseAlone) {
  EXPECT_EQ(field_id("hOsT"), FieldId::host);
  EXPECT_EQ(field_id("X-FORWARDED-FOR"), FieldId::x_forwarded_for);
  EXPECT_EQ(field_id("x-amzn-trace-id"), FieldId::x_amzn_trace_id);
  EXPECT_EQ(field_id("X_Forwarded_For"), FieldId::other);
  EXPECT_EQ(field_id("Hos"), FieldId::other);
  EXPECT_EQ(field_id("Hosts"), FieldId::other);
  EXPECT_EQ(field_id(""), FieldId::other);
}

TEST(ConnectionOptions, AreReadOverAllLines) {
  const Field fields[] = {{"Connection", "Keep-Alive, X-One ,, x-two", FieldId::connection},
                          {"Host", "close", FieldId::host},
                          {"connection", "UPGRADE", FieldId::connection}};
  const ConnectionOptions options(fields);
  EXPECT_FALSE(options.close);
  EXPECT_TRUE(options.keep_alive);
  EXPECT_TRUE(options.upgrade);
  EXPECT_TRUE(options.names_field("x-ONE"));
  EXPECT_TRUE(options.names_field("X-Two"));
  EXPECT_FALSE(options.names_field("X-Three"));
}

}  // namespace
}  // namespace sekisho::proxy
