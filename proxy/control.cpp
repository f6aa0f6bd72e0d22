#include "proxy/control.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "proxy/admin_server.hpp"
#include "proxy/diagnostic_log.hpp"
#include "proxy/drain.hpp"
#include "proxy/fleet_watch.hpp"
#include "proxy/memory_return.hpp"
#include "proxy/metrics.hpp"
#include "proxy/policy/lift_bans.hpp"
#include "proxy/process_signals.hpp"
#include "proxy/running_configuration.hpp"
#include "proxy/status_report.hpp"
#include "proxy/top_report.hpp"
#include "proxy/worker_count.hpp"

namespace sekisho::proxy {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr auto worker_patience = std::chrono::seconds(5);
constexpr auto look_up_patience = std::chrono::seconds(2);
constexpr auto tick = std::chrono::milliseconds(200);
constexpr auto sweep_every = std::chrono::seconds(20);
constexpr unsigned seconds_for_a_forced_end = 5;

ratelimit::Secret draw_secret() {
  ratelimit::Secret secret{};
  if (::getrandom(secret.data(), sizeof secret, 0) != static_cast<ssize_t>(sizeof secret)) {
    throw std::runtime_error("getrandom gave no bytes for the secret of the hash");
  }
  return secret;
}

double seconds_since(Clock::time_point then, Clock::time_point now) {
  return std::chrono::duration<double>(now - then).count();
}

void say(const ratelimit::BanEvent& event) {
  using Kind = ratelimit::BanEvent::Kind;
  const ratelimit::BanEntry& ban = event.ban;
  if (event.kind == Kind::set) {
    const double length = std::chrono::duration<double>(ban.length).count();
    log_event(LogLevel::warning, "ban", fmt::format("{} banned {} for {:g} s", ban.limit, ban.client, length),
              {{"client", ban.client},
               {"limit", ban.limit},
               {"seconds", length},
               {"repetition", std::uint64_t{ban.repetition}}});
    return;
  }
  const auto [what, reason] = event.kind == Kind::over     ? std::pair("is over", "expired")
                              : event.kind == Kind::lifted ? std::pair("was lifted", "lifted")
                                                           : std::pair("gave way to another", "evicted");
  log_event(event.kind == Kind::evicted ? LogLevel::warning : LogLevel::info, "unban",
            fmt::format("the ban of {} by {} {}", ban.client, ban.limit, what),
            {{"client", ban.client}, {"limit", ban.limit}, {"reason", reason}});
}

// Everything that lives as long as the process serves. Members are made in this order, and end in the
// opposite one.
class Control : public AdminBackend {
 public:
  Control(const ControlOptions& options, std::uint64_t descriptors, unsigned workers)
      : options_(options),
        states_(draw_secret(), workers),
        running_(options.config_source, descriptors, workers, states_) {}

  // False: the problems are in `read`.
  bool take_configuration(ReadConfiguration& read) { return running_.take_first(read); }

  // Binds, starts the workers and serves until a signal has ended it; returns the exit status.
  int serve(unsigned workers, const ReadConfiguration& read) {
    const config::Config& config = running_.config();
    access_log_.emplace(config.log, workers);
    server_.emplace(config, running_.listeners(), workers, *access_log_);
    if (config.admin.listen) {
      admin_.emplace(io_, *config.admin.listen, AdminScope::everything, config.admin.token, *this);
    }
    if (config.metrics)
      metrics_server_.emplace(io_, *config.metrics, AdminScope::metrics_only, std::string(), *this);
    health_.watch(config, running_.upstreams());
    fleet_.watch(config.fleet, states_.tasks());
    wait_for_addresses();
    std::vector<Counters*> counters;
    for (unsigned i = 0; i < workers; ++i) counters.push_back(&server_->counters(i));
    memory_return_.emplace(std::move(counters));
    server_->start(running_.snapshots());
    ProcessSignals signals(
        io_, {[this] { reload(); }, [this] { reopen_logs(); }, [this](const char* name) { end(name); }});

    running_.say_warnings(read);
    say_start(workers);
    turn();
    io_.run();
    return exit_status_;
  }

  Outcome reload() override {
    if (draining()) {
      log_event(LogLevel::warning, "reload", "not now: the process is ending", {{"result", "failure"}});
      return {false, "the process is ending"};
    }
    const bool done = running_.reload(*server_, *access_log_, health_);
    fleet_.watch(running_.config().fleet, states_.tasks());
    return {done, done ? "every worker took up the configuration" : running_.status().last_problems};
  }

