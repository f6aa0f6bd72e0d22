#include "bench/load/population.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "config/scalars.hpp"

namespace sekisho::load {
namespace {

using config::IpAddress;

constexpr std::string_view forms = "write one, uniform:N, zipf:N, sequential:N or per-connection";

std::uint32_t number_of_v4(const IpAddress& address) {
  const auto& bytes = address.bytes();
  std::uint32_t value = 0;
  for (std::size_t i = 12; i < 16; ++i) value = value << 8 | bytes[i];
  return value;
}

std::uint64_t upper_half(const IpAddress& address) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | address.bytes()[i];
  return value;
}

}  // namespace

std::optional<Population> parse_population(std::string_view text, std::string& problem) {
  Population population;
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (text == "one") return population;
  if (text == "per-connection") {
    population.kind = Population::Kind::per_connection;
    return population;
  }
  if (name == "uniform") {
    population.kind = Population::Kind::uniform;
  } else if (name == "zipf") {
    population.kind = Population::Kind::zipf;
  } else if (name == "sequential") {
    population.kind = Population::Kind::sequential;
  } else {
    problem = fmt::format("\"{}\" is no population; {}", text.substr(0, 60), forms);
    return std::nullopt;
  }
  std::string ignored;
  const auto size =
      colon == std::string_view::npos ? std::nullopt : config::parse_count(text.substr(colon + 1), ignored);
  if (!size || *size == 0 || *size > std::numeric_limits<std::uint32_t>::max()) {
    problem = fmt::format("{} needs a number of addresses, from 1 to {}, such as {}:10000", name,
                          std::numeric_limits<std::uint32_t>::max(), name);
    return std::nullopt;
  }
  population.size = *size;
  return population;
}

std::optional<IpAddress> parse_base(std::string_view text, std::string& problem) {
  const auto address = IpAddress::parse(text);
  if (!address) problem = fmt::format("\"{}\" is no address", text.substr(0, 60));
  return address;
}

std::string problem_of(const Population& population) {
  const IpAddress first = first_address(population);
  if (first.is_v4() == population.v6)
    return fmt::format("{} is no IPv{} address", first.to_string(), population.v6 ? 6 : 4);
  const std::uint64_t last = population.v6 ? std::numeric_limits<std::uint64_t>::max() - upper_half(first)
                                           : std::numeric_limits<std::uint32_t>::max() - number_of_v4(first);
  if (population.size - 1 > last)
    return fmt::format("there are no {} addresses from {} on", population.size, first.to_string());
  return {};
}

IpAddress first_address(const Population& population) {
  if (population.base) return *population.base;
  if (!population.v6) return IpAddress::v4(0xf0000001);
  return IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

IpAddress address_of(const Population& population, std::uint64_t number) {
  const IpAddress first = first_address(population);
  if (first.is_v4()) return IpAddress::v4(number_of_v4(first) + static_cast<std::uint32_t>(number));
  std::array<std::uint8_t, 16> bytes = first.bytes();
  std::uint64_t upper = upper_half(first) + number;
  for (std::size_t i = 8; i-- > 0; upper >>= 8) bytes[i] = static_cast<std::uint8_t>(upper);
  return IpAddress::v6(bytes);
}

std::size_t width_of(const Population& population) {
  return population.v6 ? std::strlen("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
                       : std::strlen("255.255.255.255");
}

void write_address(const Population& population, std::uint64_t number, char* out) {
  char text[46];
  const std::size_t length = address_of(population, number).write(text);
  std::memcpy(out, text, length);
  std::memset(out + length, ' ', width_of(population) - length);
}

Draw::Draw(const Population& population, std::uint64_t seed, std::uint64_t share, std::uint64_t shares)
    : population_(population),
      random_(seed * 1'000'003 + share),
      zipf_(static_cast<double>(population.size)),
      sequence_(share),
      step_(shares) {}

std::uint64_t Draw::next(std::uint64_t connection) {
  switch (population_.kind) {
    case Population::Kind::one:
      break;
    case Population::Kind::uniform:
      return random_() % population_.size;
    case Population::Kind::zipf:
      return static_cast<std::uint64_t>(zipf_(random_)) - 1;
    case Population::Kind::sequential: {
      const std::uint64_t number = sequence_ % population_.size;
      sequence_ += step_;
      return number;
    }
    case Population::Kind::per_connection:
      return connection;
  }
  return 0;
}

}  // namespace sekisho::load
