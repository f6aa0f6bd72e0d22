// The trailer lines of one chunked message, held until they can be sent on.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

#include "proxy/chunk_decoder.hpp"
#include "proxy/input_buffer.hpp"

namespace sekisho::proxy {

// Takes memory of the pool only where there are any; ChunkDecoder bounds them.
class TrailerSection {
 public:
  explicit TrailerSection(BufferPool& pool) : bytes_(pool) {}

  bool empty() const { return bytes_.empty(); }
  std::string_view lines() const { return bytes_.unread(); }
  void clear() { bytes_.release(); }

  void append(std::string_view bytes) {
    const std::size_t most = BufferPool::size_for(ChunkDecoder::max_overhead);
    while (!bytes.empty() && bytes_.make_room(BufferPool::smallest, most)) {
      const std::size_t size = std::min(bytes.size(), bytes_.space().size());
      std::memcpy(bytes_.space().data(), bytes.data(), size);
      bytes_.filled(size);
      bytes.remove_prefix(size);
    }
  }

 private:
  InputBuffer bytes_;
};

}  // namespace sekisho::proxy
