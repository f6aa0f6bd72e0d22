// The coroutine type of the data plane: lazy, one awaiter, symmetric transfer, frames from SlabPool.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "proxy/slab_pool.hpp"

namespace sekisho::proxy {

template <class T, Lasting lasting>
class Task;

namespace detail {

template <Lasting lasting>
struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr error;

  static void* operator new(std::size_t size) { return SlabPool::allocate(size, lasting); }
  static void operator delete(void* frame, std::size_t size) noexcept {
    SlabPool::release(frame, size, lasting);
  }

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      return self.promise().continuation;
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }
};

template <class T, Lasting lasting>
struct Promise : PromiseBase<lasting> {
  std::optional<T> value;
  Task<T, lasting> get_return_object();
  void return_value(T result) { value.emplace(std::move(result)); }
  T take() {
    if (this->error) std::rethrow_exception(this->error);
    return std::move(*value);
  }
};

template <Lasting lasting>
struct Promise<void, lasting> : PromiseBase<lasting> {
  Task<void, lasting> get_return_object();
  void return_void() noexcept {}
  void take() {
    if (this->error) std::rethrow_exception(this->error);
  }
};

}  // namespace detail

// Starts when awaited; its result or exception goes to the awaiter. Move-only; destroying it destroys the
// coroutine, wherever it stands. Not thread-safe: it lives and dies on one worker.
template <class T = void, Lasting lasting = Lasting::request>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T, lasting>;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> continuation) noexcept {
    handle_.promise().continuation = continuation;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

  // For the owner of a root coroutine: runs it up to its first wait; done() tells when it is over.
  void start() { handle_.resume(); }
  bool done() const { return handle_.done(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

namespace detail {
template <class T, Lasting lasting>
Task<T, lasting> Promise<T, lasting>::get_return_object() {
  return Task<T, lasting>(std::coroutine_handle<Promise>::from_promise(*this));
}
template <Lasting lasting>
Task<void, lasting> Promise<void, lasting>::get_return_object() {
  return Task<void, lasting>(std::coroutine_handle<Promise>::from_promise(*this));
}
}  // namespace detail

// One that an idle connection stands in.
template <class T = void>
using ConnectionTask = Task<T, Lasting::connection>;

}  // namespace sekisho::proxy
