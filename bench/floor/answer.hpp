// Answers every request by itself. With 429 it is the floor of a refusal; with 200 the leanest upstream, so
// that what stands behind the proxies is not what is measured.
#pragma once

#include <string_view>

namespace sekisho::bench::floor {

// Every request at `listen` gets `status`, and a body of as many bytes as its "?n=" asks for. Requests that
// came together are answered in one send; a request's own body is read and dropped.
[[noreturn]] void answer(std::string_view listen, int status);

}  // namespace sekisho::bench::floor
