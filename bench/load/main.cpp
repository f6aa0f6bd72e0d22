// sekisho-load: a load generator that costs less than what it measures.
#include <fmt/format.h>

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <string>

#include "bench/load/command_line.hpp"
#include "bench/load/result.hpp"
#include "bench/load/run.hpp"

namespace sekisho::load {
namespace {

constexpr int nothing_measured = 1;

int fail(const std::string& problem) {
  fmt::print(stderr, "sekisho-load: {}\n", problem);
  return nothing_measured;
}

bool write_text(const std::string& text, std::FILE* file) {
  return std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
}

// Where --json leads: opened before the run, so that no run is for nothing. What an earlier run left there
// stays until there is something to put in its place.
class JsonFile {
 public:
  explicit JsonFile(const std::string& path)
      : file_(path == "-" ? stdout : std::fopen(path.c_str(), "ae")),
        name_(path == "-" ? "standard output" : path) {}
  ~JsonFile() {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  }
  JsonFile(const JsonFile&) = delete;
  JsonFile& operator=(const JsonFile&) = delete;

  bool is_open() const { return file_ != nullptr; }
  const std::string& name() const { return name_; }
  bool write(const std::string& text) {
    // A pipe or a device has no length, and needs none.
    if (file_ != stdout && ::ftruncate(::fileno(file_), 0) != 0 && errno != EINVAL) return false;
    return write_text(text, file_);
  }

 private:
  std::FILE* file_;
  std::string name_;
};

int run(int argc, char** argv) {
  Plan plan;
  if (const auto status = read_command_line(argc, argv, plan)) return *status;
  std::string problem;
  auto target = resolve(*plan.target, problem);
  if (!target || !make_room_for(connections_of(plan), problem)) return fail(problem);
  std::optional<JsonFile> json;
  if (!plan.json.empty()) {
    json.emplace(plan.json);
    if (!json->is_open())
      return fail(fmt::format("cannot write the results to {}: {}", json->name(), std::strerror(errno)));
  }
  const Result result = run_plan(plan, std::move(*target));

  // Standard output holds one thing alone.
  if (!plan.quiet && !write_text(table_of(result), plan.json == "-" ? stderr : stdout))
    return fail("cannot write to standard output");
  if (json && !json->write(json_of(result)))
    return fail(fmt::format("cannot write the results to {}: {}", json->name(), std::strerror(errno)));
  if (result.answered()) return 0;
  const std::string error = result.connect_error();
  return fail(fmt::format("nothing answered at {}{}{}", result.target, error.empty() ? "" : ": ", error));
}

}  // namespace
}  // namespace sekisho::load

int main(int argc, char** argv) {
  try {
    return sekisho::load::run(argc, argv);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "sekisho-load: %s\n", problem.what());
    return 1;
  }
}
