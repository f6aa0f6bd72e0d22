// A plain stream: TCP or a UNIX socket.
#pragma once

#include "proxy/loop_socket.hpp"
#include "proxy/slab_pool.hpp"
#include "proxy/stream.hpp"

namespace sekisho::proxy {

class SocketStream final : public Stream, private LoopSocket, public LastsAsConnection {
 public:
  static Ptr create(EventLoop& loop);
  // Takes over a connected, non-blocking descriptor; null, and the descriptor closed, where the loop cannot
  // watch it.
  static Ptr adopt(EventLoop& loop, int family, int descriptor);

  // The same for one that was just accepted: read before it is watched.
  static Ptr adopt_accepted(EventLoop& loop, int family, int descriptor);

  void set_low_priority(bool low) override { EventSource::set_low_priority(low); }
  void start_connect(const StreamEndpoint& endpoint) override;
  ReadOutcome try_read(std::span<char> space) override;
  void start_wait_readable() override;
  WriteOutcome try_write(std::span<const asio::const_buffer> buffers) override;
  void start_wait_writable() override;
  bool can_splice() const override { return true; }
  ReadOutcome try_read_into(SplicePipe& pipe, std::size_t most) override;
  WriteOutcome try_write_from(SplicePipe& pipe) override;
  bool maybe_readable() const override { return readable(); }
  bool quiet() override { return nothing_came(); }
  bool hung_up() const override { return !LoopSocket::is_open() || ended(); }
  void end_follows() override { hold_for_end(); }
  void shutdown_send() override { shutdown_socket(); }
  void reset_at_close() override { linger_none(); }
  void close() override;
  bool is_open() const override { return LoopSocket::is_open(); }
  std::unique_ptr<DetachedStream> detach() override;

  // For who carries on with the descriptor in this loop; the stream is closed afterwards.
  struct Carried {
    EventLoop& loop;
    int family;
    int descriptor;
  };
  Carried carry_on();

 private:
  explicit SocketStream(EventLoop& loop) : LoopSocket(loop) {}
  void on_ready() override;

  bool told_of_end_ = false;
};

}  // namespace sekisho::proxy
