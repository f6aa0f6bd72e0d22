// A function that stops where it likes and goes on when it is told to.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace sekisho::test {

// Runs on a stack of its own, on the thread that resumes it. Abandoning a fiber in the middle runs none of
// its destructors: what stands on its stack must need none.
class Fiber {
 public:
  // Ready to run `work` from the beginning, whatever it was doing.
  void start(std::function<void()> work) {
    work_ = std::move(work);
    finished_ = false;
    ::getcontext(&own_);
    own_.uc_stack.ss_sp = stack_.get();
    own_.uc_stack.ss_size = stack_bytes;
    own_.uc_link = &resumer_;
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    ::makecontext(&own_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned>(self >> 32),
                  static_cast<unsigned>(self));
  }
  // Returns when it stops or ends.
  void resume() { ::swapcontext(&resumer_, &own_); }
  // Called on the fiber itself.
  void stop() { ::swapcontext(&own_, &resumer_); }
  bool finished() const { return finished_; }

 private:
  static constexpr std::size_t stack_bytes = 256 * 1024;

  static void enter(unsigned high, unsigned low) {
    auto* self = reinterpret_cast<Fiber*>(std::uintptr_t{high} << 32 | low);
    self->work_();
    self->finished_ = true;
  }

  std::unique_ptr<std::byte[]> stack_ = std::make_unique<std::byte[]>(stack_bytes);
  std::function<void()> work_;
  ucontext_t own_{};
  ucontext_t resumer_{};
  bool finished_ = true;
};

}  // namespace sekisho::test
