#include "bench/origin_rails.hpp"

#include <fmt/format.h>

#include <iterator>

#include "proxy/head_writer.hpp"

namespace sekisho::bench {
namespace {

constexpr std::string_view fields =
    "X-Frame-Options: SAMEORIGIN\r\n"
    "X-XSS-Protection: 1; mode=block\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Download-Options: noopen\r\n"
    "X-Permitted-Cross-Domain-Policies: none\r\n"
    "Referrer-Policy: strict-origin-when-cross-origin\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Vary: Accept\r\n"
    "Cache-Control: max-age=0, private, must-revalidate\r\n";

// Bits that differ in every place from those of the next number (Steele, Lea and Flood's SplitMix64).
std::uint64_t mixed(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

}  // namespace

void append_rails_head(std::string& out, int status, const OriginRequest& request, std::uint64_t number) {
  const std::uint64_t a = mixed(2 * number), b = mixed(2 * number + 1);
  const auto end = std::back_inserter(out);
  fmt::format_to(end, "HTTP/1.1 {} {}\r\n{}", status, proxy::reason_phrase(static_cast<unsigned>(status)),
                 fields);
  fmt::format_to(end, "ETag: W/\"{:016x}{:016x}\"\r\n", a, b);
  fmt::format_to(
      end,
      "Set-Cookie: _app_session={:016x}{:016x}{:016x}{:016x}--{:016x}; path=/; HttpOnly; SameSite=Lax\r\n", b,
      a, ~a, ~b, a ^ b);
  if (request.request_id.empty()) {
    fmt::format_to(end, "X-Request-Id: {:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}\r\n", a >> 32, a & 0xffff,
                   a >> 16 & 0xfff, b >> 52, b & 0xffffffffffff);
  } else {
    fmt::format_to(end, "X-Request-Id: {}\r\n", request.request_id);
  }
  fmt::format_to(end, "X-Runtime: 0.{:06}\r\n", 2000 + a % 8000);
}

}  // namespace sekisho::bench