  std::string metrics() override { return serialize_metrics(metrics_); }

  Outcome healthy() override {
    const auto now = Clock::now();
    for (unsigned i = 0; i < server_->workers(); ++i) {
      const double age = seconds_since(server_->last_turn(i), now);
      if (age > std::chrono::duration<double>(worker_patience).count()) {
        return {false, fmt::format("worker {} has not turned its loop for {:.1f} s", i, age)};
      }
    }
    return {true, "ok"};
  }

  Outcome ready() override {
    if (draining()) return {false, "draining"};
    if (!running_.upstreams().main().can_serve()) return {false, "no upstream answers"};
    return {true, "ok"};
  }

  std::string status() override {
    StatusSources sources;
    sources.version = options_.version;
    sources.revision = options_.revision;
    sources.config_source = options_.config_source;
    sources.now = Clock::now();
    sources.uptime_seconds = seconds_since(started_, sources.now);
    sources.draining = draining();
    sources.listen = server_->bound_addresses();
    for (unsigned i = 0; i < server_->workers(); ++i) {
      sources.worker_ages.push_back(seconds_since(server_->last_turn(i), sources.now));
    }
    sources.open_connections = server_->open_connections();
    sources.config = &running_.config();
    sources.limits = &states_.current();
    sources.upstreams = &running_.upstreams();
    sources.reloads = &running_.status();
    sources.tasks = states_.tasks();
    sources.fleet = fleet_.status();
    return status_json(sources);
  }

  std::string bans() override { return bans_json(*states_.current().bans, Clock::now()); }

  std::string top(std::size_t n, bool table) override {
    const auto talkers = server_->talkers();
    const TopReport report = make_top_report(talkers, n, Clock::now());
    return table ? top_table(report) : top_json(report);
  }

  std::uint64_t lift(std::string_view client) override {
    const std::uint64_t lifted =
        policy::lift_bans(states_.current(), running_.config(), client, Clock::now());
    say_bans();
    return lifted;
  }

 private:
  bool draining() const { return drain_ && drain_->begun(); }

  MetricsSources metrics_sources() {
    MetricsSources sources;
    for (unsigned i = 0; i < server_->workers(); ++i) sources.workers.push_back(&server_->counters(i));
    sources.limits = &states_.current();
    sources.config = &running_.config();
    sources.upstreams = &running_.upstreams();
    sources.reloads = running_.status();
    sources.access_log_dropped = access_log_->dropped();
    sources.version = options_.version;
    sources.revision = options_.revision;
    sources.now = Clock::now();
    return sources;
  }

  // Names are looked up before the first request can come, for as long as that is quick.
  void wait_for_addresses() {
    const auto deadline = Clock::now() + look_up_patience;
    const auto unknown = [this] {
      for (const auto& upstream : running_.upstreams().distinct()) {
        for (const auto& server : upstream->servers) {
          if (server->endpoints().empty()) return true;
        }
      }
      return false;
    };
    while ((unknown() || fleet_.is_waiting()) && Clock::now() < deadline) {
      io_.run_one_until(deadline);
    }
  }

  void share_among(std::uint64_t tasks) {
    for (const std::string& limit : states_.share_among(tasks, running_.config(), Clock::now())) {
      log_event(
          LogLevel::error, "fleet",
          fmt::format("limit {} keeps the share it had: that of {} tasks is out of the range that it can "
                      "count exactly, or there is no memory for the table that it takes",
                      limit, tasks),
          {{"limit", limit}, {"tasks", tasks}});
    }
  }

  void say_start(unsigned workers) {
    const std::string listen = fmt::format("{}", fmt::join(server_->bound_addresses(), ", "));
    const std::string admin = admin_ ? admin_->bound_address() : "off";
    std::vector<std::string> servers;
    for (const auto& upstream_of_some : running_.upstreams().distinct()) {
      for (const auto& server : upstream_of_some->servers) servers.push_back(server->text);
    }
    const std::string upstream = fmt::format("{}", fmt::join(servers, ", "));
    log_event(LogLevel::info, "start",
              fmt::format("sekisho {} listens on {}, upstream {}, {} worker{}, admin {}", options_.version,
                          listen, upstream, workers, workers == 1 ? "" : "s", admin),
              {{"version", options_.version},
               {"listen", listen},
               {"upstream", upstream},
               {"workers", std::uint64_t{workers}},
               {"admin", admin},
               {"pid", static_cast<std::uint64_t>(::getpid())}});
  }

