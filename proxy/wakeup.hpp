// What a connection's coroutine sleeps on: anything that may concern it rings here, and it looks for itself
// what changed.
#pragma once

#include <coroutine>
#include <utility>

namespace sekisho::proxy {

// One sleeper. A ring while nobody sleeps is remembered, so none is lost between a look and the sleep. One
// thread.
class Wakeup {
 public:
  void ring() {
    if (sleeper_) {
      std::exchange(sleeper_, nullptr).resume();
    } else {
      rung_ = true;
    }
  }

  auto operator co_await() noexcept {
    struct Awaiter {
      Wakeup& wakeup;
      bool await_ready() noexcept { return std::exchange(wakeup.rung_, false); }
      void await_suspend(std::coroutine_handle<> sleeper) noexcept { wakeup.sleeper_ = sleeper; }
      void await_resume() noexcept {}
    };
    return Awaiter{*this};
  }

 private:
  std::coroutine_handle<> sleeper_;
  bool rung_ = false;
};

}  // namespace sekisho::proxy
