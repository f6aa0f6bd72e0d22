#include "proxy/process_signals.hpp"

#include <csignal>

namespace sekisho::proxy {
namespace {

constexpr int answered[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT};

void mask(int how) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : answered) ::sigaddset(&set, number);
  ::pthread_sigmask(how, &set, nullptr);
}

}  // namespace

void hold_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  mask(SIG_BLOCK);
}

ProcessSignals::ProcessSignals(boost::asio::io_context& io, SignalHandlers handlers)
    : set_(io), handlers_(std::move(handlers)) {
  for (const int number : answered) set_.add(number);
  mask(SIG_UNBLOCK);
  wait();
}

void ProcessSignals::wait() {
  set_.async_wait([this](boost::system::error_code error, int number) {
    if (error) return;
    // Before the handler: a second signal may come while it works.
    wait();
    switch (number) {
      case SIGHUP:
        handlers_.reload();
        break;
      case SIGUSR1:
        handlers_.reopen_logs();
        break;
      default:
        handlers_.end(number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : "SIGQUIT");
        break;
    }
  });
}

}  // namespace sekisho::proxy