  void reopen_logs() {
    try {
      access_log_->reopen();
      log_event(LogLevel::info, "reopen", "log files were opened anew");
    } catch (const std::exception& problem) {
      log_event(LogLevel::error, "reopen", fmt::format("lines go on to the old file: {}", problem.what()));
    }
  }

  void end(const char* signal) {
    if (draining()) {
      log_event(LogLevel::warning, "drain", fmt::format("{} during the drain: ending at once", signal));
      exit_status_ = 1;
      finish();
      return;
    }
    const config::Shutdown& shutdown = running_.config().shutdown;
    const auto seconds = [](config::Duration duration) {
      return std::chrono::duration<double>(duration).count();
    };
    log_event(LogLevel::info, "drain",
              fmt::format("{}: accepting for {:g} s more, ending within {:g} s", signal,
                          seconds(shutdown.grace), seconds(shutdown.drain)),
              {{"signal", signal}, {"open", server_ ? server_->open_connections() : 0}});
    drain_.emplace(io_, *server_, shutdown, [this] { finish(); });
    drain_->begin();
  }

  void finish() {
    // Whatever else may hold up a process that was told twice, or whose time is over.
    ::alarm(seconds_for_a_forced_end);
    const std::uint64_t cut = server_->stop();
    if (server_->hangs()) {
      log_event(LogLevel::error, "stop", "a worker does not turn its loop: ending without it",
                {{"cut", cut}});
      std::_Exit(1);
    }
    say_bans();
    write_posted_events();
    log_event(cut == 0 ? LogLevel::info : LogLevel::warning, "stop",
              cut == 0 ? "ended, nothing was cut" : fmt::format("ended; {} exchanges were cut", cut),
              {{"cut", cut}});
    io_.stop();
  }

  // What the control thread looks at between events.
  void turn() {
    write_posted_events();
    say_bans();
    const auto now = Clock::now();
    if (now - swept_ >= sweep_every) {
      swept_ = now;
      states_.sweep(now, quiet_since(now));
    }
    memory_return_->look(now);
    timer_.expires_after(tick);
    timer_.async_wait([this](boost::system::error_code error) {
      if (!error) turn();
    });
  }

  // Every worker was between two turns of its loop since.
  Clock::time_point quiet_since(Clock::time_point now) const {
    for (unsigned i = 0; i < server_->workers(); ++i) now = std::min(now, server_->last_turn(i));
    return now;
  }

  void say_bans() {
    const ratelimit::BanNews news = states_.current().bans->take_events(Clock::now());
    for (const ratelimit::BanEvent& event : news.events) say(event);
    if (news.dropped == 0) return;
    log_event(LogLevel::warning, "events_dropped",
              fmt::format("{} bans and ends of bans came faster than they could be logged", news.dropped),
              {{"dropped", news.dropped}});
  }

  const ControlOptions& options_;
  const Clock::time_point started_ = Clock::now();
  asio::io_context io_{1};
  asio::steady_timer timer_{io_};
  policy::LimitStates states_;
  RunningConfiguration running_;
  Metrics metrics_{[this] { return metrics_sources(); }};
  Clock::time_point swept_ = Clock::now();
  std::optional<AccessLog> access_log_;
  std::optional<Server> server_;
  std::optional<MemoryReturn> memory_return_;
  std::optional<AdminServer> admin_, metrics_server_;
  HealthChecker health_{io_};
  FleetWatch fleet_{io_, [this](std::uint64_t tasks) { share_among(tasks); }};
  std::optional<Drain> drain_;
  int exit_status_ = 0;
};

}  // namespace

int run_control(const ControlOptions& options) {
  hold_signals();
  const std::uint64_t descriptors = raise_descriptor_limit();
  ReadConfiguration read = read_configuration(options.config_source, descriptors);
  const auto refuse = [](const std::string& problems) {
    std::fprintf(stderr, "%s\n", problems.c_str());
    return 1;
  };
  if (read.config == nullptr) return refuse(read.errors());
  const unsigned workers = read.config->workers != 0 ? read.config->workers : automatic_workers();
  try {
    Control control(options, descriptors, workers);
    if (!control.take_configuration(read)) return refuse(read.errors());
    return control.serve(workers, read);
  } catch (const std::exception& problem) {
    return refuse(std::string("sekisho: ") + problem.what());
  }
}

}  // namespace sekisho::proxy
