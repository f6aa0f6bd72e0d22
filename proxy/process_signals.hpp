// The signals that Sekisho answers (docs/operations.md, "Signals").
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>

namespace sekisho::proxy {

struct SignalHandlers {
  std::function<void()> reload;               // SIGHUP
  std::function<void()> reopen_logs;          // SIGUSR1
  std::function<void(const char* name)> end;  // SIGTERM, SIGINT, SIGQUIT: each time one comes
};

// Ignores SIGPIPE and keeps the others back, for threads made from here on too, until ProcessSignals takes
// them: one that comes while the process starts waits for that.
void hold_signals();

// Takes the signals for the calling thread, those held back included. Handlers run on the io_context's
// thread.
class ProcessSignals {
 public:
  ProcessSignals(boost::asio::io_context& io, SignalHandlers handlers);

 private:
  void wait();

  boost::asio::signal_set set_;
  SignalHandlers handlers_;
};

}  // namespace sekisho::proxy
