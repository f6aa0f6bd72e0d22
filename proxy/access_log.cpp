#include "proxy/access_log.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <random>
#include <system_error>
#include <thread>

#include "proxy/access_line.hpp"
#include "proxy/byte_ring.hpp"
#include "proxy/counters.hpp"
#include "proxy/log_output.hpp"

namespace sekisho::proxy {
namespace {

constexpr std::size_t ring_bytes = 1024 * 1024;
constexpr std::size_t write_bytes = 256 * 1024;  // in one system call; a pipe takes 64 KiB, a file anything
constexpr auto last_writes = std::chrono::seconds(1);

using Clock = std::chrono::steady_clock;

// What the lanes, the writer thread and the AccessLog share. The thread and each lane hold it alive.
class Shared {
 public:
  explicit Shared(const config::Log& log) : options_(std::make_shared<AccessLogOptions>(log)) {
    wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "access log");
  }
  ~Shared() { ::close(wake_fd_); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  // A lane that sees a flag about to be cleared may leave its line to the next tick's flush(): late by that,
  // never lost.
  void wake() {
    if (wake_pending_.load(std::memory_order_relaxed) ||
        wake_pending_.exchange(true, std::memory_order_acq_rel))
      return;
    const std::uint64_t one = 1;
    // Fails only where the count is at its top, and then the thread is awake anyway.
    [[maybe_unused]] const auto ignored = ::write(wake_fd_, &one, sizeof one);
  }
  // The writer is about to look at everything: whatever comes from now on must wake it again.
  void awake() {
    empty_wake();
    wake_pending_.exchange(false, std::memory_order_acq_rel);
  }
  // Leaves the flag set, so that lanes do not go on waking a thread that waits for its reader.
  void empty_wake() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto ignored = ::read(wake_fd_, &count, sizeof count);
  }
  int wake_fd() const { return wake_fd_; }

  std::uint64_t options_generation() const { return options_generation_.load(std::memory_order_acquire); }
  std::shared_ptr<const AccessLogOptions> options() const {
    std::lock_guard lock(mutex_);
    return options_;
  }
  void set_options(std::shared_ptr<const AccessLogOptions> options) {
    std::lock_guard lock(mutex_);
    options_ = std::move(options);
    options_generation_.fetch_add(1, std::memory_order_release);
  }

  // The output that the writer takes up before its next batch; nullptr: off.
  void set_output(std::shared_ptr<LogOutput> output) {
    {
      std::lock_guard lock(mutex_);
      next_output_ = std::move(output);
      output_changed_ = true;
    }
    wake();
  }
  bool take_output(std::shared_ptr<LogOutput>& current) {
    std::lock_guard lock(mutex_);
    if (!output_changed_) return false;
    current = std::move(next_output_);
    output_changed_ = false;
    return true;
  }

  void stop() {
    stopping_.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto ignored = ::write(wake_fd_, &one, sizeof one);
  }
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

  std::atomic<std::uint64_t> lost{0};  // lines that the output refused

 private:
  int wake_fd_ = -1;
  std::atomic<bool> wake_pending_{false};
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<const AccessLogOptions> options_;
  std::atomic<std::uint64_t> options_generation_{0};
  std::shared_ptr<LogOutput> next_output_;
  bool output_changed_ = false;
};

// The thread that empties the rings. Each ring holds whole lines, and one ring's lines are written out before
// the next ring's turn, so lines never mix.
class Writer {
 public:
  Writer(std::shared_ptr<Shared> shared, std::vector<std::shared_ptr<ByteRing>> rings)
      : shared_(std::move(shared)), rings_(std::move(rings)) {}

  void run() {
    while (!shared_->stopping()) {
      if (!look_again_) wait_for_lines();
      look_again_ = false;
      drain_all();
    }
    // What came between the last look and stop().
    drain_all();
  }

 private:
  void wait_for_lines() {
    pollfd wake{shared_->wake_fd(), POLLIN, 0};
    ::poll(&wake, 1, -1);
  }

  void drain_all() {
    shared_->awake();
    if (shared_->take_output(output_)) cut_ = within_line_ = false;
    for (const auto& ring : rings_) drain(*ring);
  }

  // Writes what the ring holds now; comes back with the ring's batch written or given up.
  void drain(ByteRing& ring) {
    std::string_view batch = ring.readable();
    while (!batch.empty()) {
      const std::size_t size = write_some(batch);
      if (size == 0) break;
      ring.consume(size);
      batch.remove_prefix(size);
    }
  }

  // How much of `batch` is done with: written, or lost and counted. 0 once the process ends and the reader
  // stalls.
  std::size_t write_some(std::string_view batch) {
    if (output_ == nullptr) return batch.size();
    for (;;) {
      // A line was cut when an earlier write failed: what follows must begin on a line of its own.
      const std::string_view bytes = cut_ ? std::string_view("\n") : batch.substr(0, write_bytes);
      std::size_t size = 0;
      const LogOutput::Result result = output_->write(bytes, size);
      if (result == LogOutput::Result::failed) return give_up(batch);
      if (size == 0) {
        if (!wait_writable()) return 0;
      } else if (cut_) {
        cut_ = false;
      } else {
        within_line_ = bytes[size - 1] != '\n';
        return size;
      }
    }
  }

  std::size_t give_up(std::string_view batch) {
    shared_->lost.fetch_add(static_cast<std::uint64_t>(std::count(batch.begin(), batch.end(), '\n')),
                            std::memory_order_relaxed);
    cut_ = cut_ || within_line_;
    within_line_ = false;
    return batch.size();
  }

