// Keeps requests apart, as they are in a proxy.
#pragma once

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace sekisho::bench {

// Nothing after it begins before everything before it is done. Between two decisions of a proxy lie thousands
// of instructions; in a bare loop the processor would be halfway through the next decision, and what was
// measured would be how well they overlap.
inline void fence() {
#if defined(__x86_64__)
  _mm_lfence();
#elif defined(__aarch64__)
  asm volatile("dsb ish\n\tisb" ::: "memory");
#endif
}

}  // namespace sekisho::bench
