#include "proxy/link.hpp"

#include <array>

namespace sekisho::proxy {

void Link::arm(InputBuffer& target, std::size_t first_size, std::size_t most) {
  if (eof || broken) return;
  target_ = &target;
  first_size_ = first_size;
  most_ = most;
  // Where there will be no room, what comes would be told of turn after turn.
  const bool no_room = most != 0 && target.full() && target.capacity() >= most;
  if (!no_room && !stream->read_wait_pending()) stream->start_wait_readable();
}

bool Link::book_read() {
  if (target_ == nullptr || stream->read_wait_pending()) return false;
  InputBuffer& target = *target_;
  if (most_ != 0) {
    target.make_room(first_size_, most_);
  } else if (first_size_ != 0) {
    target.make_room_to_flow(first_size_);
  }
  if (target.space().empty()) return false;
  const Stream::ReadOutcome outcome = stream->try_read(target.space());
  if (outcome.nothing()) {
    if (first_size_ != 0 && target.empty()) target.release();
    stream->start_wait_readable();
    return false;
  }
  target_ = nullptr;
  target.filled(outcome.bytes);
  bytes_read += outcome.bytes;
  if (outcome.eof) eof = true;
  if (outcome.error) broken = true;
  return true;
}

void Link::send(std::span<const boost::asio::const_buffer> buffers, Instant now, bool hold) {
  if (gone()) return;
  if (!out.empty() || hold) {
    send_behind(buffers, now, hold);
    return;
  }
  const auto outcome = stream->try_write(buffers);
  if (outcome.error) {
    send_failed = true;
    return;
  }
  bytes_written += outcome.bytes;
  write_progress = now;
  queue(buffers, outcome.bytes);
  if (!out.empty()) await_writable();
}

// The same where some bytes wait already, or shall.
void Link::send_behind(std::span<const boost::asio::const_buffer> buffers, Instant now, bool hold) {
  if (out.empty()) write_progress = now;
  queue(buffers, 0);
  // While a wait for writability is pending the socket is known to be full.
  if (!hold) flush(now);
}

// What is behind the first `taken` bytes of them.
void Link::queue(std::span<const boost::asio::const_buffer> buffers, std::size_t taken) {
  for (const auto& buffer : buffers) {
    const std::string_view bytes(static_cast<const char*>(buffer.data()), buffer.size());
    if (taken >= bytes.size()) {
      taken -= bytes.size();
    } else {
      out.append(bytes.substr(taken));
      taken = 0;
    }
  }
}

void Link::send(std::string_view bytes, Instant now, bool hold) {
  const boost::asio::const_buffer buffer(bytes.data(), bytes.size());
  send(std::span(&buffer, 1), now, hold);
}

void Link::flush_queued(Instant now) {
  std::array<boost::asio::const_buffer, 64> all;
  while (!gone() && !out.empty() && !stream->write_wait_pending()) {
    const std::size_t count = out.peek(all);
    const auto outcome = stream->try_write(std::span(all).first(count));
    if (outcome.error) {
      send_failed = true;
    } else if (outcome.bytes == 0) {
      await_writable();
    } else {
      bytes_written += outcome.bytes;
      write_progress = now;
      out.consume(outcome.bytes);
    }
  }
}

void Link::await_writable() {
  if (!stream->write_wait_pending()) stream->start_wait_writable();
}

void Link::close() {
  target_ = nullptr;
  if (!stream) return;
  stream->set_listener(nullptr);
  stream->close();
  stream.reset();
}

}  // namespace sekisho::proxy
