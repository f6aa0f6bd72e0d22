#include "proxy/proxy_protocol.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace sekisho::proxy {
namespace {

using config::IpAddress;
using Status = ProxyHeader::Status;

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string v2(unsigned command, unsigned family, const std::string& block) {
  std::string header = signature;
  header += static_cast<char>(command);
  header += static_cast<char>(family);
  header += static_cast<char>(block.size() >> 8);
  header += static_cast<char>(block.size() & 0xff);
  return header + block;
}

const std::string block4("\xcb\x00\x71\x09\x0a\x00\x00\x01\xc3\x50\x01\xbb",
                         12);  // 203.0.113.9 > 10.0.0.1:443
const std::string block6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x09" +
                           std::string(15, '\0') + "\x01" + "\xc3\x50\x1f\x90";  // 2001:db8::9 > [::1]:8080

struct Good {
  std::string bytes;
  std::string source;  // empty: the peer's own
  std::uint16_t port;
};

std::vector<Good> good_headers() {
  std::vector<Good> all = {
      {"PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\r\n", "203.0.113.9", 443},
      {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65535},
      {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0", 0},
      {"PROXY TCP6 2001:db8::9 ::1 50000 8080\r\n", "2001:db8::9", 8080},
      {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
       "65535\r\n",
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535},
      {"PROXY TCP6 ::ffff:203.0.113.9 ::1 1 80\r\n", "203.0.113.9", 80},
      {"PROXY UNKNOWN\r\n", "", 0},
      {"PROXY UNKNOWN anything at all \x01\xff\r\n", "", 0},
      {"PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n", "", 0},
      {v2(0x21, 0x11, block4), "203.0.113.9", 443},
      {v2(0x21, 0x21, block6), "2001:db8::9", 8080},
      {v2(0x21, 0x31, std::string(216, '/')), "", 0},
      {v2(0x21, 0x00, ""), "", 0},
      {v2(0x21, 0x00, "ignored"), "", 0},
      {v2(0x20, 0x00, ""), "", 0},
      {v2(0x20, 0x11, block4), "", 0},
      {v2(0x20, 0xff, "x"), "", 0},
      {v2(0x21, 0x11,
          block4 + std::string("\x04\x00\x03"
                               "abc",
                               6)),
       "203.0.113.9", 443},
      {v2(0x21, 0x11, block4 + std::string(4096 - 12, '\r')), "203.0.113.9", 443},
  };
  return all;
}

const std::vector<std::string> bad_headers = {
    "GET / HTTP/1.1\r\n",
    "\x16\x03\x01\x02",
    "proxy TCP4 203.0.113.9 10.0.0.1 50000 443\r\n",
    "PROXY  TCP4 203.0.113.9 10.0.0.1 50000 443\r\n",
    "PROXY TCP4  203.0.113.9 10.0.0.1 50000 443\r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 50000 443 \r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 50000 443 1\r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 50000\r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 50000 \r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\r\r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 50000 65536\r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 70000 443\r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 50000 +443\r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 50000 0443\r\n",
    "PROXY TCP4 203.0.113.9 10.0.0.1 -1 443\r\n",
    "PROXY TCP4 203.0.113.09 10.0.0.1 50000 443\r\n",
    "PROXY TCP4 203.0.113 10.0.0.1 50000 443\r\n",
    "PROXY TCP4 203.0.113.256 10.0.0.1 50000 443\r\n",
    "PROXY TCP4 ::ffff:203.0.113.9 10.0.0.1 50000 443\r\n",
    "PROXY TCP4 2001:db8::9 ::1 50000 443\r\n",
    "PROXY TCP6 203.0.113.9 10.0.0.1 50000 443\r\n",
    "PROXY TCP6 [2001:db8::9] ::1 50000 443\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 50000 443\r\n",
    "PROXY TCP6 2001:db8::9 10.0.0.1 50000 443\r\n",
    "PROXY TCP6 2001:db8::9::1 ::1 50000 443\r\n",
    "PROXY UDP4 203.0.113.9 10.0.0.1 50000 443\r\n",
    "PROXY UNKNOWNS\r\n",
    "PROXY unknown\r\n",
    "PROXY \r\n",
    "PROXY TCP4\r\n",
    "PROXY UNKNOWN " + std::string(107 - 15, 'x') + "\r\n",
    "PROXY UNKNOWN " + std::string(107 - 14, 'x'),
    v2(0x11, 0x11, block4),
    v2(0x22, 0x11, block4),
    v2(0x2f, 0x11, block4),
    v2(0x21, 0x12, block4),
    v2(0x21, 0x10, block4),
    v2(0x21, 0x01, block4),
    v2(0x21, 0x22, block6),
    v2(0x21, 0x32, std::string(216, '/')),
    v2(0x21, 0x41, block4),
    v2(0x21, 0x11, block4.substr(1)),
    v2(0x21, 0x21, block6.substr(1)),
    v2(0x21, 0x31, std::string(215, '/')),
    v2(0x21, 0x11, block4 + std::string(4096 - 11, 'x')),
    v2(0x20, 0x00, std::string(4097, 'x')),
    v2(0x21, 0x11, std::string(65535, 'x')),
    signature.substr(0, 11) + "\r",
};

TEST(ProxyProtocol, ReadsWhatIsWellFormedAndNothingBeyondIt) {
  for (const Good& good : good_headers()) {
    for (const std::string& rest :
         {std::string(), std::string("G"), std::string("PROXY UNKNOWN\r\n"), signature}) {
      const ProxyHeader header = parse_proxy_header(good.bytes + rest);
      ASSERT_EQ(header.status, Status::complete) << good.bytes;
      EXPECT_EQ(header.consumed, good.bytes.size()) << good.bytes;
      EXPECT_EQ(header.source ? header.source->to_string() : "", good.source) << good.bytes;
      EXPECT_EQ(header.destination_port, good.port) << good.bytes;
    }
  }
}

TEST(ProxyProtocol, WaitsForTheRestWhereverItIsCut) {
  for (const Good& good : good_headers()) {
    for (std::size_t size = 0; size < good.bytes.size(); ++size) {
      ASSERT_EQ(parse_proxy_header(std::string_view(good.bytes).substr(0, size)).status, Status::need_more)
          << good.bytes << " cut at " << size;
    }
  }
}

TEST(ProxyProtocol, RefusesWhatIsNot) {
  for (const std::string& bytes : bad_headers) {
    EXPECT_EQ(parse_proxy_header(bytes).status, Status::malformed) << bytes.substr(0, 120);
  }
}

// What is refused is refused however the bytes arrive: no beginning of it was complete.
TEST(ProxyProtocol, TheVerdictDoesNotDependOnTheCuts) {
  for (const std::string& bytes : bad_headers) {
    bool malformed = false;
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      const Status status = parse_proxy_header(std::string_view(bytes).substr(0, size)).status;
      ASSERT_NE(status, Status::complete) << bytes.substr(0, 120) << " cut at " << size;
      ASSERT_TRUE(!malformed || status == Status::malformed) << bytes.substr(0, 120) << " cut at " << size;
      malformed = status == Status::malformed;
    }
  }
}

TEST(ProxyProtocol, MutationsStayWithinTheirBounds) {
  std::mt19937 random(1);
  const std::vector<Good> seeds = good_headers();
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes = seeds[random() % seeds.size()].bytes;
    for (std::size_t edits = 1 + random() % 3; edits > 0 && !bytes.empty(); --edits) {
      const std::size_t at = random() % std::min<std::size_t>(bytes.size(), 120);
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 4);
          break;
        case 2:
          bytes.insert(at, 1, static_cast<char>(random()));
          break;
        default:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      }
    }
    // An exact copy on the heap, so that a read beyond it is seen.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const ProxyHeader header = parse_proxy_header({exact.data(), exact.size()});
    if (header.status == Status::complete) {
      ASSERT_GT(header.consumed, 0u);
      ASSERT_LE(header.consumed, bytes.size());
      ASSERT_LE(header.consumed, longest_proxy_header);
    } else if (header.status == Status::need_more) {
      ASSERT_LT(bytes.size(), longest_proxy_header);
    }
    ASSERT_TRUE(header.source || header.destination_port == 0);
  }
}

}  // namespace
}  // namespace sekisho::proxy
