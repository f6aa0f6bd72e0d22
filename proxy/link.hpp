// One side of an exchange: its stream, what was read from it and not yet used, what it has not yet taken.
#pragma once

#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "proxy/block_chain.hpp"
#include "proxy/input_buffer.hpp"
#include "proxy/stream.hpp"
#include "ratelimit/instant.hpp"

namespace sekisho::proxy {

using ratelimit::Duration;
using ratelimit::Instant;

// Reads land in a chosen InputBuffer, which gets room for them only when something has come; writes are tried
// at once and the rest is queued. eof, broken and send_failed only ever turn on. One worker's.
class Link {
 public:
  explicit Link(BufferPool& pool) : in(pool), out(pool), pool_(pool) {}

  Stream::Ptr stream;
  InputBuffer in;
  BlockChain out;       // what the peer has not taken yet
  bool eof = false;     // the peer sent its FIN
  bool broken = false;  // reading failed: nothing more comes
  bool send_failed =
      false;  // writing failed: nothing more goes, but what the peer sent before may still be read
  Instant write_progress{};  // when the peer last took a byte, or when the queue began
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_read = 0;

  // Wants what comes next in `target`, unless the peer is done: in the space that it has (none: nothing is
  // read), or in what make_room or make_room_to_flow give it then. The last target that was named counts.
  void arm_read(InputBuffer& target) {
    if (!target.space().empty()) arm(target, 0, 0);
  }
  void arm_read(InputBuffer& target, std::size_t first_size, std::size_t most) {
    arm(target, first_size, most);
  }
  void arm_read_to_flow(InputBuffer& target, std::size_t usual) { arm(target, usual, 0); }
  // Reads into `target` no more.
  void disarm_read(const InputBuffer& target) {
    if (target_ == &target) target_ = nullptr;
  }
  // Reads where something has come for an armed read. True when anything changed: bytes, eof or broken.
  bool book_read();
  bool readable() const { return !eof && !broken; }

  // Sends all of it, in order: what the kernel does not take now is copied to `out`. `hold`: only queue it,
  // for one send with what follows.
  void send(std::span<const boost::asio::const_buffer> buffers, Instant now, bool hold = false);
  void send(std::string_view bytes, Instant now, bool hold = false);
  // Tries again what is queued; waits for writability where some of it stays.
  void flush(Instant now) {
    if (!out.empty()) flush_queued(now);
  }

  // Whether a read of `size` bytes may be made for this side: always once it took all there was, else while
  // less than `most` waits and the buffers' total has room.
  bool takes_more(std::size_t size, std::size_t most) const {
    return out.empty() || (out.size() < most && pool_.has_room(size));
  }

  bool gone() const { return broken || send_failed; }
  void close();

 private:
  void arm(InputBuffer& target, std::size_t first_size, std::size_t most);
  void send_behind(std::span<const boost::asio::const_buffer> buffers, Instant now, bool hold);
  void queue(std::span<const boost::asio::const_buffer> buffers, std::size_t taken);
  void flush_queued(Instant now);
  void await_writable();

  BufferPool& pool_;
  InputBuffer* target_ = nullptr;
  std::size_t first_size_ = 0, most_ = 0;  // both 0: the space that there is; no most: to flow
};

}  // namespace sekisho::proxy
