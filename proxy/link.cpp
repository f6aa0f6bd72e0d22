#include "proxy/link.hpp"

#include <array>

namespace sekisho::proxy {

void Link::arm(InputBuffer& target, std::size_t first_size, std::size_t most) {
  if (eof || broken) return;
  target_ = &target;
  first_size_ = first_size;
  most_ = most;
  if (!stream->read_wait_pending()) stream->start_wait_readable();
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
  std::array<boost::asio::const_buffer, 64> all;
  std::size_t count = 0;
  const std::size_t queued = out.size();
  // While a wait for writability is pending the socket is known to be full.
  bool try_now = !hold && !stream->write_wait_pending();
  if (try_now) {
    count = out.peek(std::span(all).first(all.size() - buffers.size()));
    std::size_t seen = 0;
    for (std::size_t i = 0; i < count; ++i) seen += all[i].size();
    try_now = seen == queued;  // else the new bytes would overtake queued ones
  }
  std::size_t taken = 0;
  if (try_now) {
    for (const auto& buffer : buffers) {
      if (buffer.size() > 0) all[count++] = buffer;
    }
    if (count == 0) return;
    const auto outcome = stream->try_write(std::span(all).first(count));
    if (outcome.error) {
      send_failed = true;
      return;
    }
    taken = outcome.bytes;
    bytes_written += taken;
    if (taken > 0 || queued == 0) write_progress = now;
  } else if (queued == 0) {
    write_progress = now;
  }
  const std::size_t from_queue = taken < queued ? taken : queued;
  out.consume(from_queue);
  taken -= from_queue;
  for (const auto& buffer : buffers) {
    const std::string_view bytes(static_cast<const char*>(buffer.data()), buffer.size());
    if (taken >= bytes.size()) {
      taken -= bytes.size();
      continue;
    }
    out.append(bytes.substr(taken));
    taken = 0;
  }
  if (!hold && !out.empty()) await_writable();
}

void Link::send(std::string_view bytes, Instant now, bool hold) {
  const boost::asio::const_buffer buffer(bytes.data(), bytes.size());
  send(std::span(&buffer, 1), now, hold);
}

void Link::flush(Instant now) {
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
