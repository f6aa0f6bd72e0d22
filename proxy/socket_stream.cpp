#include "proxy/socket_stream.hpp"

#include <unistd.h>

#include <boost/asio/error.hpp>
#include <cerrno>

#include "proxy/splice_pipe.hpp"

namespace sekisho::proxy {
namespace {

class DetachedSocket final : public DetachedStream {
 public:
  DetachedSocket(int family, int descriptor) : family_(family), descriptor_(descriptor) {}
  ~DetachedSocket() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Stream::Ptr attach(EventLoop& loop) override {
    return SocketStream::adopt(loop, family_, std::exchange(descriptor_, -1));
  }

 private:
  int family_;
  int descriptor_;
};

}  // namespace

Stream::Ptr SocketStream::create(EventLoop& loop) {
  return Ptr(new SocketStream(loop));
}

Stream::Ptr SocketStream::adopt(EventLoop& loop, int family, int descriptor) {
  boost::intrusive_ptr<SocketStream> stream(new SocketStream(loop));
  if (stream->LoopSocket::adopt(family, descriptor)) return nullptr;
  return stream;
}

Stream::Ptr SocketStream::adopt_accepted(EventLoop& loop, int family, int descriptor) {
  boost::intrusive_ptr<SocketStream> stream(new SocketStream(loop));
  stream->adopt_unwatched(family, descriptor);
  return stream;
}

void SocketStream::start_connect(const StreamEndpoint& endpoint) {
  connect_begins();
  if (const auto error = connect(endpoint)) {
    connect_cannot_begin(error);
  } else if (writable()) {
    look_again();
  }
}

void SocketStream::on_ready() {
  const Ptr self(this);  // whoever is told may drop the last reference
  if (connecting()) {
    boost::system::error_code error;
    if (connect_ended(error)) connect_is_over(error);
    return;
  }
  const bool ended_now = ended() && !told_of_end_;
  told_of_end_ = ended();
  waits_are_over(readable(), writable(), ended_now);
}

Stream::ReadOutcome SocketStream::try_read(std::span<char> space) {
  const Received received = receive(space);
  return {received.bytes, received.eof, received.error};
}

void SocketStream::start_wait_readable() {
  read_wait_begins();
  if (readable()) look_again();
}

Stream::WriteOutcome SocketStream::try_write(std::span<const asio::const_buffer> buffers) {
  const Sent sent = send(buffers);
  return {sent.bytes, sent.error};
}

void SocketStream::start_wait_writable() {
  write_wait_begins();
  if (writable()) look_again();
}

void SocketStream::close() {
  wait_for_nothing();
  close_socket();
}

Stream::ReadOutcome SocketStream::try_read_into(SplicePipe& pipe, std::size_t most) {
  ReadOutcome outcome;
  const std::ptrdiff_t moved = pipe.fill_from(descriptor(), most);
  if (moved > 0) {
    outcome.bytes = static_cast<std::size_t>(moved);
  } else if (moved == 0) {
    outcome.eof = true;
  } else if (errno == EINVAL || errno == ENOSYS || errno == EPERM) {  // a sandboxed kernel, say
    outcome.error = asio::error::operation_not_supported;
  } else if (errno != EAGAIN) {
    outcome.error = {errno, boost::system::system_category()};
  } else if (pipe.held() == 0) {  // else it may be the pipe that is full
    note_drained();
  }
  return outcome;
}

Stream::WriteOutcome SocketStream::try_write_from(SplicePipe& pipe) {
  WriteOutcome outcome;
  const std::ptrdiff_t moved = pipe.empty_into(descriptor());
  if (moved >= 0) {
    outcome.bytes = static_cast<std::size_t>(moved);
  } else if (errno != EAGAIN) {
    outcome.error = {errno, boost::system::system_category()};
  }
  if (pipe.held() > 0) note_full();
  return outcome;
}

std::unique_ptr<DetachedStream> SocketStream::detach() {
  if (!is_open()) return nullptr;
  wait_for_nothing();
  return std::make_unique<DetachedSocket>(family(), release());
}

SocketStream::Carried SocketStream::carry_on() {
  wait_for_nothing();
  return {loop(), family(), release()};
}

}  // namespace sekisho::proxy
