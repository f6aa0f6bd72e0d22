// Which client comes when: drawn before anything is measured, and the same for every limiter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sekisho::bench {

enum class Traffic {
  uniform,
  zipf,    // the client of rank r comes with a probability in proportion to 1 / r
  single,  // one client alone
};

const char* name_of(Traffic traffic);

// Numbers of clients below `clients`, in the order they come; a power of two of them, and several times
// `clients` where that is not too many.
std::vector<std::uint32_t> draw(Traffic traffic, std::uint32_t clients);

}  // namespace sekisho::bench
