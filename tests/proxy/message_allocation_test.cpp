// Reading and writing heads allocates nothing once the vectors of fields are warm.
#include <gtest/gtest.h>

#include "proxy/chunk_decoder.hpp"
#include "proxy/head_writer.hpp"
#include "proxy/request_parser.hpp"
#include "proxy/response_parser.hpp"
#include "proxy/trailer_rules.hpp"
#include "tests/support/allocation_counter.hpp"

namespace sekisho::proxy {
namespace {

using test::allocations;

constexpr std::string_view request =
    "POST /users/sign_in HTTP/1.1\r\nHost: www.example.jp\r\nContent-Length: 5\r\nConnection: keep-alive, "
    "X-Hop\r\n"
    "X-Hop: 1\r\nX-Forwarded-For: 198.51.100.7\r\nX_Forwarded_For: 1.1.1.1\r\nUser-Agent: Mozilla/5.0\r\n"
    "Accept: application/json\r\nCookie: session=abcdef\r\nVia: 1.1 front\r\n\r\n";
constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nX-Runtime: 0.012\r\nContent-Length: "
    "5\r\n\r\n";

TEST(MessageAllocation, AWarmExchangeAllocatesNothing) {
  RequestParser request_parser;
  ResponseParser response_parser;
  RequestHead request_head;
  ResponseHead response_head;
  ChunkDecoder decoder;
  HeadBuffer out(16 * 1024);
  policy::Admission admission;
  admission.authority = "www.example.jp";
  admission.origin_target = "/users/sign_in";
  admission.outcome = policy::Outcome::limited;
  admission.limit_name = "login";
  admission.policy_name = "login";
  admission.show_ratelimit = admission.show_retry_after = true;
  const std::uint64_t random[2] = {1, 2};
  char scratch[32];

  const auto exchange = [&] {
    request_parser.reset();
    ASSERT_EQ(request_parser.parse(request, request_head).status, ParseStatus::complete);
    Forwarding forwarding;
    forwarding.request_id = choose_request_id(request_head, random, scratch);
    out.clear();
    write_request_head(out, request_head, admission, forwarding);
    response_parser.reset(request_head.method);
    ASSERT_EQ(response_parser.parse(response, response_head).status, ParseStatus::complete);
    out.clear();
    write_response_head(out, response_head, admission, {});
    LocalAnswer answer;
    answer.status = 429;
    answer.prefers_json = prefers_json(request_head);
    out.clear();
    write_local_answer(out, answer, &admission);
    ASSERT_FALSE(out.overflowed());
    decoder.reset();
    decoder.step("5;x=y\r\nhello\r\n0\r\n\r\n");
    out.clear();
    TrailerRules(TrailerRules::Towards::client, response_head.fields).write("X-Sum: 1\r\nHost: x\r\n", out);
    request_parser.reset();
    ASSERT_EQ(request_parser.parse("GET / HTTP/1.1\r\nHost : a", request_head).error_status, 400U);
  };
  exchange();
  const auto before = allocations.load();
  for (int i = 0; i < 1000; ++i) exchange();
  EXPECT_EQ(allocations - before, 0U);
}

}  // namespace
}  // namespace sekisho::proxy
