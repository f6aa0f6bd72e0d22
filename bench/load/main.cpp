// sekisho-load: a load generator that costs less than what it measures.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
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

bool write_json(const std::string& path, const std::string& text) {
  if (path == "-") return write_text(text, stdout);
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return false;
  const bool written = write_text(text, file);
  return std::fclose(file) == 0 && written;
}

int run(int argc, char** argv) {
  Plan plan;
  if (const auto status = read_command_line(argc, argv, plan)) return *status;
  std::string problem;
  auto target = resolve(*plan.target, problem);
  if (!target || !make_room_for(connections_of(plan), problem)) return fail(problem);
  const Result result = run_plan(plan, std::move(*target));

  // Standard output holds one thing alone.
  if (!plan.quiet && !write_text(table_of(result), plan.json == "-" ? stderr : stdout))
    return fail("cannot write to standard output");
  if (!plan.json.empty() && !write_json(plan.json, json_of(result)))
    return fail(
        fmt::format("cannot write the results to {}", plan.json == "-" ? "standard output" : plan.json));
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
