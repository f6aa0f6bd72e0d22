#include "bench/load/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sekisho::load {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Line {
  std::optional<int> status;
  Plan plan;
  std::string said;
};

Line read(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "sekisho-load");
  Line line;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  line.status = read_command_line(static_cast<int>(arguments.size()), arguments.data(), line.plan);
  line.said = testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
  return line;
}

TEST(CommandLine, ATargetIsEnough) {
  const Line line = read({"127.0.0.1:80"});
  ASSERT_FALSE(line.status) << line.said;
  ASSERT_EQ(line.plan.classes.size(), 1U);
  EXPECT_EQ(line.plan.classes[0].connections, 32U);
  EXPECT_EQ(line.plan.classes[0].name, "main");
  EXPECT_EQ(line.plan.duration, std::chrono::seconds(10));
}

TEST(CommandLine, EveryOption) {
  const Line line = read({"--connections",
                          "4",
                          "--rate",
                          "200/min",
                          "--pipeline",
                          "2",
                          "--keepalive",
                          "6",
                          "--method",
                          "PUT",
                          "--path",
                          "/a",
                          "--path",
                          "/b",
                          "--header",
                          "A: 1",
                          "--header",
                          "B: 2",
                          "--host",
                          "h",
                          "--body",
                          "1KiB",
                          "--chunked",
                          "--read-rate",
                          "5",
                          "--send-rate",
                          "6",
                          "--clients",
                          "uniform:9",
                          "--ip",
                          "v6",
                          "--client-base",
                          "2001:db8::5",
                          "--timeout",
                          "3s",
                          "--duration",
                          "4s",
                          "--warmup",
                          "0s",
                          "--requests",
                          "12",
                          "--threads",
                          "2",
                          "--json",
                          "-",
                          "--quiet",
                          "--name",
                          "n",
                          "--seed",
                          "3",
                          "--start",
                          "1s",
                          "unix:/tmp/s"});
  ASSERT_FALSE(line.status) << line.said;
  const ClientClass& clients = line.plan.classes[0];
  EXPECT_EQ(clients.name, "n");
  EXPECT_EQ(clients.connections, 4U);
  EXPECT_THAT(clients.paths, ElementsAre("/a", "/b"));
  EXPECT_THAT(clients.headers, ElementsAre("A: 1", "B: 2"));
  EXPECT_EQ(clients.method, "PUT");
  EXPECT_EQ(clients.requests, 12U);
  EXPECT_EQ(clients.threads, 2U);
  EXPECT_EQ(first_address(*clients.clients).to_string(), "2001:db8::5");
  EXPECT_EQ(line.plan.target->kind, config::Endpoint::Kind::unix_path);
  EXPECT_EQ(line.plan.seed, 3U);
  EXPECT_TRUE(line.plan.quiet);
}

TEST(CommandLine, ABaseSaysTheFamily) {
  const Line line = read({"--clients", "one", "--client-base", "2001:db8::5", "127.0.0.1:80"});
  ASSERT_FALSE(line.status) << line.said;
  EXPECT_TRUE(line.plan.classes[0].clients->v6);
}

