#include "config/ip_address.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sekisho::config {
namespace {

TEST(IpAddress, ReadsAndWritesCanonically) {
  const std::pair<const char*, const char*> cases[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"100.64.0.7", "100.64.0.7"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8:0:0:0:0:0:5", "2001:db8::5"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // one zero group is no run
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // the longest run
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // the first of equal runs
      {"fe80:0:0:0:0:0:0:0", "fe80::"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
      {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
      {"::ffff:100.64.0.7", "100.64.0.7"},
      {"::FFFF:6440:7", "100.64.0.7"},
      {"::1.2.3.4", "::102:304"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
  };
  for (const auto& [text, canonical] : cases) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), canonical) << text;
    EXPECT_EQ(IpAddress::parse(canonical), address) << text;
  }
}

TEST(IpAddress, RefusesWhatIsNoStrictText) {
  for (const char* text : {"",
                           " ",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "01.2.3.4",
                           "1.2.3.04",
                           "1.2.3.",
                           ".1.2.3",
                           "1..2.3",
                           "1.2.3.4 ",
                           "+1.2.3.4",
                           "0x1.2.3.4",
                           "1.2.3.-4",
                           ":",
                           ":::",
                           "1:2:3",
                           "1::2::3",
                           "12345::",
                           "::g",
                           "fe80::1%0",
                           "[::1]",
                           "1.2.3.4:80",
                           "::1.2.3",
                           "::1.2.3.4:5",
                           "1.2.3.4::",
                           ":1",
                           "1:",
                           "::1:",
                           ":1::",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "1:2:3:4::5:6:7:8",
                           "::0x1",
                           "::-1",
                           "0.0.0.0/0"})
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
}

TEST(IpAddress, AnyBytesComeBackThroughTheirText) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::array<std::uint8_t, 16> bytes{};
    const auto zeros = random();
    for (std::size_t at = 0; at < 16; ++at)
      if ((zeros >> at / 2 & 1U) != 0) bytes[at] = static_cast<std::uint8_t>(random());
    const IpAddress address = IpAddress::v6(bytes);
    char text[46];
    const std::size_t length = address.write(text);
    ASSERT_LE(length, sizeof text);
    ASSERT_EQ(IpAddress::parse({text, length}), address) << std::string_view(text, length);
  }
}

TEST(IpAddress, WritesEveryNumberAtEveryPlace) {
  for (unsigned place = 0; place < 4; ++place) {
    for (std::uint32_t number = 0; number < 256; ++number) {
      std::string expected;
      for (unsigned at = 0; at < 4; ++at)
        expected += (at > 0 ? "." : "") + std::to_string(at == place ? number : 7);
      const std::uint32_t others = 0x07070707U & ~(0xffU << (8 * (3 - place)));
      ASSERT_EQ(IpAddress::v4(others | number << (8 * (3 - place))).to_string(), expected);
    }
  }
}

TEST(IpAddress, Truncates) {
  EXPECT_EQ(IpAddress::parse("203.0.113.77")->truncated(24, 64).to_string(), "203.0.113.0");
  EXPECT_EQ(IpAddress::parse("203.0.113.77")->truncated(32, 64).to_string(), "203.0.113.77");
  EXPECT_EQ(IpAddress::parse("203.0.113.77")->truncated(0, 64).to_string(), "0.0.0.0");
  EXPECT_EQ(IpAddress::parse("2001:db8:1:2:3::4")->truncated(24, 64).to_string(), "2001:db8:1:2::");
  EXPECT_EQ(IpAddress::parse("2001:dbf:1::")->truncated(24, 29).to_string(), "2001:db8::");
}

TEST(Network, ContainsByItsPrefix) {
  const auto ten = *Network::parse("10.0.0.0/8");
  EXPECT_EQ(ten.prefix_length(), 104U);
  EXPECT_TRUE(ten.contains(*IpAddress::parse("10.255.0.1")));
  EXPECT_TRUE(ten.contains(*IpAddress::parse("::ffff:10.1.2.3")));
  EXPECT_FALSE(ten.contains(*IpAddress::parse("11.0.0.0")));
  EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains(*IpAddress::parse("8.8.8.8")));
  EXPECT_FALSE(Network::parse("0.0.0.0/0")->contains(*IpAddress::parse("::1")));
  EXPECT_FALSE(Network::parse("::/0")->contains(*IpAddress::parse("8.8.8.8")));
  EXPECT_TRUE(Network::parse("::/0")->contains(*IpAddress::parse("2001:db8::")));
  EXPECT_TRUE(Network::parse("2001:db8::1")->contains(*IpAddress::parse("2001:db8::1")));
  EXPECT_EQ(Network::parse("::ffff:10.0.0.0/104"), ten);
  EXPECT_EQ(ten.to_string(), "10.0.0.0/8");
  EXPECT_EQ(Network::parse("fc00::/7")->to_string(), "fc00::/7");
}

TEST(Network, SaysWhatIsWrong) {
  std::string error;
  EXPECT_FALSE(Network::parse("10.1.0.0/8", &error));
  EXPECT_NE(error.find("did you mean 10.0.0.0/8?"), std::string::npos) << error;
  EXPECT_FALSE(Network::parse("10.0.0.0/33", &error));
  EXPECT_NE(error.find("0 to 32"), std::string::npos) << error;
  for (const char* text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/8/8", "::/129", "loopback", "10/8"})
    EXPECT_FALSE(Network::parse(text, &error)) << text;
}

}  // namespace
}  // namespace sekisho::config
