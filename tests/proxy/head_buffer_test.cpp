#include "proxy/head_buffer.hpp"

#include <gtest/gtest.h>

#include "proxy/common_fields.hpp"
#include "proxy/head_writer.hpp"

namespace sekisho::proxy {
namespace {

// Room for the longest number is asked for first: one that is shorter must fit without it.
TEST(HeadBuffer, ANumberNeedsNoMoreRoomThanItsDigits) {
  HeadBuffer out(6);
  out.append("a");
  out.append_number(12345);
  EXPECT_FALSE(out.overflowed());
  EXPECT_EQ(out.view(), "a12345");
  out.append_number(1);
  EXPECT_TRUE(out.overflowed());
  EXPECT_EQ(out.view(), "a12345");
}

TEST(HeadBuffer, TakesNothingMoreOnceItOverflowed) {
  HeadBuffer out(64);
  out.append(std::string(65, 'x'));
  out.append_number(1);
  EXPECT_TRUE(out.overflowed());
  EXPECT_EQ(out.view(), "");
}

TEST(StatusLine, IsTheSameOfAStatusAlone) {
  for (unsigned status = 0; status < 1000; ++status) {
    HeadBuffer alone(256);
    HeadBuffer spelled(256);
    append_status_line(alone, status);
    append_status_line(spelled, status, reason_phrase(status));
    ASSERT_EQ(alone.view(), spelled.view());
    ASSERT_EQ(alone.view(),
              "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_phrase(status)) + "\r\n");
  }
  EXPECT_EQ(reason_phrase(429), "Too Many Requests");
  EXPECT_EQ(reason_phrase(499), "Request Refused");
}

}  // namespace
}  // namespace sekisho::proxy