TEST(CommandLine, BadUsage) {
  const auto refused = [](std::vector<const char*> arguments, std::string_view why) {
    const Line line = read(std::move(arguments));
    EXPECT_EQ(line.status, bad_usage) << line.said;
    EXPECT_THAT(line.said, HasSubstr(std::string(why)));
  };
  refused({}, "which TARGET?");
  refused({"nowhere"}, "TARGET: ");
  refused({"127.0.0.1:80", "127.0.0.1:81"}, "one TARGET, not 127.0.0.1:81 too");
  refused({"--conections", "4", "127.0.0.1:80"}, "no option --conections; did you mean --connections?");
  refused({"--connections", "0", "127.0.0.1:80"}, "--connections: 0 is out of range");
  refused({"--duration", "5", "127.0.0.1:80"}, "--duration: \"5\" has no unit");
  refused({"--clients", "many", "127.0.0.1:80"}, "--clients: \"many\" is no population");
  refused({"--rate", "5", "--think", "1s", "127.0.0.1:80"}, "--think is at odds with rate");
  refused({"--fresh", "--keepalive", "4", "127.0.0.1:80"}, "--keepalive is at odds with fresh");
  refused({"--client-base", "10.0.0.1", "127.0.0.1:80"}, "--client-base says nothing without clients");
  refused({"--think-random", "127.0.0.1:80"}, "--think-random says nothing without think");
  refused({"-f", "/nonexistent.yaml", "127.0.0.1:80"}, "/nonexistent.yaml: cannot be opened");
  refused({"-f", "/nonexistent.yaml", "--class", "{}"}, "--class is for classes of the command line");
  refused({"-f", "/nonexistent.yaml", "--rate", "5"}, "--rate is for classes of the command line");
}

TEST(CommandLine, SeveralClasses) {
  const Line line = read({"--connections", "4", "--path", "/a", "--host", "h", "--threads", "2", "--class",
                          "{name: flood, pipeline: 16, clients: uniform:400000, path: [/b, '/c?d=e,f']}",
                          "--class", "{fresh: true, connections: 64}", "127.0.0.1:80"});
  ASSERT_FALSE(line.status) << line.said;
  ASSERT_EQ(line.plan.classes.size(), 2U);
  const ClientClass &flood = line.plan.classes[0], &second = line.plan.classes[1];
  EXPECT_EQ(flood.name, "flood");
  EXPECT_EQ(flood.connections, 4U);
  EXPECT_EQ(flood.pipeline, 16U);
  EXPECT_EQ(flood.clients->size, 400'000U);
  EXPECT_THAT(flood.paths, ElementsAre("/b", "/c?d=e,f"));
  EXPECT_EQ(flood.host, "h");
  EXPECT_EQ(flood.threads, 2U);
  EXPECT_EQ(second.name, "class2");
  EXPECT_EQ(second.connections, 64U);
  EXPECT_EQ(second.keepalive, 1U);
  EXPECT_THAT(second.paths, ElementsAre("/a"));
}

TEST(CommandLine, ProblemsOfAClass) {
  const auto only = [](std::vector<const char*> arguments) {
    arguments.push_back("127.0.0.1:80");
    const Line line = read(std::move(arguments));
    EXPECT_EQ(line.status, bad_usage);
    return line.said;
  };
  EXPECT_EQ(only({"--class", "{conections: 4}"}),
            "--class:1:2: a class has no key conections; did you mean connections?\n");
  EXPECT_EQ(only({"--class", "{name: a}", "--class", "{name: a}"}),
            "--class #2:1:1: two classes have the name a\n");
  EXPECT_EQ(only({"--rate", "5", "--class", "{think: 1s}"}),
            "--class:1:9: think: is at odds with rate: at a rate nobody waits for an answer\n");
  EXPECT_THAT(only({"--class", "flood"}),
              HasSubstr("--class:1:1: a class must be a mapping, not a single value; write {"));
  EXPECT_THAT(only({"--class", ""}), HasSubstr("the class is empty; write {"));
  EXPECT_THAT(only({"--class", "{name: a"}), HasSubstr("--class:1:"));
  EXPECT_THAT(only({"--name", "a", "--class", "{}"}), HasSubstr("--name is for the one class"));
}

TEST(CommandLine, HelpAndVersionAreNoMistake) {
  EXPECT_EQ(read({"--help"}).status, 0);
  EXPECT_THAT(read({"--help"}).said, HasSubstr("HOST:PORT, [IPv6]:PORT or unix:PATH"));
  EXPECT_THAT(read({"--version"}).said, testing::StartsWith("sekisho-load "));
}

}  // namespace
}  // namespace sekisho::load
