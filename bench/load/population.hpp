// The addresses that a class of clients claims to come from, in X-Forwarded-For.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "bench/zipf.hpp"
#include "config/ip_address.hpp"

namespace sekisho::load {

struct Population {
  enum class Kind : std::uint8_t {
    one,             // a single address
    uniform,         // each request draws one of `size`
    zipf,            // the same, the address of rank r with a probability in proportion to 1 / r
    sequential,      // each request takes the next of `size`
    per_connection,  // each connection has one for good
  };

  Kind kind = Kind::one;
  std::uint64_t size = 1;
  bool v6 = false;
  std::optional<config::IpAddress> base;  // the first; absent: first_address()
};

// one, uniform:N, zipf:N, sequential:N, per-connection. nullopt with `problem` set to what would be right.
std::optional<Population> parse_population(std::string_view text, std::string& problem);
// An address to begin at. nullopt with `problem` set where it is none.
std::optional<config::IpAddress> parse_base(std::string_view text, std::string& problem);

// What is wrong with the population as a whole: a first address of the other family, or one too near to the
// end of its family for `size`. Empty where nothing is.
std::string problem_of(const Population& population);

// 240.0.0.1, of the block that nobody has, or 2001:db8::1, of the block for documentation.
config::IpAddress first_address(const Population& population);

// The `number`th address from the first. An IPv6 client is a whole /64, as a household has it: the next
// client is in the next /64.
config::IpAddress address_of(const Population& population, std::uint64_t number);

// Every address of a population takes the same room in a request, so that it can be written over the last
// one: it is filled up with spaces, which HTTP allows behind a field's value (RFC 9110, 5.5).
std::size_t width_of(const Population& population);
// Writes width_of() bytes.
void write_address(const Population& population, std::uint64_t number, char* out);

// Draws the numbers of one thread's requests; `share` of `shares` threads. Between them, the threads take
// every number of a sequential population in turn.
class Draw {
 public:
  Draw(const Population& population, std::uint64_t seed, std::uint64_t share, std::uint64_t shares);

  // `connection`: the number of the connection within its class.
  std::uint64_t next(std::uint64_t connection);

 private:
  Population population_;
  std::mt19937_64 random_;
  bench::Zipf zipf_;
  std::uint64_t sequence_, step_;
};

}  // namespace sekisho::load