  // False when the process ends and its last second is over.
  bool wait_writable() {
    for (;;) {
      int timeout = -1;
      if (shared_->stopping()) {
        if (!deadline_) deadline_ = Clock::now() + last_writes;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now());
        if (left.count() <= 0) return false;
        timeout = static_cast<int>(left.count());
      }
      // While the process runs, stop() must end the wait, so the wake-up counts too; it is emptied to be able
      // to sleep again.
      pollfd ready[2] = {{output_->descriptor(), POLLOUT, 0}, {shared_->wake_fd(), POLLIN, 0}};
      ::poll(ready, timeout < 0 ? 2 : 1, timeout);
      if (ready[0].revents != 0) return true;
      if (timeout < 0 && ready[1].revents != 0) {
        shared_->empty_wake();
        look_again_ = true;
      }
    }
  }

  std::shared_ptr<Shared> shared_;
  std::vector<std::shared_ptr<ByteRing>> rings_;
  std::shared_ptr<LogOutput> output_;
  bool look_again_ = false;   // a wake-up was taken while waiting for the reader
  bool within_line_ = false;  // the last byte written ended no line
  bool cut_ = false;          // and its rest was lost
  std::optional<Clock::time_point> deadline_;
};

std::shared_ptr<LogOutput> open_output(const std::string& target) {
  return target == "off" ? nullptr : std::make_shared<LogOutput>(target);
}

// SplitMix64 (Steele, Lea, Flood 2014): one addition and three multiplications a draw, and enough for
// sampling.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}
  double uniform() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
  }

 private:
  std::uint64_t state_;
};

}  // namespace

struct AccessLogLane::Impl {
  Impl(std::shared_ptr<Shared> the_shared, std::uint64_t seed)
      : shared(std::move(the_shared)),
        ring(std::make_shared<ByteRing>(ring_bytes)),
        options(shared->options()),
        generation(shared->options_generation()),
        draw(seed) {}

  // A reload is seen by one load of a word that nobody writes in between.
  void adopt_options() {
    const std::uint64_t newest = shared->options_generation();
    if (newest == generation) return;
    options = shared->options();
    generation = newest;
  }

  std::shared_ptr<Shared> shared;
  std::shared_ptr<ByteRing> ring;
  std::shared_ptr<const AccessLogOptions> options;
  std::uint64_t generation;
  TimestampCache timestamps;
  Draw draw;
  Count dropped;
};

void AccessLogLane::write(const AccessRecord& record) {
  Impl& lane = *impl_;
  lane.adopt_options();
  const AccessLogOptions& options = *lane.options;
  if (!options.enabled) return;
  const std::optional<double> sample = options.sample[static_cast<std::size_t>(record.outcome)];
  if (sample && lane.draw.uniform() >= *sample) return;

  const std::span<char> space = lane.ring->writable();
  const std::size_t size = format_access_line(space, record, options, sample, lane.timestamps);
  if (size == 0) {
    lane.dropped.add();
  } else {
    lane.ring->commit(size);
  }
  if (space.size() - size < lane.ring->capacity() / 2) lane.shared->wake();
}

void AccessLogLane::flush() {
  impl_->adopt_options();
  if (!impl_->ring->readable().empty()) impl_->shared->wake();
}

std::uint64_t AccessLogLane::dropped() const {
  return impl_->dropped.get();
}

struct AccessLog::Impl {
  std::shared_ptr<Shared> shared;
  std::vector<AccessLogLane> lanes;
  std::string target;
  std::thread thread;
  std::future<void> finished;
};

AccessLog::AccessLog(const config::Log& log, unsigned workers) : impl_(std::make_unique<Impl>()) {
  impl_->shared = std::make_shared<Shared>(log);
  impl_->target = log.access;
  std::random_device seed;
  std::vector<std::shared_ptr<ByteRing>> rings;
  for (unsigned i = 0; i < workers; ++i) {
    AccessLogLane& lane = impl_->lanes.emplace_back();
    lane.impl_ = std::make_shared<AccessLogLane::Impl>(impl_->shared, (std::uint64_t{seed()} << 32) | seed());
    rings.push_back(lane.impl_->ring);
  }
  impl_->shared->set_output(open_output(log.access));
  std::promise<void> finished;
  impl_->finished = finished.get_future();
  impl_->thread =
      std::thread([writer = Writer(impl_->shared, std::move(rings)), done = std::move(finished)]() mutable {
        // Signals are the control thread's; SIGPIPE is an error of write() here.
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
        ::pthread_setname_np(::pthread_self(), "access-log");
        writer.run();
        done.set_value_at_thread_exit();
      });
}

AccessLog::~AccessLog() {
  impl_->shared->stop();
  // A pipe that could not be opened anew may still hold the thread in write(2) when another process filled
  // it: the process's end must not wait for that, and the thread keeps what it uses alive.
  if (impl_->finished.wait_for(2 * last_writes) == std::future_status::ready) {
    impl_->thread.join();
  } else {
    impl_->thread.detach();
  }
}

AccessLogLane& AccessLog::lane(unsigned worker) {
  return impl_->lanes.at(worker);
}

void AccessLog::configure(const config::Log& log) {
  auto options = std::make_shared<AccessLogOptions>(log);
  if (log.access != impl_->target) {
    impl_->shared->set_output(open_output(log.access));
    impl_->target = log.access;
  }
  impl_->shared->set_options(std::move(options));
}

void AccessLog::reopen() {
  impl_->shared->set_output(open_output(impl_->target));
}

std::uint64_t AccessLog::dropped() const {
  std::uint64_t sum = impl_->shared->lost.load(std::memory_order_relaxed);
  for (const AccessLogLane& lane : impl_->lanes) sum += lane.dropped();
  return sum;
}

}  // namespace sekisho::proxy
