#include "proxy/write_text.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <random>
#include <string>
#include <vector>

namespace sekisho::proxy {
namespace {

// Into space of the very size, for AddressSanitizer.
void check(std::uint64_t number) {
  char digits[decimal_size];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  const std::string_view expected(digits, static_cast<std::size_t>(end - digits));
  std::vector<char> out(expected.size());
  ASSERT_EQ(write_decimal(out.data(), number), out.data() + out.size()) << number;
  ASSERT_EQ(std::string_view(out.data(), out.size()), expected);
}

TEST(WriteDecimal, ShortNumbers) {
  for (std::uint64_t number = 0; number <= 100'100; ++number) check(number);
}

TEST(WriteDecimal, TheBordersOfEveryCountOfDigits) {
  std::uint64_t border = 1;
  for (int digits = 1; digits <= 20; ++digits, border *= 10) {
    check(border - 1);
    check(border);
    check(border + 1);
  }
  check(~std::uint64_t{0});
}

TEST(WriteDecimal, NumbersOfEveryLength) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 100'000; ++round) check(random() >> random() % 64);
}

}  // namespace
}  // namespace sekisho::proxy
